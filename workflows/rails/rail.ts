import type { CheckoutFact, Reason } from '../../domain/checkout-state.js';
import type { PaymentFact } from '../../domain/payment-fact.js';

/** An instrument that is open at the vendor. The same parts for every rail. */
export interface OpenRail {
  /** Reads the instrument back by id. */
  read: () => Promise<PaymentFact>;
  /** Shuts the instrument and reads back what it had become by then. */
  close: () => Promise<PaymentFact>;
  /** Charges an approval that brought a token; only rails with approvals have it. */
  charge?: (token: string, learn: (fact: CheckoutFact) => void) => Promise<PaymentFact>;
}

export type Opening =
  /** `first` is what is known at once: usually `open`, or why it must be shut again. */
  | { kind: 'open'; rail: OpenRail; first: PaymentFact }
  /** Nothing was opened. */
  | { kind: 'unavailable'; reason: Reason }
  /** Nothing was opened: the key is known at Stripe, so something else may be. */
  | { kind: 'taken' };
