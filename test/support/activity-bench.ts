import { randomBytes } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger } from '@temporalio/worker';
import Stripe from 'stripe';
import { refundLedgerWorkflowId, refundWorkflowId } from '../../contracts/refund.js';
import { type Activities, createActivities } from '../../activities/activities.js';
import type { CheckoutRef } from '../../activities/accounts.js';
import type { Tenant } from '../../domain/tenant.js';
import { ApprovalLinks } from '../../providers/approval/approval-link.js';
import { RequestSeal } from '../../providers/approval/request-seal.js';
import { DecisionTokens } from '../../providers/approval/decision-token.js';
import { createStripeClient } from '../../providers/stripe/client.js';
import { Ownership } from '../../providers/stripe/ownership.js';
import { createWebhookSender } from '../../providers/tenant-webhooks/sender.js';
import { createTwilioClient } from '../../providers/twilio/client.js';
import { statusCallbackUrl } from '../../providers/twilio/status-callback.js';
import { testTenants } from './test-tenants.js';
import { twilioAccount } from './stand-ins.js';

export const deployment = 'test';
export const testDecisions = new DecisionTokens(Buffer.alloc(32, 8));
export const testApprovalLinks = new ApprovalLinks(Buffer.alloc(32, 9));
export const testOwnership = new Ownership(deployment, Buffer.alloc(32, 7));

/** Seals what the bench's activities take for requests of the API. */
export const testSeal = new RequestSeal(Buffer.alloc(32, 10));

/** Failures are looked at by the tests, not in the output. */
const quiet = new DefaultLogger('ERROR', () => undefined);

/** The activities of a checkout: all but those that only check something. */
export type CheckoutActivity = {
  [Name in keyof Activities]: Parameters<Activities[Name]>[0] extends
    Pick<CheckoutRef, 'tenantId'> | { request: CheckoutRef }
    ? Name
    : never;
}[keyof Activities];

function withoutExpand() {
  const client = Stripe.createNodeHttpClient();
  const makeRequest: typeof client.makeRequest = (host, port, path, ...rest) =>
    client.makeRequest(host, port, path.replace(/(?<=[?&])expand[^&]*&?/g, ''), ...rest);
  return { getClientName: () => client.getClientName(), makeRequest };
}

/** Activities with the real SDKs against the given base URLs. */
export function activityBench(options: {
  stripeBase: string;
  twilioBase?: string;
  tenants?: ReadonlyMap<string, Tenant>;
  /** A Stripe that gives ids where objects were asked for. */
  ignoresExpand?: boolean;
}) {
  const stripe: Stripe = createStripeClient({
    secretKey: 'sk_test_bench',
    apiBase: options.stripeBase,
    ...(options.ignoresExpand && { httpClient: withoutExpand() }),
  });
  const twilio = createTwilioClient({ ...twilioAccount, apiBase: options.twilioBase ?? options.stripeBase });
  const tenants = options.tenants ?? testTenants;
  const activities = createActivities({
    seal: testSeal,
    tenantWebhook: () => undefined,
    sendWebhook: createWebhookSender({ livemode: false }),
    deployment,
    stripe,
    twilio,
    ownership: testOwnership,
    decisions: testDecisions,
    approvalLinks: testApprovalLinks,
    approvalUrl: (token) => `https://api.example.com/approvals/${token}`,
    tenant: (id) => tenants.get(id),
    statusCallbackUrl: (tenantId, checkoutId) =>
      statusCallbackUrl('https://api.example.com', testOwnership.mark({ tenantId, checkoutId })),
  });

  /** Runs one activity as the given try of its task, with what the try before remembered. */
  function run<Name extends CheckoutActivity>(
    name: Name,
    input: Parameters<Activities[Name]>[0],
    attempt = 1,
    heartbeatDetails?: unknown,
  ): ReturnType<Activities[Name]> {
    const workflowId =
      'request' in input
        ? name === 'examineRefundRequest'
          ? refundLedgerWorkflowId(input.request.tenantId, input.request.customerKey)
          : refundWorkflowId(input.request.tenantId, input.request.refundId)
        : `checkout/${input.tenantId}/${'checkoutId' in input ? input.checkoutId : ''}`;
    const environment = new MockActivityEnvironment(
      {
        attempt,
        heartbeatDetails,
        // Another run id each time, as after a reset: nothing may depend on it.
        workflowExecution: { workflowId, runId: randomBytes(8).toString('hex') },
      },
      { logger: quiet },
    );
    const activity = activities[name] as (given: unknown) => Promise<unknown>;
    return environment.run<[unknown], unknown, typeof activity>(activity, input) as ReturnType<
      Activities[Name]
    >;
  }
  return { stripe, run, names: Object.keys(activities) };
}

export type ActivityBench = ReturnType<typeof activityBench>;

/** A checkout of its own for each test. */
export const newCheckout = (tenantId = 'acme') => ({
  tenantId,
  checkoutId: `co_${randomBytes(15).toString('hex')}_1`,
});

/** The failure an activity ends with; anything else fails the test. */
export async function failureOf(result: Promise<unknown>): Promise<ApplicationFailure> {
  try {
    await result;
  } catch (error) {
    if (error instanceof ApplicationFailure) return error;
    throw error;
  }
  throw new Error('the activity did not fail');
}
