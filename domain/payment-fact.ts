import type { AttentionCause, Reason } from './checkout-state.js';

/** What Stripe or Twilio said of an instrument when it was read back by id. The only ground for a decision. */
export type PaymentFact =
  /** It can still be paid. `decline` names the newest refused try on the hosted page, if there was one. */
  | { kind: 'open'; decline?: { id: string; reason: Reason; code?: string } }
  /** The caller approved; a token is to be charged, or nothing came with the approval. */
  | { kind: 'approved'; token?: string }
  | { kind: 'processing'; paymentIntent: string }
  /** `amount` is what was received, minor units. */
  | { kind: 'paid'; paymentIntent: string; amount: number; currency: string }
  /** Refused for good. `live` tells that something at the vendor must still be shut. */
  | { kind: 'refused'; reason: Reason; live: boolean; paymentIntent?: string; code?: string }
  /** Closed without a payment. */
  | { kind: 'dead' }
  /** The object cannot prove anything. `paymentIntent` names money that is there all the same. */
  | { kind: 'unprovable'; cause: AttentionCause; paymentIntent?: string };
