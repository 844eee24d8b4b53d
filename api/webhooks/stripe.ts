import type { RequestHandler } from 'express';
import type Stripe from 'stripe';
import type { PaymentEventKind } from '../../contracts/payment-event.js';
import type { Tenant } from '../../domain/tenant.js';
import type { Ownership } from '../../providers/stripe/ownership.js';
import { isSignedByStripe, parseStripeEvent } from '../../providers/stripe/webhook-events.js';
import type { Logger } from '../../runtime/logger.js';
import { Problem } from '../problem.js';
import type { Effect, WebhookRelay } from './relay.js';

/** The events a checkout waits for, and what they are called inside. Everything else is acknowledged and ignored. */
const kinds: ReadonlyMap<string, PaymentEventKind> = new Map(
  Object.entries<PaymentEventKind>({
    'link.agent_authorization.approved': 'authorization.approved',
    'link.agent_authorization.declined': 'authorization.declined',
    'checkout.session.completed': 'session.completed',
    'checkout.session.expired': 'session.expired',
    'checkout.session.async_payment_succeeded': 'session.async_payment_succeeded',
    'checkout.session.async_payment_failed': 'session.async_payment_failed',
    'payment_intent.succeeded': 'payment.succeeded',
    'payment_intent.payment_failed': 'payment.failed',
    'payment_intent.processing': 'payment.processing',
    'payment_intent.canceled': 'payment.canceled',
    'refund.created': 'refund.updated',
    'refund.updated': 'refund.updated',
    'refund.failed': 'refund.failed',
  }),
);

/**
 * Events after which the sum given back of a payment is another one: its ledger reads it. A refund's own run would tell it too,
 * but not one that was started after its end.
 */
const sumsChanged: readonly string[] = ['charge.refunded', 'refund.failed'];

export interface StripeWebhookDependencies {
  stripe: Stripe;
  secrets: readonly string[];
  ownership: Ownership;
  relay: WebhookRelay;
  livemode: boolean;
  tenant: (id: string) => Tenant | undefined;
  log: Logger;
}

/**
 * Stripe's webhooks. Verified on the raw body; ours or not by metadata and MAC; on to the workflow without a look-up.
 * `connect` tells the endpoint of connected accounts from the platform's own.
 */
export function stripeWebhook(
  dependencies: StripeWebhookDependencies,
  endpoint: 'own' | 'connect',
): RequestHandler {
  const { stripe, secrets, ownership, relay, livemode, tenant, log } = dependencies;
  return async (request, response) => {
    const body: unknown = request.body;
    const signature = request.get('stripe-signature');
    if (
      !Buffer.isBuffer(body) ||
      signature === undefined ||
      !isSignedByStripe(stripe, body, signature, secrets)
    ) {
      throw new Problem('invalid_request', { detail: 'the Stripe-Signature is missing or wrong' });
    }
    const answer = (effect: Effect) => {
      (response.locals as { effect?: Effect }).effect = effect;
      response.json({ effect });
    };
    const event = parseStripeEvent(body);
    const kind = event && kinds.get(event.type);
    const refundedPayment = sumsChanged.includes(event?.type ?? '') ? event?.object.paymentIntent : undefined;
    if (!event || (!kind && refundedPayment === undefined) || event.livemode !== livemode)
      return answer('ignored');
    const owner = ownership.read(event.object.metadata);
    if (!owner) return answer('ignored');
    // The mark is right, so the account must be the tenant's: an event from anywhere else is a copy of our metadata.
    const account = tenant(owner.tenantId)?.stripeAccount;
    if (account !== event.account || (endpoint === 'connect') !== (account !== undefined)) {
      log.warn(
        { event: event.id, tenant: owner.tenantId, endpoint },
        'event from another account names our checkout',
      );
      return answer('ignored');
    }
    const delivered =
      kind && (await relay.deliver(owner, { v: 1, id: event.id, kind, objectId: event.object.id }));
    const told =
      refundedPayment !== undefined && (await relay.paymentRefunded(owner, event.id, refundedPayment));
    const effects = [delivered, told];
    answer((['signaled', 'duplicate'] as const).find((effect) => effects.includes(effect)) ?? 'ignored');
  };
}
