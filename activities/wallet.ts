import Stripe from 'stripe';
import type { PaymentFact } from '../domain/payment-fact.js';
import {
  type AgentAuthorization,
  cancelAgentAuthorization,
  createAgentAuthorization,
  retrieveAgentAuthorization,
} from '../providers/stripe/agent-authorizations.js';
import { agentAuthorizationFact } from '../providers/stripe/payment-facts.js';
import {
  type ActivityDependencies,
  type CheckoutRef,
  onAccount,
  onceOnAccount,
  requireOwn,
  tenantOf,
} from './accounts.js';
import { withVendorFailures } from './failures.js';

export interface WalletRequest extends CheckoutRef {
  amount: number;
  currency: string;
  description: string;
  contact: { phone?: string; email?: string };
  attempt: number;
}

export type WalletAnswer =
  | { kind: 'asked'; authorization: string }
  /** The wallet cannot be asked: nothing is open, nothing was charged. */
  | { kind: 'unavailable'; reason: 'unreachable' | 'over_limit' };

export interface WalletRef extends CheckoutRef {
  authorization: string;
}

/**
 * The payment that an approval of ours names, which proves whose it is. Nothing says that Stripe copies our mark to it,
 * and webhooks and `readCharge` know a payment by its mark: so an unmarked one is given it, after its charge, whose own mark
 * is what a later `charge.refunded` shows. Writing it twice is harmless.
 */
export async function adoptPayment(
  dependencies: ActivityDependencies,
  paymentIntent: string,
  ref: CheckoutRef,
): Promise<Stripe.PaymentIntent> {
  const { stripe, ownership } = dependencies;
  const options = onAccount(dependencies, ref);
  const intent = await stripe.paymentIntents.retrieve(paymentIntent, {}, options);
  if ('vc_mac' in intent.metadata) {
    requireOwn(dependencies, ref, intent.metadata);
    return intent;
  }
  const metadata = ownership.mark(ref);
  const { latest_charge: latest } = intent;
  const charge = typeof latest === 'string' ? latest : latest?.id;
  try {
    if (charge !== undefined) await stripe.charges.update(charge, { metadata }, options);
    return await stripe.paymentIntents.update(paymentIntent, { metadata }, options);
  } catch (error) {
    // What was read is true all the same.
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
    return intent;
  }
}

/** The wallet by Link agent authorizations. Every function is safe to repeat. */
export function createWalletActivities(dependencies: ActivityDependencies) {
  const { stripe, ownership } = dependencies;

  async function factOf(authorization: AgentAuthorization, ref: WalletRef): Promise<PaymentFact> {
    requireOwn(dependencies, ref, authorization.metadata);
    const intent =
      authorization.status === 'approved' && authorization.payment_intent !== null
        ? await adoptPayment(dependencies, authorization.payment_intent, ref)
        : undefined;
    return agentAuthorizationFact(authorization, intent);
  }

  return {
    /** Asks the caller's Link wallet to approve the amount. Key: wallet.request. Without the API, or for an unknown caller: `unreachable`. */
    async requestWalletApproval(request: WalletRequest): Promise<WalletAnswer> {
      const { amount, currency, description, contact } = request;
      const tenant = tenantOf(dependencies, request);
      const customer =
        contact.email !== undefined ? { email: contact.email } : { phone: contact.phone ?? '' };
      return withVendorFailures(async () => {
        try {
          const { id } = await createAgentAuthorization(
            stripe,
            {
              amount,
              currency,
              agent_intent: `${tenant.name}: ${description}`,
              customer,
              metadata: ownership.mark(request),
            },
            onceOnAccount(dependencies, request, 'wallet.request', request.attempt),
          );
          return { kind: 'asked', authorization: id };
        } catch (error) {
          if (error instanceof Stripe.errors.StripeError) {
            if (error.statusCode === 404) return { kind: 'unavailable', reason: 'unreachable' };
            if (error.code === 'amount_too_large') return { kind: 'unavailable', reason: 'over_limit' };
          }
          throw error;
        }
      });
    },

    /** Reads the approval back, and the payment it brought, if any. */
    async readWalletApproval(ref: WalletRef): Promise<PaymentFact> {
      return withVendorFailures(async () =>
        factOf(
          await retrieveAgentAuthorization(stripe, ref.authorization, onAccount(dependencies, ref)),
          ref,
        ),
      );
    },

    /**
     * Withdraws the request and reads back what it had become by then. Key: wallet.cancel. `hearsay`: its name is not Stripe's
     * answer to us, so it is read first; what is not ours is left as it is.
     */
    async cancelWalletApproval(
      ref: WalletRef & { attempt: number; hearsay?: boolean },
    ): Promise<PaymentFact> {
      return withVendorFailures(async () => {
        if (ref.hearsay) {
          const options = onAccount(dependencies, ref);
          const { metadata } = await retrieveAgentAuthorization(stripe, ref.authorization, options);
          requireOwn(dependencies, ref, metadata);
        }
        try {
          const options = onceOnAccount(dependencies, ref, 'wallet.cancel', ref.attempt, ref.authorization);
          return await factOf(await cancelAgentAuthorization(stripe, ref.authorization, options), ref);
        } catch (error) {
          // 4xx: it can no longer be withdrawn. What it is now decides.
          if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
          return factOf(
            await retrieveAgentAuthorization(stripe, ref.authorization, onAccount(dependencies, ref)),
            ref,
          );
        }
      });
    },
  };
}
