import type { Money } from './money.js';

/** What a tenant wants done with money that comes after its checkout has ended without a payment. */
export type LatePaymentPolicy = 'refund' | 'honour';

/** What is known of a payment of ours that no open checkout waits for. Recorded, so that the decision can be explained later. */
export interface LatePaymentFacts {
  policy: LatePaymentPolicy;
  payment:
    | ({
        kind: 'paid';
        /** Already given back at Stripe, by whomever; minor units. */
        refunded: number;
        disputed: boolean;
      } & Money)
    /** Money under way, no verdict yet. */
    | { kind: 'processing' }
    /** Not paid: there is nothing to decide (yet: whatever happens to it makes a webhook of its own). */
    | { kind: 'unpaid' };
  /**
   * The checkout's run. `ended`: it came to its own end. `broken`: somebody or something else ended it (terminated, failed).
   * `gone`: Temporal does not know it.
   */
  checkout:
    | { run: 'open' }
    | { run: 'broken' }
    | { run: 'gone' }
    | ({
        run: 'ended';
        paidBy?: string;
        newerAttempt: boolean;
        /** Late money of an earlier attempt at the same purchase was honoured after this one was begun. */
        olderHonoured?: boolean;
        /**
         * Nothing is known of how it ended: its run was lost, and the money came before its number was taken again, and was
         * begun before any later attempt.
         */
        lost?: boolean;
      } & Money);
}

/** Why money is given back. */
export type LateRefundReason = 'second_payment' | 'newer_attempt' | 'amount_differs' | 'policy';

export type LatePaymentVerdict =
  /** The checkout was paid by this very payment, or nothing is (any longer) captured. */
  | { kind: 'nothing' }
  /** An open run waits for it: it is told. */
  | { kind: 'hand_over' }
  /** The run was lost or stopped before its end: it is started again and reads what Stripe shows. */
  | { kind: 'restore' }
  | { kind: 'wait' }
  | { kind: 'honour' }
  | { kind: 'refund'; because: LateRefundReason }
  /** The card holder's bank is taking it back already: neither of the two is right. */
  | { kind: 'disputed' };

/**
 * Decides what becomes of a payment after its checkout. `otherHonoured`: another payment of this checkout was honoured before.
 * A second payment of one purchase is always given back, whatever the policy.
 */
export function judgeLatePayment(
  paymentIntent: string,
  { policy, payment, checkout }: LatePaymentFacts,
  otherHonoured: boolean,
): LatePaymentVerdict {
  if (checkout.run === 'ended' && checkout.paidBy === paymentIntent) return { kind: 'nothing' };
  if (payment.kind === 'unpaid') return { kind: 'nothing' };
  if (checkout.run === 'open') return { kind: 'hand_over' };
  if (payment.kind === 'paid' && payment.refunded >= payment.amount) return { kind: 'nothing' };
  if (checkout.run !== 'ended') return { kind: 'restore' };
  if (payment.kind === 'processing') return { kind: 'wait' };
  if (payment.disputed) return { kind: 'disputed' };
  if (checkout.paidBy !== undefined || otherHonoured) return { kind: 'refund', because: 'second_payment' };
  // It may well be what the lost run was paid with: money that was agreed to is not given back on a guess.
  if (checkout.lost) return { kind: 'honour' };
  if (checkout.olderHonoured) return { kind: 'refund', because: 'second_payment' };
  if (checkout.newerAttempt) return { kind: 'refund', because: 'newer_attempt' };
  if (payment.amount !== checkout.amount || payment.currency !== checkout.currency)
    return { kind: 'refund', because: 'amount_differs' };
  return policy === 'refund' ? { kind: 'refund', because: 'policy' } : { kind: 'honour' };
}

export type LatePaymentStatus = 'refunding' | 'refunded' | 'honoured' | 'needs_attention';

/** One payment that came late, and what became of it. */
export interface LatePayment extends Money {
  paymentIntent: string;
  status: LatePaymentStatus;
  because?: LateRefundReason;
  /** Stripe's id of the refund. */
  refund?: string;
  /** What it was before that, oldest first. */
  earlier?: readonly LatePaymentStatus[];
  /** For ops: why a person must look. */
  attention?: string;
  /** When this became so, epoch ms. */
  at: number;
}

/** All late payments of one checkout: the only projection, published in the run's memo. */
export interface LatePaymentState {
  /** Grows by one with every visible change. */
  version: number;
  payments: readonly LatePayment[];
}

/** The state with a payment as it is now; the very same object when that is no news. */
export function withLatePayment(state: LatePaymentState, payment: LatePayment): LatePaymentState {
  const before = state.payments.find(({ paymentIntent }) => paymentIntent === payment.paymentIntent);
  if (before?.status === payment.status && before.refund === payment.refund) return state;
  const others = state.payments.filter((one) => one !== before);
  const earlier = [...(before?.earlier ?? [])];
  if (before && before.status !== payment.status) earlier.push(before.status);
  const now = earlier.length > 0 ? { ...payment, earlier } : payment;
  return { version: state.version + 1, payments: [...others, now] };
}

/** What ops find the run by: a payment that waits for a person is never hidden by another one. */
export function latePaymentStatus({ payments }: LatePaymentState): LatePaymentStatus | 'examining' {
  const waits = payments.some(({ status }) => status === 'needs_attention');
  return waits ? 'needs_attention' : (payments.at(-1)?.status ?? 'examining');
}

/** A payment of which a person, or Stripe, still has to say what becomes of it. */
export function unsettledPayment(state: LatePaymentState | undefined): LatePayment | undefined {
  const { payments = [] } = state ?? {};
  return (
    payments.find(({ status }) => status === 'needs_attention') ??
    payments.find(({ status }) => status === 'refunding')
  );
}

/** The payment that a checkout without one of its own was honoured with. */
export function honouredPayment(state: LatePaymentState | undefined): LatePayment | undefined {
  return state?.payments.find(({ status }) => status === 'honoured');
}

/** The payment to show beside a checkout: one that was honoured, else one that waits for a person, else the newest. */
export function shownLatePayment(state: LatePaymentState | undefined): LatePayment | undefined {
  const waiting = state?.payments.find(({ status }) => status === 'needs_attention');
  return honouredPayment(state) ?? waiting ?? state?.payments.at(-1);
}
