import { attemptNumber, attemptPlace } from '../domain/attempts.js';

/** Forms of ids as they come from outside. What has another form is nobody's, and is looked up nowhere. */

export const isTenantId = (text: string) => /^[a-z0-9][a-z0-9_-]{0,39}$/.test(text);

export const isCheckoutId = (text: string) => /^co_[0-9a-f]{30}_\d{1,4}$/.test(text);

export const isRefundId = (text: string) => /^rf_[0-9a-f]{30}$/.test(text);

/** The part of a checkout's id that names the purchase: `co_` and so many characters of a hash. The period comes after it. */
export const purchaseHashLength = 26;

/**
 * Of a checkout's id: the purchase it is an attempt at, and its number among all attempts (see domain/attempts). Undefined where
 * it is not one of ours.
 */
export function attemptOf(checkoutId: string): { purchase: string; number: number } | undefined {
  const [, purchase, period = '', within = ''] =
    /^(co_[0-9a-f]{26})([0-9a-f]{4})_(\d{1,4})$/.exec(checkoutId) ?? [];
  if (purchase === undefined) return undefined;
  return { purchase, number: attemptNumber({ period: parseInt(period, 16), within: Number(within) }) };
}

/** The id of an attempt at a purchase: `co_<purchase><period>_<number within the period>`. */
export function attemptId(purchase: string, number: number): string {
  const { period, within } = attemptPlace(number);
  return `${purchase}${period.toString(16).padStart(4, '0')}_${within}`;
}
