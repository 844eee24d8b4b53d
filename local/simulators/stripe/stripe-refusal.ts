import type Stripe from 'stripe';

export interface StripeErrorBody {
  type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error' | 'rate_limit_error';
  message: string;
  code?: string;
  param?: string;
  decline_code?: string;
  advice_code?: string;
  charge?: string;
  payment_intent?: Stripe.PaymentIntent;
}

/** An answer other than 200. `saved` says whether an idempotency key remembers it: only once execution has begun. */
export class StripeRefusal extends Error {
  constructor(
    readonly status: number,
    readonly body: StripeErrorBody,
    readonly saved: boolean,
  ) {
    super(body.message);
  }
}

export function invalidParam(param: string, message: string, code = 'parameter_invalid'): StripeRefusal {
  return new StripeRefusal(400, { type: 'invalid_request_error', code, param, message }, false);
}

export function missingObject(kind: string, id: string, param = 'id'): StripeRefusal {
  const message = `No such ${kind}: '${id}'`;
  return new StripeRefusal(
    404,
    { type: 'invalid_request_error', code: 'resource_missing', param, message },
    false,
  );
}

/** The request was understood, but the object is in no state for it. */
export function wrongState(code: string, message: string, intent?: Stripe.PaymentIntent): StripeRefusal {
  const body: StripeErrorBody = { type: 'invalid_request_error', code, message };
  return new StripeRefusal(400, intent === undefined ? body : { ...body, payment_intent: intent }, true);
}
