import { getExternalWorkflowHandle, patched } from '@temporalio/workflow';
import type { LatePaymentExamination } from '../../activities/late-payments.js';
import type { RefundSubmission } from '../../activities/refunds.js';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import { failureTypes } from '../../contracts/failures.js';
import { type PaymentEvent, paymentEventReceived } from '../../contracts/payment-event.js';
import { lateRefundId } from '../../contracts/unmatched-payment.js';
import { judgeLatePayment, type LatePayment, type LateRefundReason } from '../../domain/late-payment.js';
import { announceLatePayment } from './announce.js';
import { awaitPaymentEvent, type WaitingRun } from './await-payment-event.js';
import {
  examineLatePayment,
  refundLatePayment,
  refusal,
  restoreCheckout,
  textLatePayment,
} from './effects.js';
import { nextReading, type RefundInHand, submitUntilKnown, watchMs } from './refund-in-hand.js';
import type { UnmatchedRun } from './unmatched-run.js';

type Paid = Extract<LatePaymentExamination['facts']['payment'], { kind: 'paid' }>;

/** Looks into what an event names until it is known whose the money is, and sees to it that it gets there. */
export async function settleLatePayment(run: UnmatchedRun, event: PaymentEvent): Promise<void> {
  const waiting: WaitingRun = { inbox: run.openInbox(), nextReadAt: undefined, waits: 0 };
  let claimed = false;
  for (let reads = 0; ; reads++) {
    const examined = await examine(run, event, waiting);
    if (!examined) return;
    const { paymentIntent, facts } = examined;
    if (!claimed && !run.claim(paymentIntent)) return;
    claimed = true;
    const verdict = judgeLatePayment(paymentIntent, facts, run.honouredOther(paymentIntent));
    switch (verdict.kind) {
      case 'nothing':
        return;
      case 'hand_over':
        if (await handOver(run, event, paymentIntent)) return;
        break;
      case 'restore':
        if (await restore(run, paymentIntent)) return;
        break;
      case 'wait':
        break;
      case 'disputed':
        note(run, examined, { status: 'needs_attention', attention: 'its holder disputes it' });
        return linger(waiting);
      case 'honour':
        note(run, examined, { status: 'honoured' });
        tellCaller(run, examined, 'honour', false);
        return linger(waiting);
      case 'refund':
        return giveLatePaymentBack(run, examined, verdict.because, waiting);
    }
    await awaitPaymentEvent(waiting, { reads, interruptible: false, pace: 'bank' });
  }
}

/** Keeps what was decided in this run, so that a further payment of the same checkout is judged by it. */
async function linger(waiting: WaitingRun): Promise<void> {
  const deadlineAt = Date.now() + watchMs;
  const patience = { deadlineAt, reads: 0, interruptible: false, pace: 'aftermath' } as const;
  while (Date.now() < deadlineAt) await awaitPaymentEvent(waiting, patience);
}

/** The payment behind the event; undefined when there is none of ours. Asked until Stripe answers. */
async function examine(
  { input }: UnmatchedRun,
  { kind, objectId }: PaymentEvent,
  waiting: WaitingRun,
): Promise<LatePaymentExamination | undefined> {
  const { tenantId, checkoutId } = input;
  for (let reads = 0; ; reads++) {
    try {
      return await examineLatePayment({ tenantId, checkoutId, kind, objectId });
    } catch (error) {
      const type = refusal(error)?.type;
      if (type === failureTypes.notOurs || type === failureTypes.requestRefused) return undefined;
    }
    await awaitPaymentEvent(waiting, { reads, interruptible: false, pace: 'bank' });
  }
}

/** Wakes the open run the payment belongs to. False when it has closed meanwhile. */
async function handOver(
  { input }: UnmatchedRun,
  { id }: PaymentEvent,
  paymentIntent: string,
): Promise<boolean> {
  const checkout = getExternalWorkflowHandle(checkoutWorkflowId(input.tenantId, input.checkoutId));
  try {
    await checkout.signal(paymentEventReceived, {
      v: 1,
      id: `${id}:unmatched`,
      kind: 'payment.succeeded',
      objectId: paymentIntent,
    });
    return true;
  } catch {
    return false;
  }
}

/** Brings the lost run back. False when that could not be done now. */
async function restore({ input }: UnmatchedRun, paymentIntent: string): Promise<boolean> {
  const { tenantId, checkoutId } = input;
  try {
    return (await restoreCheckout({ tenantId, checkoutId, paymentIntent })).restored;
  } catch (error) {
    refusal(error);
    return false;
  }
}

function paidIn({ facts }: LatePaymentExamination): Paid {
  if (facts.payment.kind !== 'paid') throw new TypeError('only a payment that was captured is settled');
  return facts.payment;
}

/** Publishes what becomes of the payment, and tells the tenant's own system. */
function note(
  run: UnmatchedRun,
  examined: LatePaymentExamination,
  what: Pick<LatePayment, 'status'> & Partial<LatePayment>,
): void {
  const { amount, currency, refunded } = paidIn(examined);
  const { paymentIntent, announce, livemode } = examined;
  const payment: LatePayment = {
    paymentIntent,
    amount: amount - refunded,
    currency,
    at: Date.now(),
    ...what,
  };
  const news = run.learn(payment);
  if (news && announce) void announceLatePayment(run.input, payment, livemode);
}

function tellCaller(
  { input }: UnmatchedRun,
  examined: LatePaymentExamination,
  outcome: 'refund' | 'honour',
  second: boolean,
): void {
  const { tenantId, checkoutId } = input;
  const { amount, refunded, currency } = paidIn(examined);
  const notice = { tenantId, checkoutId, outcome, second, amount: amount - refunded, currency };
  // A text that cannot be sent changes nothing about the money.
  void textLatePayment(notice).catch(() => undefined);
}

async function giveLatePaymentBack(
  run: UnmatchedRun,
  examined: LatePaymentExamination,
  because: LateRefundReason,
  waiting: WaitingRun,
): Promise<void> {
  const { paymentIntent } = examined;
  const { tenantId, checkoutId } = run.input;
  const { amount, refunded } = paidIn(examined);
  const ref = { tenantId, checkoutId, paymentIntent };
  const inHand: RefundInHand = {
    inbox: waiting.inbox,
    nextReadAt: undefined,
    waits: 0,
    ref: { ...ref, refundId: lateRefundId(paymentIntent) },
    submit: (attempt) => refundLatePayment({ ...ref, amount: amount - refunded, because, attempt }),
    uncertain: () => undefined,
  };
  const noted = (what: Pick<LatePayment, 'status'> & Partial<LatePayment>) =>
    note(run, examined, { because, ...what });

  noted({ status: 'refunding' });
  tellCaller(run, examined, 'refund', because === 'second_payment');
  let reading: RefundSubmission = await submitUntilKnown(inHand);
  if (reading.kind === 'rejected') {
    noted({ status: 'needs_attention', attention: `Stripe refused the refund (${reading.failureReason})` });
    return linger(waiting);
  }
  const { refund } = reading;
  while (reading.kind === 'pending') reading = await nextReading(inHand, reading);
  if (reading.kind === 'refunded') noted({ status: 'refunded', refund });
  const until = Date.now() + watchMs;
  while (reading.kind === 'refunded' && Date.now() < until) {
    reading = await nextReading(inHand, reading, until);
  }
  if (reading.kind === 'failed') {
    noted({
      status: 'needs_attention',
      refund,
      attention: `the bank returned the refund (${reading.failureReason})`,
    });
    // A further payment must not make people forget this one.
    if (patched('returned-refund-stays')) await linger(waiting);
  }
}
