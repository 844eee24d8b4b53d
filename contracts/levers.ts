import { defineUpdate } from '@temporalio/workflow';
import { containsCardNumber } from '../domain/card-data.js';
import type { CheckoutState, Resolution } from '../domain/checkout-state.js';
import type { RefundState } from '../domain/refund-state.js';

/** What ops may ask of a run, beside cancel. Neither is believed: Stripe is read first. */

/**
 * Has Stripe read now instead of at the next poll. Answers with the state after that reading; with the present one where
 * the run does not wait for Stripe, and where Stripe takes longer than some seconds.
 */
export const retryNow = defineUpdate<CheckoutState>('retryNow');

/** As `retryNow`, of a refund. */
export const retryRefundNow = defineUpdate<RefundState>('retryNow');

/**
 * Ends the open rail, and with it the checkout, without a payment on the word of ops, if Stripe, shut and read once more,
 * still proves nothing; what it proves stands. Rejected with one of `resolveRefusals`, or with `invalid_request`.
 */
export const resolveCheckout = defineUpdate<CheckoutState, [Resolution]>('resolveCheckout');

/** Why the word of ops did not end a checkout. */
export const resolveRefusals = [
  /** Another state than `needs_attention`: there is nothing to be said that Stripe does not prove. */
  'no_attention_needed',
  /** Stripe shows money of this checkout that was not given back. */
  'money_captured',
  /** It can still be paid. */
  'still_open',
  /** Stripe did not answer: nothing is newer than what led here. */
  'stripe_unavailable',
] as const;

export type ResolveRefusal = (typeof resolveRefusals)[number];

/** True for what may be recorded as the word of ops: typed by hand into the Temporal UI it may be anything. */
export function isResolution(value: unknown): value is Resolution {
  const { by, note } = (value ?? {}) as { by?: unknown; note?: unknown };
  const text = (given: unknown, max: number) =>
    typeof given === 'string' && given.trim() !== '' && given.length <= max && !containsCardNumber(given);
  return text(by, 120) && (note === undefined || text(note, 500));
}
