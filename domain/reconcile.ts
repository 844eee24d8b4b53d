import type { CheckoutState, CheckoutStatus } from './checkout-state.js';
import type { LatePaymentStatus } from './late-payment.js';
import { refundTransitions, type RefundStatus } from './refund-state.js';

/** What Stripe and the runs do not agree on. */
export type DifferenceKind =
  /** Its run is open and does not know of it. */
  | 'payment_not_noticed'
  /** Its run was lost, or stopped before its end. */
  | 'payment_without_run'
  /** A later attempt at the same purchase was paid, or may be, and this one is gone. */
  | 'attempt_lost'
  /** Its run ended without it, and nobody looks after it. */
  | 'payment_unmatched'
  /** It could still be paid, for a checkout that is over. */
  | 'live_payment'
  | 'live_page'
  | 'approval_not_noticed'
  | 'checkout_stopped'
  | 'checkout_needs_attention'
  | 'checkout_overdue'
  | 'refund_not_noticed'
  | 'refund_stopped'
  /** Its run was lost. */
  | 'refund_without_run'
  | 'refund_needs_attention'
  | 'refunded_sum'
  | 'late_payment_needs_attention'
  /** Stripe refuses to show it. */
  | 'unreadable'
  /** The time since the last reconciliation is longer than Stripe keeps events. */
  | 'events_out_of_reach';

/** What sets it right. `none`: only a person can. */
export type Repair =
  | 'wake_checkout'
  | 'restore_checkout'
  | 'report_late_payment'
  | 'cancel_payment'
  | 'expire_page'
  | 'wake_refund'
  | 'restore_refund'
  | 'tell_ledger'
  | 'none';

export interface Verdict {
  kind: DifferenceKind;
  repair: Repair;
}

/** A checkout's run, as far as money is concerned. `broken`: closed, but not by its own end. `gone`: Temporal does not know it. */
export type RunFacts =
  | { run: 'open'; status: CheckoutStatus; paymentIntent?: string; session?: string; authorization?: string }
  | { run: 'ended'; paidBy?: string }
  | { run: 'broken' }
  | { run: 'gone' };

export interface PaymentFacts {
  paymentIntent: string;
  payment: 'paid' | 'processing' | 'live' | 'dead';
  /** All of it is given back. */
  refunded: boolean;
  /**
   * What for, where its run is gone: because it came `late`, at somebody's `request`, or all of it by `hand`, in the dashboard.
   */
  refundedFor?: 'late' | 'request' | 'hand' | undefined;
  /** Since it was begun, ms. */
  ageMs: number;
  /** Whatever else was paid has been looked at. */
  lastly: boolean;
  /** Its run was told of it as it is now. */
  told: boolean;
  run: RunFacts;
  /** What the run for late payments says; absent when there is none. */
  late?:
    | {
        open: boolean;
        status?: LatePaymentStatus;
        /** For how long that, ms. */
        ageMs?: number;
        /** It was given back by a refund of our own. */
        ownRefund?: boolean;
      }
    | undefined;
}

/** Undefined: there is no difference. */
export function judgePayment(facts: PaymentFacts): Verdict | undefined {
  const { payment, run } = facts;
  if (payment === 'dead') return undefined;
  if (payment === 'live') {
    if (run.run === 'open') return undefined;
    if (run.run === 'broken') return { kind: 'checkout_stopped', repair: 'restore_checkout' };
    return { kind: 'live_payment', repair: 'cancel_payment' };
  }
  switch (run.run) {
    case 'open':
      return isNoticed(facts, run) ? undefined : { kind: 'payment_not_noticed', repair: 'wake_checkout' };
    case 'broken':
      return { kind: 'payment_without_run', repair: 'restore_checkout' };
    case 'gone':
      return isLost(facts) ? { kind: 'payment_without_run', repair: 'restore_checkout' } : undefined;
    case 'ended':
      return run.paidBy === facts.paymentIntent ? undefined : judgeUnmatched(facts);
  }
}

/** Runs of younger payments are known to Temporal, if they were not lost: see the retention in docs/going-live. */
const restorableMs = 30 * 24 * 3_600_000;

/** Whether a payment whose run is gone is what its checkout was paid with. */
function isLost({ ageMs, refunded, refundedFor, lastly }: PaymentFacts): boolean {
  if (ageMs > restorableMs) return false;
  if (!refunded) return true;
  // Late money had a checkout that ended without it. What was given back by hand may have been paid beside what counts.
  return refundedFor === 'hand' ? lastly : refundedFor !== 'late';
}

function isNoticed(
  { payment, paymentIntent, refunded, told }: PaymentFacts,
  run: Extract<RunFacts, { run: 'open' }>,
): boolean {
  const own = run.paymentIntent === paymentIntent;
  // It looks after other money when the payment under way has come to its end.
  if (!own && told && run.status === 'processing') return true;
  if (payment === 'processing') return own && run.status === 'processing';
  return own ? run.status === 'paid' : refunded;
}

function judgeUnmatched({ payment, refunded, late }: PaymentFacts): Verdict | undefined {
  const report: Verdict = { kind: 'payment_unmatched', repair: 'report_late_payment' };
  switch (late?.status) {
    case undefined:
      // A payment under way is waited for without a word.
      if (refunded || (payment === 'processing' && late?.open)) return undefined;
      return report;
    case 'refunding':
      if (!late?.open) return report;
      // One that Stripe has may be under way for days, and is compared by itself.
      return (late.ageMs ?? 0) >= submittingMs && !refunded
        ? { kind: 'late_payment_needs_attention', repair: 'none' }
        : undefined;
    case 'honoured':
      return undefined;
    case 'refunded':
      // What somebody gave back by hand the bank has returned; refunds of our own are compared by themselves.
      return refunded || (late?.open && late.ownRefund) ? undefined : report;
    case 'needs_attention':
      // Somebody has given it back in the dashboard: its run looks again.
      return { kind: 'late_payment_needs_attention', repair: refunded ? 'report_late_payment' : 'none' };
  }
}

/** A page that can still be paid. `settling`: so young that its run may be about to learn of it. */
export function judgeOpenPage(session: string, run: RunFacts, settling: boolean): Verdict | undefined {
  if (run.run === 'broken') return { kind: 'checkout_stopped', repair: 'restore_checkout' };
  if (run.run === 'open' && (run.session === session || settling)) return undefined;
  return { kind: 'live_page', repair: 'expire_page' };
}

/** A wallet request that was answered. `paid`: it brought a payment. */
export function judgeApproval(
  authorization: string,
  run: RunFacts,
  approval: 'approved' | 'declined' | 'other',
): Verdict | undefined {
  if (approval === 'other') return undefined;
  if (run.run === 'broken') return { kind: 'checkout_stopped', repair: 'restore_checkout' };
  if (run.run !== 'open') return undefined;
  const waits =
    (run.authorization === authorization && run.status === 'awaiting_wallet') ||
    (run.authorization === undefined && run.status === 'needs_attention');
  return waits ? { kind: 'approval_not_noticed', repair: 'wake_checkout' } : undefined;
}

/**
 * Whether nothing tells what became of a wallet request of that time, epoch ms, whose id is not known. A rail opens, and is over,
 * only after the one before it: an attempt that is newer says that the request was settled.
 */
export function isWalletUnanswered({ attempts }: Pick<CheckoutState, 'attempts'>, askedAt: number): boolean {
  return !attempts.some(({ at }) => at > askedAt);
}

/** What Stripe says of a refund. */
export type RefundAtStripe = 'pending' | 'succeeded' | 'failed';

/** The run of a refund that somebody asked for, as in `RunFacts`. */
export type RefundRunFacts = { run: 'open' | 'ended' | 'broken'; status: RefundStatus } | { run: 'gone' };

/** A run that was stopped while something could still come: a decision, Stripe's answer, money that the bank returns. */
export function judgeRefundRun(run: RefundRunFacts): Verdict | undefined {
  if (run.run !== 'broken' || refundTransitions[run.status].length === 0) return undefined;
  return { kind: 'refund_stopped', repair: 'restore_refund' };
}

/** A refund that somebody asked for, as Stripe has it. */
export function judgeRefund(atStripe: RefundAtStripe, run: RefundRunFacts): Verdict | undefined {
  if (run.run === 'gone') return { kind: 'refund_without_run', repair: 'restore_refund' };
  const stopped = judgeRefundRun(run);
  if (stopped) return stopped;
  const known: Record<RefundAtStripe, readonly RefundStatus[]> = {
    pending: ['submitted'],
    succeeded: ['refunded'],
    failed: ['failed', 'rejected'],
  };
  if (known[atStripe].includes(run.status)) return undefined;
  if (run.run === 'open') return { kind: 'refund_not_noticed', repair: 'wake_refund' };
  // Its watch is over, and only a person can tell the customer.
  return { kind: 'refund_needs_attention', repair: 'none' };
}

/**
 * The refund of a late payment, against what the run for late payments says of it. `refunded`: nothing is left of the payment,
 * however that came.
 */
export function judgeLateRefund(
  atStripe: RefundAtStripe,
  late: PaymentFacts['late'],
  refunded: boolean,
): Verdict | undefined {
  // Whoever looks into the payment finds the refund, and what became of it.
  const report: Verdict = { kind: 'refund_not_noticed', repair: 'report_late_payment' };
  if (late === undefined) return atStripe === 'failed' && !refunded ? report : undefined;
  // Its run was started anew by hand, without what the one before had published.
  if (late.status === undefined) return atStripe === 'failed' && refunded ? undefined : report;
  const told: Partial<Record<RefundAtStripe, readonly LatePaymentStatus[]>> = {
    succeeded: ['refunded', 'needs_attention'],
    // Somebody has given it back another way since.
    failed: refunded ? ['needs_attention', 'refunded'] : ['needs_attention'],
  };
  if (told[atStripe]?.includes(late.status) ?? true) return undefined;
  return late.open ? { kind: 'refund_not_noticed', repair: 'wake_refund' } : report;
}

const minute = 60_000;
const hour = 60 * minute;

/** All rails of a checkout are over by then: each has at most 24 h. */
export const overdueMs = 72 * hour;

/** Stripe has taken a refund by then, or it is away for longer than a run can wait unseen. */
const submittingMs = hour;

/** Banks have answered a debit, or a refund, by then. */
const bankMs = 21 * 24 * hour;

/** Whether an open checkout has been in its state for longer than that can take, ms. What needs a person is told without that. */
export function isCheckoutOverdue(status: CheckoutStatus, ageMs: number): boolean {
  return status !== 'needs_attention' && ageMs >= (status === 'processing' ? bankMs : overdueMs);
}

/** Whether a person must look at an open refund that has been in its state for so long, ms. */
export function isRefundStuck(status: RefundStatus, ageMs: number, graceMs: number): boolean {
  const patience: Partial<Record<RefundStatus, number>> = {
    needs_attention: graceMs,
    submitting: submittingMs,
    submitted: bankMs,
  };
  return ageMs >= (patience[status] ?? Infinity);
}

/** Windows overlap: Stripe's clock is not ours, and objects appear in lists a moment after their webhooks. */
export const overlapMs = 10 * minute;
/** Where nothing is known of an earlier reconciliation. */
const firstWindowMs = 24 * hour;
/** Stripe lists events for 30 days. Source: docs.stripe.com/api/events/list. */
export const eventsListedMs = 30 * 24 * hour;

/**
 * From when on to look, epoch ms. `resumeAt` is what the last reconciliation left: the time up to which nothing is open any
 * more.
 */
export function windowStart(now: number, asked: { since?: number; resumeAt?: number }): number {
  if (asked.since !== undefined) return asked.since;
  return asked.resumeAt === undefined ? now - firstWindowMs : asked.resumeAt - overlapMs;
}

/** Where the next reconciliation goes on. What could not be repaired is looked at again for a day. */
export function resumeAt(window: { from: number; until: number }, unrepaired: boolean): number {
  const { from, until } = window;
  return unrepaired ? Math.min(until, Math.max(from + overlapMs, until - firstWindowMs)) : until;
}
