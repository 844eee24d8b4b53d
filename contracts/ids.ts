/** Forms of ids as they come from outside. What has another form is nobody's, and is looked up nowhere. */

export const isTenantId = (text: string) => /^[a-z0-9][a-z0-9_-]{0,39}$/.test(text);

export const isCheckoutId = (text: string) => /^co_[0-9a-f]{30}_\d{1,4}$/.test(text);

export const isRefundId = (text: string) => /^rf_[0-9a-f]{30}$/.test(text);

/** Of a checkout's id: the purchase it is an attempt at, and which attempt, from 1. Undefined where it is not one of ours. */
export function attemptOf(checkoutId: string): { purchase: string; number: number } | undefined {
  const [, purchase, number] = /^(co_[0-9a-f]+)_(\d+)$/.exec(checkoutId) ?? [];
  return purchase === undefined ? undefined : { purchase, number: Number(number) };
}

/** The id of an attempt at a purchase. */
export const attemptId = (purchase: string, number: number) => `${purchase}_${number}`;
