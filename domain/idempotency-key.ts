/** The steps of a checkout or refund that change something at a vendor. Part of idempotency keys: never rename one. */
export type EffectStep =
  | 'wallet.request'
  | 'wallet.cancel'
  | 'charge.create'
  | 'charge.confirm'
  | 'charge.cancel'
  | 'link.create'
  | 'link.expire'
  | 'refund.create'
  | 'late-refund.create';

/**
 * The Idempotency-Key of one effect: the same for every repetition of the same business attempt, so that Stripe acts
 * once however often an activity, a worker or a reset run sends it. Contains neither run id nor activity attempt
 * (both change on a repeat). At most 255 characters, Stripe's limit.
 */
export function idempotencyKey(parts: {
  deployment: string;
  workflowId: string;
  step: EffectStep;
  /** The vendor's id of what the step is about, where one run does it for several. */
  object?: string | undefined;
  /** Counts decided attempts (a new consent, a stored error given up on), starting at 1. Never activity attempts. */
  attempt: number;
}): string {
  const { deployment, workflowId, step, object, attempt } = parts;
  const key = [deployment, workflowId, step, ...(object === undefined ? [] : [object]), attempt].join(':');
  if (key.length > 255) throw new Error(`idempotency key longer than 255 characters: ${key.length}`);
  return key;
}

/** Stripe may forget an idempotency key after 24 h: no effect is sent again later than this, ms. */
export const keyLifetime = 20 * 3_600_000;
