import type { ApprovalRule } from './refund-policy.js';

/** The states of a refund, as the HTTP contract names them. */
export type RefundStatus =
  | 'awaiting_approval'
  | 'submitting'
  | 'submitted'
  | 'refunded'
  | 'rejected'
  | 'failed'
  | 'denied'
  | 'approval_expired'
  | 'needs_attention';

/** A person's decision as it was found valid. */
export interface Decision {
  decision: 'approved' | 'denied';
  /** `key:<id>` or `person:<id>`: from the credential, never from the request. */
  decidedBy: string;
  /** Epoch ms. */
  decidedAt: number;
  note?: string;
}

/** What the rest of the world may know of a refund: the only projection, published in the workflow's memo. */
export interface RefundState {
  /** Grows by one with every visible change. */
  version: number;
  status: RefundStatus;
  event: { type: RefundFact['type'] | 'requested'; at: number };
  approval?: { requiredBecause: ApprovalRule; expiresAt: number; tier: number } & Partial<Decision>;
  /** Stripe's id of the refund. */
  refund?: string;
  failureReason?: string;
}

/** What the workflow has learned. */
export type RefundFact =
  | ({ type: 'approved' | 'denied' } & Decision)
  | { type: 'approval_expired' }
  | { type: 'escalated'; tier: number }
  | { type: 'submitted'; refund: string }
  | { type: 'refunded' }
  | { type: 'rejected'; failureReason: string }
  | { type: 'failed'; failureReason: string }
  | { type: 'attention_needed'; failureReason: string };

/**
 * Where each state may lead: the table of the HTTP contract, and one edge more, from waiting to `submitted`: a run that was
 * reset to before its decision finds at Stripe what came of it. `refunded` is final for the caller, but a bank may return it.
 */
export const refundTransitions: Readonly<Record<RefundStatus, readonly RefundStatus[]>> = {
  awaiting_approval: ['submitting', 'submitted', 'denied', 'approval_expired'],
  submitting: ['submitted', 'rejected', 'needs_attention'],
  submitted: ['refunded', 'failed'],
  needs_attention: ['submitted', 'refunded', 'failed', 'rejected'],
  refunded: ['failed'],
  rejected: [],
  failed: [],
  denied: [],
  approval_expired: [],
};

const terminal: readonly RefundStatus[] = ['refunded', 'rejected', 'failed', 'denied', 'approval_expired'];

/** True when nothing more is expected to happen. */
export function isRefundOver(status: RefundStatus): boolean {
  return terminal.includes(status);
}

/** States of a refund in which its money is the payment's again. */
export const cameToNothing: readonly RefundStatus[] = ['denied', 'approval_expired', 'rejected', 'failed'];

/**
 * The newest of a payment's refunds that the bank returned, with no later request in its place: that money is owed again.
 * `at`: when it was asked for.
 */
export function owedRefund<Refund extends { at: number; state: RefundState }>(
  refunds: readonly Refund[],
): Refund | undefined {
  return refunds.findLast(
    ({ state: { status, event } }) =>
      status === 'failed' &&
      !refunds.some((later) => later.at > event.at && !cameToNothing.includes(later.state.status)),
  );
}

/** The state a request begins in. */
export function requestedState(
  at: number,
  approval?: { requiredBecause: ApprovalRule; expiresAt: number },
): RefundState {
  return {
    version: 1,
    status: approval ? 'awaiting_approval' : 'submitting',
    event: { type: 'requested', at },
    ...(approval && { approval: { ...approval, tier: 1 } }),
  };
}

/** The state in which a run begins that finds its refund at Stripe, made by a run that Temporal has lost. `at`: epoch ms. */
export function madeState(refund: string, at: number): RefundState {
  return { version: 1, status: 'submitted', event: { type: 'submitted', at }, refund };
}

function statusAfter(state: RefundState, fact: RefundFact): RefundStatus {
  switch (fact.type) {
    case 'approved':
      return 'submitting';
    case 'escalated':
      return state.status;
    case 'attention_needed':
      return 'needs_attention';
    case 'denied':
    case 'approval_expired':
    case 'submitted':
    case 'refunded':
    case 'rejected':
    case 'failed':
      return fact.type;
  }
}

/** The state after a fact, or the very same object when the fact came too late, came twice or is not in the table. */
export function applyRefundFact(state: RefundState, fact: RefundFact, at: number): RefundState {
  const status = statusAfter(state, fact);
  const moves = status !== state.status;
  if (moves ? !refundTransitions[state.status].includes(status) : fact.type !== 'escalated') return state;
  const next: RefundState = { ...state, version: state.version + 1, status, event: { type: fact.type, at } };
  switch (fact.type) {
    case 'approved':
    case 'denied': {
      const { decision, decidedBy, decidedAt, note } = fact;
      if (!state.approval) return state;
      next.approval = {
        ...state.approval,
        decision,
        decidedBy,
        decidedAt,
        ...(note !== undefined && { note }),
      };
      break;
    }
    case 'escalated':
      if (!state.approval || state.status !== 'awaiting_approval') return state;
      next.approval = { ...state.approval, tier: fact.tier };
      break;
    case 'submitted':
      next.refund = fact.refund;
      delete next.failureReason;
      break;
    case 'rejected':
    case 'failed':
    case 'attention_needed':
      next.failureReason = fact.failureReason;
      break;
    case 'refunded':
    case 'approval_expired':
      break;
  }
  return next;
}
