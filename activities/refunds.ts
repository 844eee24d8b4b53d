import { activityInfo } from '@temporalio/activity';
import Stripe from 'stripe';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../contracts/failures.js';
import { type RefundRequest, refundWorkflowId } from '../contracts/refund.js';
import type { RefundStatus } from '../domain/refund-state.js';
import { areTwoPeople } from '../domain/four-eyes.js';
import { keyLifetime } from '../domain/idempotency-key.js';
import { needsApprovalAlone } from '../domain/refund-policy.js';
import type { DecisionTokens } from '../providers/approval/decision-token.js';
import type { RequestSeal } from '../providers/approval/request-seal.js';
import { type ActivityDependencies, type CheckoutRef, onAccount, onceOnAccount } from './accounts.js';
import { withVendorFailures } from './failures.js';
import { readRefundRun, type RefundRef } from './refund-runs.js';

export interface PaymentRef extends CheckoutRef {
  paymentIntent: string;
}

export interface RefundOrder {
  request: RefundRequest;
  /** The approval, where a person had to decide. */
  signedDecision?: string | undefined;
  attempt: number;
  /** When it was asked for, epoch ms: no key is older. Absent in orders of runs from before this was told. */
  requestedAt?: number;
  /** A run that was stopped may have sent it: nothing is sent before Stripe has shown that it is not there. */
  look?: boolean;
  /** Stripe's id of it, where one is known. */
  refund?: string;
}

export interface Refundable {
  captured: number;
  refunded: number;
  disputed: boolean;
}

export interface RefundDependencies {
  seal: RequestSeal;
  decisions: DecisionTokens;
}

/** What Stripe says of a refund. */
export type RefundReading =
  | { kind: 'pending'; refund: string }
  | { kind: 'refunded'; refund: string }
  | { kind: 'failed'; refund: string; failureReason: string };

export type RefundSubmission = RefundReading | { kind: 'rejected'; failureReason: string };

function readingOf({ id, status, failure_reason }: Stripe.Refund): RefundReading {
  if (status === 'succeeded') return { kind: 'refunded', refund: id };
  if (status === 'failed' || status === 'canceled') {
    return { kind: 'failed', refund: id, failureReason: failure_reason ?? status };
  }
  return { kind: 'pending', refund: id };
}

/** Asks Stripe for a refund. A refusal is a value. */
export async function createRefund(
  { stripe }: Pick<ActivityDependencies, 'stripe'>,
  params: Stripe.RefundCreateParams,
  options: Stripe.RequestOptions,
): Promise<RefundSubmission> {
  try {
    return readingOf(await stripe.refunds.create(params, options));
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError) || error.statusCode === 404) throw error;
    return { kind: 'rejected', failureReason: error.code ?? 'refused' };
  }
}

/** Giving money back. A refund has no inert form: only the key, and the list of the payment's refunds, keep it single. */
export function createRefundActivities(dependencies: ActivityDependencies & RefundDependencies) {
  const { stripe, ownership, seal, decisions } = dependencies;

  /** The amount of "all that is left" is the ledger's, so it is not under the seal. */
  const isSealed = ({ seal: given, ...request }: RefundRequest) =>
    seal.isGenuine({ ...request, amount: request.rest ? 0 : request.amount }, given);

  async function readRefundable(ref: PaymentRef): Promise<Refundable> {
    const options = onAccount(dependencies, ref);
    const intent = await stripe.paymentIntents.retrieve(
      ref.paymentIntent,
      { expand: ['latest_charge'] },
      options,
    );
    const charge = typeof intent.latest_charge === 'object' ? intent.latest_charge : null;
    return {
      captured: charge?.amount_captured ?? 0,
      refunded: charge?.amount_refunded ?? 0,
      disputed: charge?.disputed ?? false,
    };
  }

  /** Whether somebody else than the requester approved exactly this request. How long ago does not matter once the run has taken the decision. */
  async function isApproved(request: RefundRequest, signedDecision?: string) {
    const { tenantId, refundId, requestHash } = request;
    const decision = signedDecision && (await decisions.open(signedDecision, { anyAge: true }));
    if (!decision || decision.decision !== 'approved') return false;
    const requester = { credential: request.requestedBy, subject: request.requestedBySubject };
    const decider = { credential: decision.decidedBy, subject: decision.decidedBySubject };
    if (!areTwoPeople(requester, decider)) return false;
    return (
      decision.tenantId === tenantId && decision.refundId === refundId && decision.requestHash === requestHash
    );
  }

  /** Nothing typed into Temporal by hand may move money: the request must be the API's, the run its own, the approval real. */
  async function requireRight({ request, signedDecision }: RefundOrder): Promise<void> {
    const { tenantId, refundId } = request;
    const runIsItsOwn = activityInfo().workflowExecution?.workflowId === refundWorkflowId(tenantId, refundId);
    const needed = needsApprovalAlone(request, request.policy);
    if (isSealed(request) && runIsItsOwn && (!needed || (await isApproved(request, signedDecision)))) return;
    throw ApplicationFailure.nonRetryable('not sealed by the API, or not approved', failureTypes.notOurs);
  }

  /** Our refund among all of the payment's; undefined when it is not there. */
  async function findRefund(ref: PaymentRef & { refundId: string }): Promise<RefundReading | undefined> {
    const list = stripe.refunds.list(
      { payment_intent: ref.paymentIntent, limit: 100 },
      onAccount(dependencies, ref),
    );
    for await (const refund of list) {
      if (ownership.read(refund.metadata)?.refundId === ref.refundId) return readingOf(refund);
    }
    return undefined;
  }

  async function readRefund(ref: CheckoutRef & { refund: string }): Promise<RefundReading> {
    return readingOf(await stripe.refunds.retrieve(ref.refund, {}, onAccount(dependencies, ref)));
  }

  const findMade = ({ request, refund }: RefundOrder) =>
    refund === undefined ? findRefund(request) : readRefund({ ...request, refund });

  return {
    /** What of a payment was captured and given back, by whomever, and whether its holder disputes it. Minor units. */
    async readRefundable(ref: PaymentRef): Promise<Refundable> {
      return withVendorFailures(() => readRefundable(ref));
    },

    /** As `readRefundable`, for a new request; undefined when the API did not send it. */
    async examineRefundRequest(request: RefundRequest): Promise<Refundable | undefined> {
      return isSealed(request) ? withVendorFailures(() => readRefundable(request)) : undefined;
    },

    /** Sends the refund on the account of the charge, unless it is there. Key: refund.create. A refusal by Stripe is a value. */
    async submitRefund(order: RefundOrder): Promise<RefundSubmission> {
      const { tenantId, checkoutId, refundId, paymentIntent, amount, reason } = order.request;
      return withVendorFailures(async () => {
        // Here and not in the workflow: a reset by ops brings an old order again, days later, as it was.
        const forgotten = Date.now() > (order.requestedAt ?? Infinity) + keyLifetime;
        const made = order.look || forgotten ? await findMade(order) : undefined;
        if (made) return made;
        await requireRight(order);
        const metadata = ownership.mark({ tenantId, checkoutId, refundId });
        return createRefund(
          dependencies,
          { payment_intent: paymentIntent, amount, reason, metadata },
          onceOnAccount(dependencies, order.request, 'refund.create', order.attempt),
        );
      });
    },

    /** The state a refund's own run has published: what its ledger believes instead of a signal. */
    async readRefundRun(ref: RefundRef): Promise<RefundStatus | undefined> {
      const found = await readRefundRun(ref);
      return found.run === 'gone' ? undefined : found.state.status;
    },

    async readRefund(ref: CheckoutRef & { refund: string }): Promise<RefundReading> {
      return withVendorFailures(() => readRefund(ref));
    },

    /** Finds our refund among all of the payment's: what is asked before anything is sent whose outcome is unknown. */
    async findRefund(ref: PaymentRef & { refundId: string }): Promise<RefundReading | { kind: 'absent' }> {
      return withVendorFailures(async () => (await findRefund(ref)) ?? { kind: 'absent' });
    },
  };
}
