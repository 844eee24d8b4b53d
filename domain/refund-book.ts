import type { RefundFacts } from './refund-policy.js';
import type { RefundStatus } from './refund-state.js';

export const refundOutcomes = ['pending', 'at_stripe', 'done', 'void'] as const;

export type RefundOutcome = (typeof refundOutcomes)[number];

/** One refund that was let through: what it takes out of a payment, and what became of it. */
export interface RefundEntry {
  refundId: string;
  checkoutId: string;
  paymentIntent: string;
  /** Minor units. */
  amount: number;
  currency: string;
  /** When it was asked for, epoch ms. */
  at: number;
  /**
   * `at_stripe`: Stripe has it and counts it as given back, whether or not the bank has said yes. `void`: denied, expired,
   * rejected or failed, so the money is the payment's again.
   */
  outcome: RefundOutcome;
}

const dayMs = 24 * 3_600_000;

const sum = (entries: readonly RefundEntry[]) => entries.reduce((total, { amount }) => total + amount, 0);

/** Adds a refund; the very same book when it is already there. */
export function withRefund(book: readonly RefundEntry[], entry: RefundEntry): readonly RefundEntry[] {
  return book.some(({ refundId }) => refundId === entry.refundId) ? book : [...book, entry];
}

/** Notes what became of a refund. */
export function withOutcome(
  book: readonly RefundEntry[],
  refundId: string,
  outcome: RefundOutcome,
): readonly RefundEntry[] {
  return book.map((entry) => (entry.refundId === refundId ? { ...entry, outcome } : entry));
}

/** A refund as a ledger shows it. Those listed before the sums were have `refundId` and `at` alone. */
export type RefundLine = Pick<RefundEntry, 'refundId' | 'at'> &
  Partial<Pick<RefundEntry, 'paymentIntent' | 'amount' | 'currency'>>;

/** Whether what a ledger shows is of this payment. What was written before it named one counts for any. */
export function isOfPayment(shown: { paymentIntent?: string | undefined }, paymentIntent: string): boolean {
  return shown.paymentIntent === undefined || shown.paymentIntent === paymentIntent;
}

/** The refunds of each checkout, oldest first. */
export function refundsByCheckout(book: readonly RefundEntry[]): Record<string, RefundLine[]> {
  const refunds: Record<string, RefundLine[]> = {};
  for (const { checkoutId, refundId, at, paymentIntent, amount, currency } of book)
    (refunds[checkoutId] ??= []).push({ refundId, at, paymentIntent, amount, currency });
  return refunds;
}

/** The book that a ledger's list was made of, as far as it goes: nothing is known of what became of its refunds. */
export function bookOf(refunds: Readonly<Record<string, readonly RefundLine[]>>): RefundEntry[] {
  const entries = Object.entries(refunds).flatMap(([checkoutId, listed]) =>
    listed.flatMap(({ refundId, at, paymentIntent, amount, currency }) =>
      paymentIntent === undefined || amount === undefined || currency === undefined
        ? []
        : { refundId, checkoutId, paymentIntent, amount, currency, at, outcome: 'pending' as const },
    ),
  );
  return entries.sort((one, other) => one.at - other.at);
}

/** Takes out a refund that nobody has and nobody will make: it may be asked for anew. */
export function withoutRefund(book: readonly RefundEntry[], refundId: string): readonly RefundEntry[] {
  return book.filter((entry) => entry.refundId !== refundId);
}

/** What the state of a refund says of its money; undefined while that may still go either way. */
export function outcomeOf(status: RefundStatus): RefundOutcome | undefined {
  switch (status) {
    case 'submitted':
      return 'at_stripe';
    case 'refunded':
      return 'done';
    case 'denied':
    case 'approval_expired':
    case 'rejected':
    case 'failed':
      return 'void';
    case 'awaiting_approval':
    case 'submitting':
    case 'needs_attention':
      return undefined;
  }
}

/** What a verdict needs of the book, as in `RefundFacts`. */
export type RefundSums = Pick<RefundFacts, 'pendingOfPayment' | 'refundedOfPayment' | 'customerInDay'>;

/** The sums a verdict needs. Entries that came to nothing count nowhere. */
export function sumsOf(
  book: readonly RefundEntry[],
  { paymentIntent, currency, now }: { paymentIntent: string; currency: string; now: number },
): RefundSums {
  const ofPayment = book.filter((entry) => entry.paymentIntent === paymentIntent);
  const recent = book.filter(
    (entry) => entry.currency === currency && entry.outcome !== 'void' && entry.at > now - dayMs,
  );
  return {
    pendingOfPayment: sum(ofPayment.filter(({ outcome }) => outcome === 'pending')),
    refundedOfPayment: sum(ofPayment.filter(({ outcome }) => outcome === 'at_stripe' || outcome === 'done')),
    customerInDay: sum(recent),
  };
}
