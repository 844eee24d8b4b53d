import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { RefundEntry, RefundLine, RefundOutcome } from '../domain/refund-book.js';
import type { RefundPolicy, RefundReason, RefundVerdict } from '../domain/refund-policy.js';
import type { RefundState } from '../domain/refund-state.js';

/** One refund request. */
export const refundWorkflowType = 'refund';

/** All refunds of one customer, one after the other: what keeps their sums right. */
export const refundLedgerWorkflowType = 'refundLedger';

export function refundWorkflowId(tenantId: string, refundId: string): string {
  return `refund/${tenantId}/${refundId}`;
}

export function refundLedgerWorkflowId(tenantId: string, customerKey: string): string {
  return `refundLedger/${tenantId}/${customerKey}`;
}

/** How a held refund is brought before people. Times in ms from the request. */
export interface ApprovalPlan {
  deadlineMs: number;
  /** Every tier is reminded once after this time. */
  remindAfterMs: number;
  /** After this time without a decision the next tier is asked too. */
  escalateAfterMs: number;
  /** Who is asked, by tier from 1. Ids only: how they are reached stands in the tenants file. */
  approvers: readonly { id: string; tier: number }[];
}

/** A request for a refund, as the API checked it. Policy is in here as data. */
export interface RefundRequest {
  /** 2: it goes to Stripe only with the grant of its ledger. 1: from before there were grants. */
  v: 1 | 2;
  requestId: string;
  refundId: string;
  tenantId: string;
  checkoutId: string;
  customerKey: string;
  /** Stripe's id of the payment that is given back. */
  paymentIntent: string;
  /** All that is left, which only the ledger can tell: `amount` is 0 in the request and set by the ledger. */
  rest: boolean;
  /** Minor units, lowercase ISO code. */
  amount: number;
  currency: string;
  reason: RefundReason;
  callId: string;
  /** What was said on the call. */
  words?: string;
  description: string;
  locale: string;
  livemode: boolean;
  /**
   * Hex SHA-256 over payment, amount, currency, reason, requester and their subject: an approval is for exactly this. Empty
   * in the request, since only the ledger can tell the amount of all that is left, and set by the ledger.
   */
  requestHash: string;
  /** The credential that asked: `key:<id>`. */
  requestedBy: string;
  /** The person or system that credential stands for; absent in requests made before this was recorded. */
  requestedBySubject?: string;
  policy: RefundPolicy;
  approval: ApprovalPlan;
  /** The tenant's own system is told what becomes of it. */
  announce: boolean;
  /** The API's seal over all of the above as it was asked: without it the activities that move money refuse. */
  seal: string;
}

/**
 * What a request was let through as. Its seal covers amount, hash, verdict and time, which the API does not know: none of
 * them can be changed by hand in Temporal afterwards.
 */
export interface RefundGrant {
  /** Minor units. */
  amount: number;
  requestHash: string;
  verdict: 'automatic' | 'needs_approval';
  /** Epoch ms. */
  requestedAt: number;
  seal: string;
}

/** What a refund run is started with: the request and the ledger's verdict on it. */
export interface RefundInput {
  request: RefundRequest;
  verdict: Exclude<RefundVerdict, { kind: 'refused' }>;
  /** When it was asked for, epoch ms. */
  requestedAt: number;
  /** Absent in refunds of requests from before there were grants, and where nothing may be sent. */
  grant?: RefundGrant;
  /** Set when the run before was stopped: this one goes on where that one was. */
  recover?: RecoveredRefund;
}

/** What a stopped run leaves behind. */
export interface RecoveredRefund {
  /** As it was published last. */
  state: RefundState;
  /** The approval with which it was sent to Stripe, and its last business attempt; absent while it was not sent. */
  signedDecision?: string;
  attempt?: number;
}

/** The memo of a refund run. */
export interface RefundMemo {
  refund: Pick<
    RefundRequest,
    | 'refundId'
    | 'checkoutId'
    | 'paymentIntent'
    | 'amount'
    | 'currency'
    | 'reason'
    | 'description'
    | 'locale'
    | 'livemode'
    | 'requestHash'
    | 'requestedBy'
    | 'requestedBySubject'
    | 'words'
    | 'requestId'
  >;
  state: RefundState;
}

/** What a customer's ledger shows. */
export interface RefundLedgerMemo {
  /**
   * Per checkout what Stripe has given back of which payment, minor units, and how often that changed. A checkout whose run was
   * lost may be brought back by another payment than the one that was refunded.
   */
  refunded: Record<string, { amount: number; changes: number; paymentIntent?: string }>;
  /** Per checkout the refunds that were let through, oldest first. What became of them their own runs tell. */
  refunds?: Record<string, RefundLine[]>;
}

export interface RefundLedgerInput {
  tenantId: string;
  customerKey: string;
  entries: readonly RefundEntry[];
  /** Payments, by checkout, whose sum at Stripe is to be read again. */
  toRead: readonly (readonly [checkoutId: string, paymentIntent: string])[];
  refunded: RefundLedgerMemo['refunded'];
  /** Refunds of which it is not known yet what became of them, though somebody said so. */
  toAsk?: readonly string[];
}

export interface RefundAnswer {
  /** The request id of the refund's first request: equal to one's own only for who made it. */
  startedBy: string;
  refundId: string;
}

/** Asks for a refund. Rejected with type `exceeds_refundable`, `not_refundable`, or `not_sealed` when the API did not send it. */
export const requestRefund = defineUpdate<RefundAnswer, [RefundRequest]>('requestRefund');

/** Sent by a refund run to its ledger when its outcome is known, or has changed. */
export const refundSettled = defineSignal<[{ refundId: string; outcome: RefundOutcome }]>('refundSettled');

/** Sent by the relay to the ledger: Stripe's sum for this checkout may have changed, by whomever. */
export const paymentRefunded =
  defineSignal<[{ checkoutId: string; paymentIntent: string }]>('paymentRefunded');

/** A person's decision, signed by the API that authenticated them (compact JWS). Anything else changes nothing. */
export const refundDecided = defineSignal<[{ signedDecision: string }]>('refundDecided');

/**
 * As `refundDecided`, with an answer. Rejected with type `already_decided` (details: the decision), `request_changed`,
 * `self_approval`, `approval_expired` or `decision_invalid`.
 */
export const decideRefund = defineUpdate<RefundState, [{ signedDecision: string }]>('decideRefund');

export const refundStatus = defineQuery<RefundState>('status');

/** Plain English for ops, including decisions that were not valid. */
export const explainRefund = defineQuery<string>('explain');
