import { activityInfo, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type Stripe from 'stripe';
import { lostAttempt } from '../contracts/checkout.js';
import { failureTypes } from '../contracts/failures.js';
import { attemptId, attemptOf } from '../contracts/ids.js';
import {
  type PaymentEvent,
  type PaymentEventKind,
  paymentEventReceived,
} from '../contracts/payment-event.js';
import {
  lateRefundId,
  unmatchedPaymentStart,
  unmatchedPaymentWorkflowId,
  unmatchedPaymentWorkflowType,
} from '../contracts/unmatched-payment.js';
import {
  firstAttemptBeside,
  firstAttemptsAfter,
  firstAttemptsBefore,
  readAttempts,
} from '../domain/attempts.js';
import { confirmationNumber, isTerminal } from '../domain/checkout-state.js';
import { honouredPayment, type LatePaymentFacts, type LateRefundReason } from '../domain/late-payment.js';
import { textLatePayment } from '../domain/say.js';
import { retrieveAgentAuthorization } from '../providers/stripe/agent-authorizations.js';
import {
  type ActivityDependencies,
  type CheckoutRef,
  onAccount,
  onceOnAccount,
  requireOwn,
  tenantOf,
} from './accounts.js';
import { chargeOf, readOwnPayment } from './charges.js';
import { readCheckoutRecord, readCheckoutRun } from './checkout-runs.js';
import { withVendorFailures } from './failures.js';
import { senderOf, textOnce } from './messages.js';
import { readLateRun } from './published-runs.js';
import { createRefund, type RefundSubmission } from './refunds.js';
import type { TenantWebhookDependencies } from './tenant-webhooks.js';
import { adoptPayment } from './wallet.js';

/** What a webhook, or reconciliation, spoke of. */
export interface LateEvent extends CheckoutRef {
  kind: PaymentEventKind;
  objectId: string;
}

export interface LatePaymentRef extends CheckoutRef {
  paymentIntent: string;
}

export interface LatePaymentExamination {
  paymentIntent: string;
  facts: LatePaymentFacts;
  livemode: boolean;
  /** The tenant's own system wants to be told. */
  announce: boolean;
}

/** Money that no open checkout waits for: looking into it, and giving it back. */
export function createLatePaymentActivities(
  dependencies: ActivityDependencies & Pick<TenantWebhookDependencies, 'tenantWebhook'>,
) {
  const { stripe, tenantWebhook, twilio, ownership } = dependencies;

  /** The payment behind an event; undefined when it brought none. */
  async function paymentOf(event: LateEvent): Promise<string | undefined> {
    const { kind, objectId } = event;
    if (kind.startsWith('authorization.')) {
      const authorization = await retrieveAgentAuthorization(
        stripe,
        objectId,
        onAccount(dependencies, event),
      );
      requireOwn(dependencies, event, authorization.metadata);
      // A token that was granted too late is worth nothing to anyone but us, and is not spent.
      if (authorization.status !== 'approved' || authorization.payment_intent === null) return undefined;
      // With where it came from, or the checkout could never be restored from what Stripe keeps.
      const { origin } = ownership.read(authorization.metadata) ?? {};
      const ref = { ...event, ...(origin && { origin }) };
      return (await adoptPayment(dependencies, authorization.payment_intent, ref)).id;
    }
    if (!kind.startsWith('session.')) return objectId;
    const session = await stripe.checkout.sessions.retrieve(objectId, {}, onAccount(dependencies, event));
    requireOwn(dependencies, event, session.metadata);
    const { payment_intent: intent } = session;
    return typeof intent === 'string' ? intent : intent?.id;
  }

  async function factsOf(ref: LatePaymentRef, intent: Stripe.PaymentIntent): Promise<LatePaymentFacts> {
    const policy = tenantOf(dependencies, ref).latePayment;
    const charge = chargeOf(intent);
    const takenAt = (charge ?? intent).created * 1_000;
    return { policy, payment: paymentFacts(intent, charge), checkout: await checkoutFacts(ref, takenAt) };
  }

  return {
    /** Reads the payment behind an event, and the run it should belong to. Undefined: the event brought no payment. */
    async examineLatePayment(event: LateEvent): Promise<LatePaymentExamination | undefined> {
      return withVendorFailures(async () => {
        const paymentIntent = await paymentOf(event);
        if (paymentIntent === undefined) return undefined;
        const ref = { ...event, paymentIntent };
        const intent = await readOwnPayment(dependencies, ref);
        const announce = tenantWebhook(event.tenantId) !== undefined;
        return { paymentIntent, facts: await factsOf(ref, intent), livemode: intent.livemode, announce };
      });
    },

    /** Gives a payment that no open run waits for a run of its own, or wakes that run. */
    async reportLatePayment({
      tenantId,
      checkoutId,
      event,
    }: CheckoutRef & { event: PaymentEvent }): Promise<void> {
      const before = (await readLateRun(tenantId, checkoutId))?.state;
      await Context.current().client.workflow.signalWithStart(unmatchedPaymentWorkflowType, {
        ...unmatchedPaymentStart(tenantId, checkoutId, before),
        signal: paymentEventReceived,
        signalArgs: [event],
      });
    },

    /**
     * Gives a late payment back. Key: late-refund.create with the payment. Looks once more whether it may: anyone with access
     * to Temporal can signal, and money of a checkout that is open or was paid by it is not late.
     */
    async refundLatePayment(
      order: LatePaymentRef & { amount: number; because: LateRefundReason; attempt: number },
    ): Promise<RefundSubmission> {
      const { tenantId, checkoutId, paymentIntent, amount, because, attempt } = order;
      const own = unmatchedPaymentWorkflowId(tenantId, checkoutId);
      return withVendorFailures(async () => {
        await readOwnPayment(dependencies, order);
        const checkout = await checkoutFacts(order, Date.now());
        const isLate = checkout.run === 'ended' && checkout.paidBy !== paymentIntent;
        if (!isLate || activityInfo().workflowExecution?.workflowId !== own) {
          throw ApplicationFailure.nonRetryable('not a late payment', failureTypes.notOurs);
        }
        return createRefund(
          dependencies,
          {
            payment_intent: paymentIntent,
            amount,
            reason: because === 'second_payment' ? 'duplicate' : 'requested_by_customer',
            metadata: ownership.mark({ tenantId, checkoutId, refundId: lateRefundId(paymentIntent) }),
          },
          onceOnAccount(dependencies, order, 'late-refund.create', attempt, paymentIntent),
        );
      });
    },

    /** Tells the caller by SMS what becomes of the money. `nothing` when no number of theirs is known. */
    async textLatePayment(
      notice: CheckoutRef & {
        outcome: 'refund' | 'honour';
        second: boolean;
        amount: number;
        currency: string;
      },
    ): Promise<{ by: 'sms' | 'nothing' }> {
      const { sms, name: merchant, wording } = tenantOf(dependencies, notice);
      const { input } = (await readCheckoutRecord(notice)) ?? {};
      const phone = input?.contact.phone;
      if (input === undefined || phone === undefined) return { by: 'nothing' };
      const { outcome, second, amount, currency, checkoutId } = notice;
      const body = textLatePayment(outcome, second, {
        money: { amount, currency },
        description: input.description,
        locale: input.locale,
        wording,
        merchant,
        confirmationNumber: confirmationNumber(checkoutId),
      });
      return withVendorFailures(async () => {
        await textOnce(twilio, { to: phone, body, unique: body, ...senderOf(sms) });
        return { by: 'sms' };
      });
    },
  };
}

function paymentFacts(
  { status, amount_received: amount, currency }: Stripe.PaymentIntent,
  charge: Stripe.Charge | undefined,
): LatePaymentFacts['payment'] {
  if (status === 'processing') return { kind: 'processing' };
  if (status !== 'succeeded') return { kind: 'unpaid' };
  return {
    kind: 'paid',
    amount,
    currency,
    refunded: charge?.amount_refunded ?? 0,
    disputed: charge?.disputed ?? false,
  };
}

/** `takenAt`: when the money came, epoch ms. */
async function checkoutFacts(ref: CheckoutRef, takenAt: number): Promise<LatePaymentFacts['checkout']> {
  const found = await readCheckoutRun(ref);
  if (found.run === 'gone' || found.run === 'broken') return { run: found.run };
  const { checkout, state } = found;
  // A run that has come to its end, and is still closing, takes no payment any more: it would only be handed back and forth.
  if (!isTerminal(state.status)) return { run: 'open' };
  const paidBy = state.status === 'paid' ? state.instrument?.paymentIntent : undefined;
  return {
    run: 'ended',
    ...(paidBy !== undefined && { paidBy }),
    amount: checkout.amount,
    currency: checkout.currency,
    newerAttempt: await hasNewerAttempt(ref),
    ...((await isHonouredBefore(ref, found.startedAt)) && { olderHonoured: true }),
    ...(checkout.startedBy === lostAttempt && takenAt <= found.startedAt && { lost: true }),
  };
}

/** Whether the same purchase was tried again, and not in vain. */
async function hasNewerAttempt({ tenantId, checkoutId }: CheckoutRef): Promise<boolean> {
  const { purchase = '', number } = attemptOf(checkoutId) ?? {};
  if (number === undefined) return false;
  for (const from of [number + 1, ...firstAttemptsAfter(number, Date.now())]) {
    for (const newer of await attemptsFrom(tenantId, purchase, from)) {
      const { run } = newer;
      if (run.run !== 'ended' || run.state.status === 'paid' || (await readHonoured(newer))) return true;
    }
  }
  return false;
}

/**
 * Whether late money of an attempt before was kept after this one was begun, epoch ms. What was kept earlier is another
 * purchase: nobody gets past it without saying that the caller buys the same thing again.
 */
async function isHonouredBefore({ tenantId, checkoutId }: CheckoutRef, startedAt: number): Promise<boolean> {
  const { purchase = '', number } = attemptOf(checkoutId) ?? {};
  if (number === undefined) return false;
  const earlier: CheckoutRef[] = [];
  for (const from of firstAttemptsBefore(number))
    earlier.push(...(await attemptsFrom(tenantId, purchase, from)));
  for (let one = firstAttemptBeside(number); one < number; one++)
    earlier.push({ tenantId, checkoutId: attemptId(purchase, one) });
  for (const one of earlier) {
    const honoured = await readHonoured(one);
    if (honoured && honoured.at > startedAt) return true;
  }
  return false;
}

/** The runs of a purchase's attempts from a number on, in the period of that number. */
async function attemptsFrom(tenantId: string, purchase: string, from: number) {
  const refTo = (number: number) => ({ tenantId, checkoutId: attemptId(purchase, number) });
  const { attempts } = await readAttempts(from, async (number) => {
    const run = await readCheckoutRun(refTo(number));
    return run.run === 'gone' ? undefined : run;
  });
  return attempts.map(({ number, attempt: run }) => ({ ...refTo(number), number, run }));
}

async function readHonoured({ tenantId, checkoutId }: CheckoutRef) {
  return honouredPayment((await readLateRun(tenantId, checkoutId))?.state);
}
