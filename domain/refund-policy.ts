/** A tenant's refund policy as numbers. Travels with each request as a snapshot: a later change decides nothing earlier. */
export interface RefundPolicy {
  /** Up to this sum per currency, minor units, no person is asked. A currency that is not named always needs one. */
  threshold: Readonly<Record<string, number>>;
}

export type RefundReason = 'requested_by_customer' | 'duplicate' | 'fraudulent';

/** What is known when a refund is asked for. Recorded, so that the decision can be explained later. Minor units. */
export interface RefundFacts {
  captured: number;
  /** What Stripe has given back of this payment, by whomever. */
  refundedAtStripe: number;
  /** Refunds of this payment we know of that Stripe does not count yet: awaiting approval or on their way. */
  pendingOfPayment: number;
  /** Refunds of this payment we saw succeed: may be ahead of an older reading of Stripe. */
  refundedOfPayment: number;
  /** Refunds of this customer in this currency in the last 24 h, pending ones included. */
  customerInDay: number;
  disputed: boolean;
}

/** Which rule asked for a person. `fraud_claim` is a rule of the past: refunds that were held by it still say so. */
export type ApprovalRule = 'payment_total' | 'customer_total' | 'no_threshold' | 'fraud_claim';

export type RefundVerdict =
  | { kind: 'refused'; code: 'exceeds_refundable' | 'not_refundable' }
  | { kind: 'automatic' }
  | { kind: 'needs_approval'; because: ApprovalRule };

/** Own entries only: a record also answers to inherited names. */
const thresholdOf = ({ threshold }: RefundPolicy, currency: string): number | undefined =>
  Object.hasOwn(threshold, currency) ? threshold[currency] : undefined;

/** What may still be given back of the payment, minor units. Never negative. */
export function refundable(facts: RefundFacts): number {
  const given = Math.max(facts.refundedAtStripe, facts.refundedOfPayment) + facts.pendingOfPayment;
  return Math.max(0, facts.captured - given);
}

/**
 * Whether a request needs a person by itself, whatever was refunded before: a floor under `judgeRefund` that is checked
 * again where the money leaves.
 */
export function needsApprovalAlone(
  { amount, currency }: { amount: number; currency: string },
  policy: RefundPolicy,
): boolean {
  const threshold = thresholdOf(policy, currency);
  return threshold === undefined || amount > threshold;
}

/** Decides a refund request. Pure: the same facts and numbers always give the same verdict. */
export function judgeRefund(
  request: { amount: number; currency: string },
  facts: RefundFacts,
  policy: RefundPolicy,
): RefundVerdict {
  if (facts.disputed) return { kind: 'refused', code: 'not_refundable' };
  const left = refundable(facts);
  if (left === 0) return { kind: 'refused', code: 'not_refundable' };
  if (request.amount > left) return { kind: 'refused', code: 'exceeds_refundable' };
  const threshold = thresholdOf(policy, request.currency);
  if (threshold === undefined) return { kind: 'needs_approval', because: 'no_threshold' };
  const ofPayment = facts.captured - left + request.amount;
  if (ofPayment > threshold) return { kind: 'needs_approval', because: 'payment_total' };
  if (facts.customerInDay + request.amount > threshold)
    return { kind: 'needs_approval', because: 'customer_total' };
  return { kind: 'automatic' };
}

/**
 * The reason that Stripe is given. It puts the card and e-mail of a fraudulent charge on its block list
 * (docs.stripe.com/api/refunds), so only a person may say so.
 */
export function reasonToGive(reason: RefundReason, approved: boolean): RefundReason {
  return reason === 'fraudulent' && !approved ? 'requested_by_customer' : reason;
}
