import Stripe from 'stripe';
import type { PaymentFact } from '../domain/payment-fact.js';
import { paymentIntentFact, refusalOf } from '../providers/stripe/payment-facts.js';
import { paymentPageFact } from '../providers/stripe/payment-page.js';
import {
  type ActivityDependencies,
  type CheckoutRef,
  onAccount,
  onceOnAccount,
  requireOwn,
} from './accounts.js';
import { withVendorFailures } from './failures.js';

export interface ChargeRequest extends CheckoutRef {
  amount: number;
  currency: string;
  description: string;
  attempt: number;
}

export interface ChargeRef extends CheckoutRef {
  paymentIntent: string;
}

/** A payment with its charge; throws when it does not carry this checkout's mark. */
export async function readOwnPayment(
  dependencies: ActivityDependencies,
  ref: ChargeRef,
): Promise<Stripe.PaymentIntent> {
  const expand = { expand: ['latest_charge'] };
  const options = onAccount(dependencies, ref);
  const intent = await dependencies.stripe.paymentIntents.retrieve(ref.paymentIntent, expand, options);
  requireOwn(dependencies, ref, intent.metadata);
  return intent;
}

/** The newest charge of a payment that was read with it. */
export function chargeOf({ latest_charge: latest }: Stripe.PaymentIntent): Stripe.Charge | undefined {
  return typeof latest === 'object' && latest !== null ? latest : undefined;
}

/** Whether a purchase is not sold beside this payment: a bank debit under way may still pay it. */
export function mayPay({ status }: Stripe.PaymentIntent): boolean {
  return status === 'succeeded' || status === 'processing';
}

/** A refund at Stripe, with our id if it is one of ours. */
interface MarkedRefund {
  refund: Stripe.Refund;
  refundId: string | undefined;
}

/** The refunds of a payment, whatever became of them. */
export async function refundsOf(dependencies: ActivityDependencies, ref: ChargeRef): Promise<MarkedRefund[]> {
  const { stripe, ownership } = dependencies;
  const options = onAccount(dependencies, ref);
  const refunds: MarkedRefund[] = [];
  for await (const refund of stripe.refunds.list({ payment_intent: ref.paymentIntent, limit: 100 }, options))
    refunds.push({ refund, refundId: ownership.read(refund.metadata)?.refundId });
  return refunds;
}

/**
 * The parameter that spends a Shared Payment Token. The SDK's stable types do not have it: it is documented since
 * Stripe-Version 2026-04-22.preview, which such a request names itself.
 */
const sharedPaymentTokenVersion = '2026-08-26.preview';

/** Charging an approved token in two steps: an inert PaymentIntent, then its confirmation by id. */
export function createChargeActivities(dependencies: ActivityDependencies) {
  const { stripe, ownership } = dependencies;

  /** What the intent is now. One that an approval brought carries our mark too: see `readWalletApproval`. */
  async function read(ref: ChargeRef): Promise<PaymentFact> {
    const options = onAccount(dependencies, ref);
    const intent = await stripe.paymentIntents.retrieve(ref.paymentIntent, {}, options);
    requireOwn(dependencies, ref, intent.metadata);
    return paymentIntentFact(intent);
  }

  /**
   * A payment of a hosted page cannot be canceled by itself: it lives and dies with its page, which is shut instead. Undefined
   * when no page has it.
   */
  async function shutPageOf(ref: ChargeRef & { attempt: number }): Promise<PaymentFact | undefined> {
    const options = onAccount(dependencies, ref);
    const expand = ['data.payment_intent'];
    const pages = stripe.checkout.sessions;
    const read = () => pages.list({ payment_intent: ref.paymentIntent, limit: 1, expand }, options);
    const [page] = (await read()).data;
    if (!page) return undefined;
    requireOwn(dependencies, ref, page.metadata);
    if (page.status !== 'open') return paymentPageFact(stripe, page, options);
    try {
      await pages.expire(page.id, {}, onceOnAccount(dependencies, ref, 'link.expire', ref.attempt, page.id));
    } catch (error) {
      if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
    }
    const [now] = (await read()).data;
    return now && paymentPageFact(stripe, now, options);
  }

  return {
    /** Creates the PaymentIntent without confirming it: nothing is charged. Key: charge.create. */
    async createCharge(request: ChargeRequest): Promise<{ paymentIntent: string }> {
      return withVendorFailures(async () => {
        const { id } = await stripe.paymentIntents.create(
          {
            amount: request.amount,
            currency: request.currency,
            description: request.description,
            metadata: ownership.mark(request),
            automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
          },
          onceOnAccount(dependencies, request, 'charge.create', request.attempt),
        );
        return { paymentIntent: id };
      });
    },

    /** Charges the token. Key: charge.confirm. A decline is a value; confirming the same intent twice cannot charge twice. */
    async confirmCharge(request: ChargeRef & { token: string; attempt: number }): Promise<PaymentFact> {
      return withVendorFailures(async () => {
        try {
          const intent: unknown = await stripe.rawRequest(
            'POST',
            `/v1/payment_intents/${encodeURIComponent(request.paymentIntent)}/confirm`,
            { payment_method_data: { shared_payment_granted_token: request.token } },
            {
              ...onceOnAccount(
                dependencies,
                request,
                'charge.confirm',
                request.attempt,
                request.paymentIntent,
              ),
              apiVersion: sharedPaymentTokenVersion,
            },
          );
          return paymentIntentFact(intent as Stripe.PaymentIntent);
        } catch (error) {
          if (error instanceof Stripe.errors.StripeCardError) {
            return {
              kind: 'refused',
              ...refusalOf(error),
              live: true,
              paymentIntent: request.paymentIntent,
            };
          }
          if (error instanceof Stripe.errors.StripeInvalidRequestError) {
            // Already confirmed, canceled, or the token is spent: the intent itself says which.
            return read(request);
          }
          throw error;
        }
      });
    },

    async readCharge(ref: ChargeRef): Promise<PaymentFact> {
      return withVendorFailures(() => read(ref));
    },

    /**
     * Makes sure the intent can never be paid and reads back what it is. Key: charge.cancel. Acts before it looks whose the
     * intent is, which saves a request: the id is one that `createCharge` or an approval of ours gave this very checkout.
     */
    async cancelCharge(ref: ChargeRef & { attempt: number }): Promise<PaymentFact> {
      return withVendorFailures(async () => {
        try {
          const options = onceOnAccount(dependencies, ref, 'charge.cancel', ref.attempt, ref.paymentIntent);
          return paymentIntentFact(await stripe.paymentIntents.cancel(ref.paymentIntent, {}, options));
        } catch (error) {
          if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
          const fact = await read(ref);
          const mayBePaid = fact.kind === 'open' || (fact.kind === 'refused' && fact.live);
          return (mayBePaid ? await shutPageOf(ref) : undefined) ?? fact;
        }
      });
    },
  };
}
