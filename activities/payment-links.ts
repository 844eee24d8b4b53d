import Stripe from 'stripe';
import type { PaymentFact } from '../domain/payment-fact.js';
import { paymentPageFact } from '../providers/stripe/payment-page.js';
import {
  type ActivityDependencies,
  type CheckoutRef,
  onAccount,
  onceOnAccount,
  requireOwn,
  tenantOf,
} from './accounts.js';
import { withVendorFailures } from './failures.js';

export interface PaymentPageRequest extends CheckoutRef {
  amount: number;
  currency: string;
  description: string;
  /** Unix seconds, 30 min to 24 h ahead; computed by the workflow so that every repetition sends the same bytes. */
  expiresAt: number;
  attempt: number;
}

export interface PaymentPageRef extends CheckoutRef {
  session: string;
}

/** The hosted payment page: one Checkout Session per link, with a fixed amount. */
export function createPaymentLinkActivities(dependencies: ActivityDependencies) {
  const { stripe, ownership } = dependencies;

  async function read(ref: PaymentPageRef): Promise<PaymentFact> {
    const options = onAccount(dependencies, ref);
    const expand = { expand: ['payment_intent'] };
    const session = await stripe.checkout.sessions.retrieve(ref.session, expand, options);
    requireOwn(dependencies, ref, session.metadata);
    return paymentPageFact(stripe, session, options);
  }

  return {
    /** Opens the page. Key: link.create. The page may not change the amount: no promotion codes, tax or currency conversion. */
    async openPaymentPage(request: PaymentPageRequest): Promise<{ session: string; url: string }> {
      const tenant = tenantOf(dependencies, request);
      const metadata = ownership.mark(request);
      return withVendorFailures(async () => {
        const session = await stripe.checkout.sessions.create(
          {
            mode: 'payment',
            line_items: [
              {
                quantity: 1,
                price_data: {
                  currency: request.currency,
                  unit_amount: request.amount,
                  product_data: { name: request.description },
                },
              },
            ],
            client_reference_id: request.checkoutId,
            metadata,
            payment_intent_data: { metadata, description: request.description },
            adaptive_pricing: { enabled: false },
            allow_promotion_codes: false,
            automatic_tax: { enabled: false },
            expires_at: request.expiresAt,
            success_url: tenant.redirectUrl,
          },
          onceOnAccount(dependencies, request, 'link.create', request.attempt),
        );
        if (!session.url) throw new TypeError('Checkout Session without a url');
        return { session: session.id, url: session.url };
      });
    },

    async readPaymentPage(ref: PaymentPageRef): Promise<PaymentFact> {
      return withVendorFailures(() => read(ref));
    },

    /**
     * Expires the page and reads back whether it was paid first. Key: link.expire. Acts before it looks whose the page is,
     * which saves a request: the id is one that `openPaymentPage` gave this very checkout.
     */
    async closePaymentPage(ref: PaymentPageRef & { attempt: number }): Promise<PaymentFact> {
      return withVendorFailures(async () => {
        try {
          const options = onceOnAccount(dependencies, ref, 'link.expire', ref.attempt, ref.session);
          await stripe.checkout.sessions.expire(ref.session, {}, options);
        } catch (error) {
          // Only an open page can be expired: a refusal means that it was paid or has expired by itself.
          if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
        }
        return read(ref);
      });
    },
  };
}
