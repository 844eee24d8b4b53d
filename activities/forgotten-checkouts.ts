import type Stripe from 'stripe';
import { type CheckoutInput, lostAttempt, restoredBy } from '../contracts/checkout.js';
import { attemptOf } from '../contracts/ids.js';
import { isLateRefundId } from '../contracts/unmatched-payment.js';
import { firstBegunBefore, periodBegin } from '../domain/attempts.js';
import { type ActivityDependencies, type CheckoutRef, onAccount, tenantOf } from './accounts.js';
import { attemptsAfter, attemptsBeside } from './attempts.js';
import { mayPay, readOwnPayment, refundsOf } from './charges.js';
import { readCheckoutRecord, readCheckoutRun } from './checkout-runs.js';
import type { TenantWebhookDependencies } from './tenant-webhooks.js';

/** What a lost run is started again with. */
export interface ForgottenInput {
  input: CheckoutInput;
  /** Not with the payment that was named: that was begun when the purchase had been tried again. */
  late?: boolean;
  /** The same for the attempts before it that are lost too: without them the purchase would be sold again under their numbers. */
  before?: () => Promise<CheckoutInput[]>;
}

/** Payments that are looked through for those of lost attempts: ten requests. */
const maxRead = 1_000;

/** Checkouts of which Temporal knows nothing any more: what Stripe still tells of them. */
export function createForgottenCheckouts(
  dependencies: ActivityDependencies & Pick<TenantWebhookDependencies, 'tenantWebhook'>,
) {
  const { stripe, tenantWebhook, ownership } = dependencies;

  /** Whether a payment was given back because it came late, and stays so. */
  async function wasLate(ref: CheckoutRef, paymentIntent: string | null | undefined): Promise<boolean> {
    if (!paymentIntent) return false;
    const refunds = await refundsOf(dependencies, { ...ref, paymentIntent });
    return refunds.some(
      ({ refund: { status }, refundId = '' }) =>
        isLateRefundId(refundId) && status !== 'failed' && status !== 'canceled',
    );
  }

  /**
   * The first payment of each of these attempts at one purchase that may be what it was paid with, of what was begun up to a
   * time, epoch ms. Undefined: too many payments to look through.
   */
  async function firstPayments(
    ref: CheckoutRef,
    checkoutIds: readonly string[],
    until: number,
  ): Promise<Map<string, string> | undefined> {
    const begin = periodBegin(attemptOf(ref.checkoutId)?.number ?? 1);
    const created = { gte: Math.floor(begin / 1_000), lte: Math.ceil(until / 1_000) };
    const first = new Map<string, string>();
    let read = 0;
    const options = onAccount(dependencies, ref);
    for await (const intent of stripe.paymentIntents.list({ created, limit: 100 }, options)) {
      if (++read > maxRead) return undefined;
      const { tenantId, checkoutId } = ownership.read(intent.metadata) ?? {};
      if (tenantId !== ref.tenantId || checkoutId === undefined || !checkoutIds.includes(checkoutId))
        continue;
      // The newest come first.
      if (mayPay(intent) && !(await wasLate({ tenantId, checkoutId }, intent.id)))
        first.set(checkoutId, intent.id);
    }
    return first;
  }

  function inputBy(ref: CheckoutRef, intent: Stripe.PaymentIntent): CheckoutInput | undefined {
    const origin = ownership.read(intent.metadata)?.origin;
    if (!origin) return undefined;
    const { tenantId, checkoutId } = ref;
    const { amount, currency, description, livemode } = intent;
    return {
      v: 1,
      requestId: restoredBy(intent.id),
      tenantId,
      checkoutId,
      ...origin,
      amount,
      currency,
      description: description ?? 'Payment',
      livemode,
      locale: tenantOf(dependencies, ref).locale,
      consent: { amount, currency, confirmedAt: new Date(intent.created * 1_000).toISOString() },
      contact: {},
      plan: [],
      announce: tenantWebhook(tenantId) !== undefined,
      recover: { paymentIntent: intent.id, version: 0 },
    };
  }

  /** Those of the attempts before `input` that are lost too, the newest first. */
  async function inputsBefore(input: CheckoutInput): Promise<CheckoutInput[]> {
    const { tenantId } = input;
    const gone: string[] = [];
    for (const checkoutId of attemptsBeside(input.checkoutId))
      if ((await readCheckoutRun({ tenantId, checkoutId })).run === 'gone') gone.push(checkoutId);
    if (gone.length === 0) return [];
    const payments = await firstPayments(input, gone, Date.parse(input.consent.confirmedAt));
    // What may have been paid is not said to have come to nothing: the next pass walks all money.
    if (!payments) return [];
    const inputs: CheckoutInput[] = [];
    for (const checkoutId of gone) {
      const paymentIntent = payments.get(checkoutId);
      const ref = { tenantId, checkoutId };
      const paid =
        paymentIntent && inputBy(ref, await readOwnPayment(dependencies, { ...ref, paymentIntent }));
      inputs.push(paid || asLostAttempt(input, checkoutId));
    }
    return inputs;
  }

  return {
    wasLate,

    /** Undefined where too little is known of it. */
    async inputOf(ref: CheckoutRef & { paymentIntent: string }): Promise<ForgottenInput | undefined> {
      const { checkoutId, paymentIntent } = ref;
      const intent = await readOwnPayment(dependencies, ref);
      const later = firstBegunBefore(await attemptsAfter(ref), intent.created * 1_000);
      const model = later && (await readCheckoutRecord(later));
      if (!model) {
        const input = inputBy(ref, intent);
        return input && { input, before: () => inputsBefore(input) };
      }
      const own = (await firstPayments(ref, [checkoutId], later.begunAt ?? 0))?.get(checkoutId);
      if (own === undefined || own === paymentIntent)
        return { input: asLostAttempt(model.input, checkoutId), late: true };
      const input = inputBy(ref, await readOwnPayment(dependencies, { ...ref, paymentIntent: own }));
      return input && { input, late: true, before: () => inputsBefore(input) };
    },
  };
}

/** What takes the number of a lost attempt of which nothing is known, after the model of another one at the same purchase. */
export function asLostAttempt(model: CheckoutInput, checkoutId: string): CheckoutInput {
  const nothing = { plan: [], contact: {}, announce: false, recover: { version: 0 } };
  return { ...model, checkoutId, requestId: lostAttempt, ...nothing };
}
