import type Stripe from 'stripe';

/** Age from which a signed webhook is refused, s: Stripe's own default. */
const toleranceS = 300;

/** The part of a Stripe event that is used. The object is read back by id: nothing else in it is believed. */
export interface StripeEvent {
  id: string;
  type: string;
  livemode: boolean;
  /** The connected account it happened on. */
  account?: string;
  object: { id: string; metadata: Record<string, unknown>; paymentIntent?: string };
}

/**
 * True when one of the secrets signed exactly these bytes, at most 300 s ago. Stripe's own code checks the signature and
 * the age; that a timestamp does not lie in the future it leaves to us. Of several timestamps it takes the last: here all
 * must hold, read as Stripe's code reads them.
 */
export function isSignedByStripe(
  stripe: Stripe,
  rawBody: Buffer,
  signatureHeader: string,
  secrets: readonly string[],
): boolean {
  const latest = Date.now() / 1_000 + toleranceS;
  const timely = signatureHeader.split(',').every((item) => {
    const [name, value = ''] = item.split('=');
    return name !== 't' || parseInt(value, 10) <= latest;
  });
  if (!timely) return false;
  return secrets.some((secret) => {
    try {
      return stripe.webhooks.signature?.verifyHeader(rawBody, signatureHeader, secret, toleranceS) === true;
    } catch {
      return false;
    }
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The event in a verified body, or undefined when it is of a form we do not use (a thin event, an object without id). */
export function parseStripeEvent(rawBody: Buffer): StripeEvent | undefined {
  let event: unknown;
  try {
    event = JSON.parse(rawBody.toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isRecord(event) || !isRecord(event['data']) || !isRecord(event['data']['object'])) return undefined;
  const { id, type, livemode, account } = event;
  const { id: objectId, metadata, payment_intent: paymentIntent } = event['data']['object'];
  if (typeof id !== 'string' || typeof type !== 'string' || typeof objectId !== 'string') return undefined;
  return {
    id,
    type,
    livemode: livemode === true,
    ...(typeof account === 'string' && { account }),
    object: {
      id: objectId,
      metadata: isRecord(metadata) ? metadata : {},
      ...(typeof paymentIntent === 'string' && { paymentIntent }),
    },
  };
}
