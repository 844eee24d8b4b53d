import type Stripe from 'stripe';
import { type DeclineReason, declineReason } from '../../domain/decline.js';
import type { PaymentFact } from '../../domain/payment-fact.js';
import type { AgentAuthorization } from './agent-authorizations.js';

/** Why a payment was refused, and Stripe's code for ops. An empty `decline_code` stands where there is none. */
export function refusalOf(error: { code?: string | undefined; decline_code?: string | undefined }): {
  reason: DeclineReason;
  code?: string;
} {
  const code = error.decline_code || error.code;
  return {
    reason: declineReason({ code: error.code, declineCode: error.decline_code }),
    ...(code && { code }),
  };
}

/** What a PaymentIntent proves. The one place where Stripe's statuses get their meaning, for relay and read-back alike. */
export function paymentIntentFact(intent: Stripe.PaymentIntent): PaymentFact {
  switch (intent.status) {
    case 'succeeded':
      return {
        kind: 'paid',
        paymentIntent: intent.id,
        amount: intent.amount_received,
        currency: intent.currency,
      };
    case 'processing':
      return { kind: 'processing', paymentIntent: intent.id };
    case 'canceled':
      return { kind: 'dead' };
    case 'requires_action':
      // Nobody on a phone call can answer a bank's challenge: the hosted page is the way to do that.
      return { kind: 'refused', reason: 'needs_authentication', live: true, paymentIntent: intent.id };
    case 'requires_payment_method': {
      const error = intent.last_payment_error;
      if (!error) return { kind: 'open' };
      return { kind: 'refused', ...refusalOf(error), live: true, paymentIntent: intent.id };
    }
    default:
      // requires_confirmation, requires_capture, and whatever Stripe adds: not paid, not dead.
      return { kind: 'open' };
  }
}

/**
 * What a Checkout Session proves. Without `payment_intent` expanded, a page that is used up proves nothing; see
 * `paymentPageFact`. A declined card on the page leaves it open.
 */
export function checkoutSessionFact(session: Stripe.Checkout.Session): PaymentFact {
  const intent = typeof session.payment_intent === 'object' ? session.payment_intent : null;
  if (session.status === 'expired') {
    if (typeof session.payment_intent === 'string') return { kind: 'unprovable', cause: 'outcome_unknown' };
    // A payment that was submitted in the last moment outlives the page.
    return intent && (intent.status === 'succeeded' || intent.status === 'processing')
      ? paymentIntentFact(intent)
      : { kind: 'dead' };
  }
  if (session.status === 'complete') {
    if (!intent) return { kind: 'unprovable', cause: 'outcome_unknown' };
    // A voucher or bank transfer: the page is done, the caller pays elsewhere, and Stripe tells days later.
    if (intent.status === 'requires_action' || intent.status === 'requires_confirmation') {
      return { kind: 'processing', paymentIntent: intent.id };
    }
    const fact = paymentIntentFact(intent);
    // A failed bank debit: the page is used up, the payment is not, and only Stripe can shut it.
    if (fact.kind === 'refused') return { ...fact, live: false };
    return fact;
  }
  const error = intent?.last_payment_error;
  if (!intent || !error) return { kind: 'open' };
  const charge = typeof intent.latest_charge === 'string' ? intent.latest_charge : intent.latest_charge?.id;
  return { kind: 'open', decline: { id: error.charge ?? charge ?? intent.id, ...refusalOf(error) } };
}

/** What an agent authorization proves by itself. An approval alone is never a payment: `intent` is read for that. */
export function agentAuthorizationFact(
  authorization: AgentAuthorization,
  intent: Stripe.PaymentIntent | undefined,
): PaymentFact {
  switch (authorization.status) {
    case 'approved':
      if (intent) return paymentIntentFact(intent);
      return authorization.shared_payment_granted_token === null
        ? { kind: 'approved' }
        : { kind: 'approved', token: authorization.shared_payment_granted_token };
    case 'declined':
    case 'denied':
      return { kind: 'refused', reason: 'declined', live: false };
    case 'canceled':
    case 'expired':
    case 'failed':
      return { kind: 'dead' };
    default:
      return { kind: 'open' };
  }
}
