import type Stripe from 'stripe';
import type { PaymentFact } from '../../domain/payment-fact.js';
import { checkoutSessionFact } from './payment-facts.js';

/** What a Checkout Session proves. Its payment is read by id where it was asked to be expanded and is not. */
export async function paymentPageFact(
  stripe: Stripe,
  session: Stripe.Checkout.Session,
  options: Stripe.RequestOptions,
): Promise<PaymentFact> {
  const { payment_intent: id } = session;
  if (typeof id !== 'string') return checkoutSessionFact(session);
  const payment_intent = await stripe.paymentIntents.retrieve(id, {}, options);
  return checkoutSessionFact({ ...session, payment_intent });
}
