import { activityInfo, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type Stripe from 'stripe';
import { lostAttempt } from '../contracts/checkout.js';
import { failureTypes } from '../contracts/failures.js';
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
import { firstBegunBefore } from '../domain/attempts.js';
import { confirmationNumber, isTerminal } from '../domain/checkout-state.js';
import type { LatePaymentFacts, LateRefundReason } from '../domain/late-payment.js';
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
import { attemptsAfter, isHonouredBefore } from './attempts.js';
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
    const times = { begunAt: intent.created * 1_000, takenAt: (charge ?? intent).created * 1_000 };
    return { policy, payment: paymentFacts(intent, charge), checkout: await checkoutFacts(ref, times) };
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
        const now = Date.now();
        const checkout = await checkoutFacts(order, { begunAt: now, takenAt: now });
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

/** When the payment was begun, and when the money came, epoch ms. */
interface PaymentTimes {
  begunAt: number;
  takenAt: number;
}

async function checkoutFacts(
  ref: CheckoutRef,
  { begunAt, takenAt }: PaymentTimes,
): Promise<LatePaymentFacts['checkout']> {
  const found = await readCheckoutRun(ref);
  if (found.run === 'gone' || found.run === 'broken') return { run: found.run };
  const { checkout, state } = found;
  // A run that has come to its end, and is still closing, takes no payment any more: it would only be handed back and forth.
  if (!isTerminal(state.status)) return { run: 'open' };
  const paidBy = state.status === 'paid' ? state.instrument?.paymentIntent : undefined;
  const isForgotten = checkout.startedBy === lostAttempt;
  const isLost = isForgotten && takenAt <= found.startedAt;
  // When the purchase was tried with a forgotten attempt nobody knows: all that was kept counts.
  const triedAt = isForgotten ? 0 : found.startedAt;
  const newer = await attemptsAfter(ref);
  return {
    run: 'ended',
    ...(paidBy !== undefined && { paidBy }),
    amount: checkout.amount,
    currency: checkout.currency,
    newerAttempt: newer.some(({ inVain }) => !inVain),
    ...((await isHonouredBefore(ref, triedAt)) && { olderHonoured: true }),
    ...(isLost && !firstBegunBefore(newer, begunAt) && { lost: true }),
  };
}
