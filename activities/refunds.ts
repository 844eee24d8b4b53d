import { activityInfo } from '@temporalio/activity';
import Stripe from 'stripe';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../contracts/failures.js';
import {
  type RefundGrant,
  refundLedgerWorkflowId,
  type RefundRequest,
  refundWorkflowId,
} from '../contracts/refund.js';
import type { RefundStatus } from '../domain/refund-state.js';
import { areTwoPeople } from '../domain/four-eyes.js';
import { keyLifetime } from '../domain/idempotency-key.js';
import type { RefundSums } from '../domain/refund-book.js';
import { judgeRefund, needsApprovalAlone, reasonToGive, refundable } from '../domain/refund-policy.js';
import type { DecisionTokens } from '../providers/approval/decision-token.js';
import { requestHash } from '../providers/approval/request-hash.js';
import type { RequestSeal } from '../providers/approval/request-seal.js';
import { type ActivityDependencies, type CheckoutRef, onAccount, onceOnAccount } from './accounts.js';
import { withVendorFailures } from './failures.js';
import { readRefundRun, type RefundRef } from './refund-runs.js';

export interface PaymentRef extends CheckoutRef {
  paymentIntent: string;
}

export interface RefundOrder {
  request: RefundRequest;
  /** As in `RefundInput`. */
  grant?: RefundGrant | undefined;
  /** The approval, where a person had to decide. */
  signedDecision?: string | undefined;
  attempt: number;
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

/** `intent`: with its charge. */
function refundableOf({ latest_charge: latest }: Stripe.PaymentIntent): Refundable {
  const charge = typeof latest === 'object' ? latest : null;
  return {
    captured: charge?.amount_captured ?? 0,
    refunded: charge?.amount_refunded ?? 0,
    disputed: charge?.disputed ?? false,
  };
}

/** A request, and what the book of its customer's ledger says at that time, epoch ms. */
export interface RefundToExamine {
  request: RefundRequest;
  sums: RefundSums;
  requestedAt: number;
}

export interface ExaminedRefund extends Refundable {
  /** Absent when it is refused, and for requests from before there were grants. */
  grant?: RefundGrant;
  /** Stripe has this very refund: a run that Temporal has lost made it. */
  made?: MadeRefund;
}

export interface MadeRefund {
  refund: string;
  /** Minor units. */
  amount: number;
  requestHash: string;
  /** Epoch ms. */
  madeAt: number;
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

  /** What the ledger sets is not under the API's seal but under that of the grant. */
  const isSealed = ({ seal: given, ...request }: RefundRequest) =>
    seal.isGenuine(
      {
        ...request,
        amount: request.rest ? 0 : request.amount,
        requestHash: request.v === 1 ? request.requestHash : '',
      },
      given,
    );

  const runsAs = (workflowId: string) => activityInfo().workflowExecution?.workflowId === workflowId;

  /** Judges a request as its ledger does. Sums that nobody's book could show count as none. */
  function grantOf(
    request: RefundRequest,
    { captured, refunded, disputed }: Refundable,
    { sums, requestedAt }: Pick<RefundToExamine, 'sums' | 'requestedAt'>,
  ): RefundGrant | undefined {
    const known = (sum: number) => (Number.isSafeInteger(sum) && sum > 0 ? sum : 0);
    const facts = {
      captured,
      refundedAtStripe: refunded,
      disputed,
      pendingOfPayment: known(sums.pendingOfPayment),
      refundedOfPayment: known(sums.refundedOfPayment),
      customerInDay: known(sums.customerInDay),
    };
    const amount = request.rest ? refundable(facts) : request.amount;
    const { kind: verdict } = judgeRefund({ ...request, amount }, facts, request.policy);
    if (verdict === 'refused') return undefined;
    const granted = { amount, requestHash: requestHash({ ...request, amount }), verdict, requestedAt };
    return { ...granted, seal: seal.seal({ ...granted, request: request.seal }) };
  }

  /** The ledger's verdict on exactly this request; undefined where nothing proves that it is one. */
  function grantedVerdict(request: RefundRequest, grant?: RefundGrant): RefundGrant['verdict'] | undefined {
    if (request.v === 1) return needsApprovalAlone(request, request.policy) ? 'needs_approval' : 'automatic';
    if (!grant) return undefined;
    const { seal: given, ...granted } = grant;
    if (!seal.isGenuine({ ...granted, request: request.seal }, given)) return undefined;
    const same = granted.amount === request.amount && granted.requestHash === request.requestHash;
    return same ? granted.verdict : undefined;
  }

  const readPayment = (ref: PaymentRef): Promise<Stripe.PaymentIntent> =>
    stripe.paymentIntents.retrieve(
      ref.paymentIntent,
      { expand: ['latest_charge'] },
      onAccount(dependencies, ref),
    );

  function isOfCheckout({ metadata }: Stripe.PaymentIntent, { tenantId, checkoutId }: PaymentRef): boolean {
    const owner = ownership.read(metadata);
    return owner?.tenantId === tenantId && owner.checkoutId === checkoutId;
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

  /**
   * Nothing typed into Temporal by hand may move money: the request must be the API's, the run its own, the verdict the
   * ledger's, the approval real.
   */
  async function requireRight({ request, grant, signedDecision }: RefundOrder): Promise<void> {
    const { tenantId, refundId } = request;
    if (isSealed(request) && runsAs(refundWorkflowId(tenantId, refundId))) {
      const verdict = grantedVerdict(request, grant);
      if (verdict === 'automatic') return;
      if (verdict === 'needs_approval' && (await isApproved(request, signedDecision))) return;
    }
    throw ApplicationFailure.nonRetryable('not sealed by the API, or not approved', failureTypes.notOurs);
  }

  /** Our refund among all of the payment's; undefined when it is not there. */
  async function findRefund(ref: PaymentRef & { refundId: string }): Promise<Stripe.Refund | undefined> {
    const list = stripe.refunds.list(
      { payment_intent: ref.paymentIntent, limit: 100 },
      onAccount(dependencies, ref),
    );
    for await (const refund of list) {
      if (ownership.read(refund.metadata)?.refundId === ref.refundId) return refund;
    }
    return undefined;
  }

  async function readRefund(ref: CheckoutRef & { refund: string }): Promise<RefundReading> {
    return readingOf(await stripe.refunds.retrieve(ref.refund, {}, onAccount(dependencies, ref)));
  }

  async function findMade({ request, refund }: RefundOrder): Promise<RefundReading | undefined> {
    if (refund !== undefined) return readRefund({ ...request, refund });
    const found = await findRefund(request);
    return found && readingOf(found);
  }

  /**
   * Whether the key alone keeps it single: Stripe did not have it when it was let through, so that no earlier sending under
   * the first key can be older than that. Here and not in the workflow: a reset by ops brings an old order again, days later,
   * as it was.
   */
  function isCoveredByKey({ request, grant, attempt, look, refund }: RefundOrder): boolean {
    if (request.v === 1 || look || refund !== undefined || attempt !== 1) return false;
    return (
      grantedVerdict(request, grant) !== undefined && Date.now() < (grant?.requestedAt ?? 0) + keyLifetime
    );
  }

  return {
    /** What of a payment was captured and given back, by whomever, and whether its holder disputes it. Minor units. */
    async readRefundable(ref: PaymentRef): Promise<Refundable> {
      return withVendorFailures(async () => refundableOf(await readPayment(ref)));
    },

    /**
     * As `readRefundable`, for a new request, with a grant unless it is refused or made already; undefined when the API did not
     * send it to its ledger, or when the payment is not the checkout's, whatever its run shows.
     */
    async examineRefundRequest(asked: RefundToExamine): Promise<ExaminedRefund | undefined> {
      const { request } = asked;
      const { tenantId, customerKey } = request;
      if (!isSealed(request) || !runsAs(refundLedgerWorkflowId(tenantId, customerKey))) return undefined;
      const [payment, found] = await withVendorFailures(() =>
        Promise.all([readPayment(request), findRefund(request)]),
      );
      if (!isOfCheckout(payment, request)) return undefined;
      const reading = refundableOf(payment);
      if (found) {
        const { id, amount, created } = found;
        const hash = requestHash({ ...request, amount });
        return { ...reading, made: { refund: id, amount, requestHash: hash, madeAt: created * 1_000 } };
      }
      const grant = request.v === 1 ? undefined : grantOf(request, reading, asked);
      return { ...reading, ...(grant && { grant }) };
    },

    /** Sends the refund on the account of the charge, unless it is there. Key: refund.create. A refusal by Stripe is a value. */
    async submitRefund(order: RefundOrder): Promise<RefundSubmission> {
      const { tenantId, checkoutId, refundId, paymentIntent, amount, reason } = order.request;
      const { requestHash: hash, requestedBy, callId } = order.request;
      return withVendorFailures(async () => {
        const made = isCoveredByKey(order) ? undefined : await findMade(order);
        if (made) return made;
        await requireRight(order);
        const asked = { requestHash: hash, requestedBy, callId };
        const metadata = ownership.mark({ tenantId, checkoutId, refundId, asked });
        const params = { amount, reason: reasonToGive(reason, order.signedDecision !== undefined), metadata };
        return createRefund(
          dependencies,
          { payment_intent: paymentIntent, ...params },
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
      return withVendorFailures(async () => {
        const found = await findRefund(ref);
        return found ? readingOf(found) : { kind: 'absent' };
      });
    },
  };
}
