import type Stripe from 'stripe';
import type { Twilio } from 'twilio';
import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../contracts/failures.js';
import { type EffectStep, idempotencyKey } from '../domain/idempotency-key.js';
import type { Tenant } from '../domain/tenant.js';
import type { CheckoutOrigin, Ownership } from '../providers/stripe/ownership.js';

/** What every activity works with. Built once by the worker's composition root. */
export interface ActivityDependencies {
  /** Name of this deployment: part of every idempotency key and of the mark on every object. */
  deployment: string;
  stripe: Stripe;
  twilio: Twilio;
  ownership: Ownership;
  /** The tenant, or undefined when the tenants file no longer has it. */
  tenant: (tenantId: string) => Tenant | undefined;
  /** Where Twilio reports what became of a message of this checkout. */
  statusCallbackUrl: (tenantId: string, checkoutId: string) => string;
}

/** Names the checkout an effect belongs to. */
export interface CheckoutRef {
  tenantId: string;
  checkoutId: string;
  /** Part of the mark on what money comes by. */
  origin?: CheckoutOrigin;
}

/** The tenant of a running checkout. A tenant that was removed is a configuration fault: it is waited for. */
export function tenantOf({ tenant }: ActivityDependencies, { tenantId }: CheckoutRef): Tenant {
  const found = tenant(tenantId);
  if (found) return found;
  throw ApplicationFailure.create({
    type: failureTypes.credentialsRefused,
    message: `tenant ${tenantId} is not in the tenants file`,
    nextRetryDelay: 30_000,
  });
}

/** Options of a Stripe call on the tenant's own account. */
export function onAccount(dependencies: ActivityDependencies, ref: CheckoutRef): Stripe.RequestOptions {
  const { stripeAccount } = tenantOf(dependencies, ref);
  return stripeAccount === undefined ? {} : { stripeAccount };
}

/** As `onAccount`, for a call that changes something: with the key that makes every repetition harmless. */
export function onceOnAccount(
  dependencies: ActivityDependencies,
  ref: CheckoutRef,
  step: EffectStep,
  attempt: number,
  object?: string,
): Stripe.RequestOptions {
  const { workflowId } = activityInfo().workflowExecution ?? {
    workflowId: `${ref.tenantId}/${ref.checkoutId}`,
  };
  return {
    ...onAccount(dependencies, ref),
    idempotencyKey: idempotencyKey({
      deployment: dependencies.deployment,
      workflowId,
      step,
      attempt,
      object,
    }),
  };
}

/** Throws when an object read back by id does not carry this checkout's mark. */
export function requireOwn(
  { ownership }: ActivityDependencies,
  ref: CheckoutRef,
  metadata: Readonly<Record<string, unknown>> | null | undefined,
): void {
  const owner = ownership.read(metadata);
  if (owner?.tenantId === ref.tenantId && owner.checkoutId === ref.checkoutId) return;
  throw ApplicationFailure.nonRetryable('the object does not belong to this checkout', failureTypes.notOurs);
}
