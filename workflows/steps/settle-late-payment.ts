import { getExternalWorkflowHandle, patched } from '@temporalio/workflow';
import type { LatePaymentExamination } from '../../activities/late-payments.js';
import type { RefundReading } from '../../activities/refunds.js';
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
import { lookUp, nextReading, type RefundInHand, submitUntilKnown, watchMs } from './refund-in-hand.js';
import type { UnmatchedRun } from './unmatched-run.js';

type Paid = Extract<LatePaymentExamination['facts']['payment'], { kind: 'paid' }>;

/** Looks into what an event names until it is known whose the money is, and sees to it that it gets there. */
export async function settleLatePayment(run: UnmatchedRun, event: PaymentEvent): Promise<void> {
  const waiting: WaitingRun = { inbox: run.openInbox(), nextReadAt: undefined, waits: 0 };
  let claimed = false;
  for (let reads = 0; ; reads++) {
    const examined = await examine(run, event, waiting);
    if (!examined) return run.letGo(event);
    const { paymentIntent, facts } = examined;
    if (!claimed) {
      if (!run.claim(paymentIntent)) return;
      claimed = true;
      tellOfBefore(run, examined);
    }
    const earlier = run.takenOver(paymentIntent);
    // Settled long ago: what was bought since says nothing about it.
    if (earlier?.status === 'honoured') return linger(run, event, examined, waiting);
    const verdict = judgeLatePayment(paymentIntent, facts, run.honouredOther(paymentIntent));
    switch (verdict.kind) {
      case 'nothing':
        return (await wasGivenBack(run, event, examined, waiting))
          ? undefined
          : run.letGo(event, paymentIntent);
      case 'hand_over':
        if (await handOver(run, event, paymentIntent)) return run.letGo(event, paymentIntent);
        break;
      case 'restore':
        if (await restore(run, paymentIntent)) return run.letGo(event, paymentIntent);
        break;
      case 'wait':
        break;
      case 'disputed':
        note(run, examined, { status: 'needs_attention', attention: 'its holder disputes it' });
        return awaitPerson(run, event, waiting);
      case 'honour':
        return honour(run, event, examined, waiting);
      case 'refund':
        return giveLatePaymentBack(run, event, examined, verdict.because, waiting);
    }
    await awaitPaymentEvent(waiting, { reads, interruptible: false, pace: 'bank' });
  }
}

/**
 * Keeps the payment. Published first and looked at once more: whoever starts the same purchase again looks the other way
 * round, so one of the two sees the other.
 */
async function honour(
  run: UnmatchedRun,
  event: PaymentEvent,
  examined: LatePaymentExamination,
  waiting: WaitingRun,
): Promise<void> {
  const { paymentIntent } = examined;
  const news = publish(run, examined, { status: 'honoured' });
  if (patched('honoured-then-looked-again')) {
    const again = await examine(run, event, waiting);
    const verdict = again && judgeLatePayment(paymentIntent, again.facts, run.honouredOther(paymentIntent));
    if (verdict?.kind === 'refund') {
      return giveLatePaymentBack(run, event, again ?? examined, verdict.because, waiting);
    }
  }
  if (news) announce(run, examined, news);
  tellCaller(run, examined, 'honour', false);
  return linger(run, event, examined, waiting);
}

/**
 * Keeps what was decided in this run, so that a further payment of the same checkout is judged by it. A run that ops reset may
 * have sent it back before: its request may still have been under way when this one looked.
 */
async function linger(
  run: UnmatchedRun,
  event: PaymentEvent,
  examined: LatePaymentExamination,
  waiting: WaitingRun,
): Promise<void> {
  const deadlineAt = Date.now() + watchMs;
  while (Date.now() < deadlineAt) {
    await awaitPaymentEvent(waiting, lingering(deadlineAt));
    if (!patched('honoured-money-may-go-back')) continue;
    const inHand = refundInHand(run, examined, 'policy', waiting);
    const made = await lookUp(inHand);
    if (made) return followRefund(run, event, examined, inHand, made);
  }
}

const lingering = (deadlineAt: number) =>
  ({ deadlineAt, reads: 0, interruptible: false, pace: 'aftermath' }) as const;

/** As `linger`, for what only a person can settle: with all news, Stripe is asked whether they have given it back. */
async function awaitPerson(run: UnmatchedRun, event: PaymentEvent, waiting: WaitingRun): Promise<void> {
  const deadlineAt = Date.now() + watchMs;
  while (Date.now() < deadlineAt) {
    await awaitPaymentEvent(waiting, lingering(deadlineAt));
    if (!patched('attention-reads-again')) continue;
    const again = await examine(run, event, waiting);
    if (again && isGivenBack(again)) return noteGivenBack(run, event, again);
  }
}

/** Somebody has given it back by hand. Nobody watches that: if the bank returns it, it is looked into again. */
function noteGivenBack(run: UnmatchedRun, event: PaymentEvent, examined: LatePaymentExamination): void {
  note(run, examined, { status: 'refunded' });
  if (patched('given-back-by-hand-is-let-go')) run.letGo(event, examined.paymentIntent);
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

/** Brings the lost run back. False when that could not be done now, or when its payment is late all the same. */
async function restore({ input }: UnmatchedRun, paymentIntent: string): Promise<boolean> {
  const { tenantId, checkoutId } = input;
  try {
    const { restored, late } = await restoreCheckout({ tenantId, checkoutId, paymentIntent });
    return restored && !late;
  } catch (error) {
    refusal(error);
    return false;
  }
}

function paidIn({ facts }: LatePaymentExamination): Paid {
  if (facts.payment.kind !== 'paid') throw new TypeError('only a payment that was captured is settled');
  return facts.payment;
}

/** Nothing of it is captured any more, whoever gave it back. */
function isGivenBack({ facts: { payment } }: LatePaymentExamination): boolean {
  return payment.kind === 'paid' && payment.refunded >= payment.amount;
}

/**
 * Of money that is kept all that was captured: what was given back of it stands in the ledger, and may have been asked for since.
 * Else what is not given back; before the refund of a run that was stopped, where there is one.
 */
function sumOf(run: UnmatchedRun, examined: LatePaymentExamination, status: LatePayment['status']): number {
  const { amount, refunded } = paidIn(examined);
  if (status === 'honoured') return amount;
  const known = run.state.payments.find((one) => one.paymentIntent === examined.paymentIntent);
  if (known && known.status !== 'honoured') return known.amount;
  return amount > refunded ? amount - refunded : amount;
}

/** Publishes what becomes of the payment; undefined when that is no news. */
function publish(
  run: UnmatchedRun,
  examined: LatePaymentExamination,
  what: Pick<LatePayment, 'status'> & Partial<LatePayment>,
): LatePayment | undefined {
  const { paymentIntent } = examined;
  const { because } = run.state.payments.find((one) => one.paymentIntent === paymentIntent) ?? {};
  const payment: LatePayment = {
    paymentIntent,
    amount: sumOf(run, examined, what.status),
    currency: paidIn(examined).currency,
    ...(because && { because }),
    at: Date.now(),
    ...what,
  };
  return run.learn(payment);
}

function announce(
  run: UnmatchedRun,
  { announce: wanted, livemode }: LatePaymentExamination,
  news: LatePayment,
): void {
  if (wanted) run.announces(announceLatePayment(run.input, news, livemode));
}

/**
 * What the run before this one published it was perhaps stopped before it could tell. What was told already is no news while
 * Temporal knows the delivery (the namespace's retention); after that it would be told twice, with the same id.
 */
function tellOfBefore(run: UnmatchedRun, examined: LatePaymentExamination): void {
  const earlier = run.takenOver(examined.paymentIntent);
  if (!earlier || !examined.announce || Date.now() - earlier.at > watchMs) return;
  if (patched('told-what-the-run-before-published')) announce(run, examined, earlier);
}

/** Publishes what becomes of the payment, and tells the tenant's own system. */
function note(
  run: UnmatchedRun,
  examined: LatePaymentExamination,
  what: Pick<LatePayment, 'status'> & Partial<LatePayment>,
): void {
  const news = publish(run, examined, what);
  if (news) announce(run, examined, news);
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

/** The refund of a payment that came late, with how it is sent. */
function refundInHand(
  { input: { tenantId, checkoutId } }: UnmatchedRun,
  examined: LatePaymentExamination,
  because: LateRefundReason,
  { inbox }: WaitingRun,
): RefundInHand {
  const { paymentIntent } = examined;
  const { amount, refunded } = paidIn(examined);
  const ref = { tenantId, checkoutId, paymentIntent };
  return {
    inbox,
    nextReadAt: undefined,
    waits: 0,
    ref: { ...ref, refundId: lateRefundId(paymentIntent) },
    submit: (attempt) => refundLatePayment({ ...ref, amount: amount - refunded, because, attempt }),
    uncertain: () => undefined,
  };
}

async function giveLatePaymentBack(
  run: UnmatchedRun,
  event: PaymentEvent,
  examined: LatePaymentExamination,
  because: LateRefundReason,
  waiting: WaitingRun,
): Promise<void> {
  const inHand = refundInHand(run, examined, because, waiting);
  const noted = (what: Pick<LatePayment, 'status'> & Partial<LatePayment>) =>
    note(run, examined, { because, ...what });
  // The run before this one, or this one before somebody gave it back by hand, may have made it, and the bank may have returned it.
  const before = run.takenOver(examined.paymentIntent) ?? run.returned(examined.paymentIntent);
  const made = before && (await lookUp(inHand));
  if (made) return followRefund(run, event, examined, inHand, made);
  noted({ status: 'refunding' });
  const tell = () => tellCaller(run, examined, 'refund', because === 'second_payment');
  const toldFirst = !patched('told-once-it-goes-back');
  if (toldFirst) tell();
  const submission = await submitUntilKnown(inHand);
  if (submission.kind === 'rejected') {
    noted({
      status: 'needs_attention',
      attention: `Stripe refused the refund (${submission.failureReason})`,
    });
    return awaitPerson(run, event, waiting);
  }
  // The bank may have sent it back by the time Stripe's answer is known.
  const stays = submission.kind !== 'failed' || !patched('told-if-it-goes-back');
  if (!toldFirst && stays) tell();
  return followRefund(run, event, examined, inHand, submission);
}

/**
 * For money of which nothing is left: a run that was stopped, or reset by ops, may have given it back as late, and its refund
 * is followed on. False when it is none of this run's doing.
 */
async function wasGivenBack(
  run: UnmatchedRun,
  event: PaymentEvent,
  examined: LatePaymentExamination,
  waiting: WaitingRun,
): Promise<boolean> {
  if (!isGivenBack(examined) || isOwn(examined) || !patched('late-refund-followed-on')) return false;
  const earlier = run.takenOver(examined.paymentIntent);
  const inHand = refundInHand(run, examined, earlier?.because ?? 'policy', waiting);
  const made = await lookUp(inHand);
  if (made) await followRefund(run, event, examined, inHand, made);
  else if (earlier) noteGivenBack(run, event, examined);
  return made !== undefined || earlier !== undefined;
}

/** The checkout was paid with it. */
function isOwn({ facts: { checkout }, paymentIntent }: LatePaymentExamination): boolean {
  return checkout.run === 'ended' && checkout.paidBy === paymentIntent;
}

/** Follows a refund that Stripe has until nothing more is expected of it. */
async function followRefund(
  run: UnmatchedRun,
  event: PaymentEvent,
  examined: LatePaymentExamination,
  inHand: RefundInHand,
  first: RefundReading,
): Promise<void> {
  let reading = first;
  const { refund } = first;
  if (reading.kind === 'pending') note(run, examined, { status: 'refunding' });
  while (reading.kind === 'pending') reading = await nextReading(inHand, reading);
  if (reading.kind === 'refunded') note(run, examined, { status: 'refunded', refund });
  const until = Date.now() + watchMs;
  while (reading.kind === 'refunded' && Date.now() < until) {
    reading = await nextReading(inHand, reading, until);
  }
  if (reading.kind !== 'failed') return;
  // Somebody has given it back another way since.
  if (first.kind === 'failed' && isGivenBack(examined)) return noteGivenBack(run, event, examined);
  note(run, examined, {
    status: 'needs_attention',
    refund,
    attention: `the bank returned the refund (${reading.failureReason})`,
  });
  // A further payment must not make people forget this one.
  if (patched('returned-refund-stays')) await awaitPerson(run, event, inHand);
}
