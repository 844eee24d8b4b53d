import { formatMoney } from '../domain/money.js';
import { type RefundState, requestedState } from '../domain/refund-state.js';
import { checkoutTaskQueue } from './checkout.js';
import { type RefundInput, type RefundMemo, refundWorkflowId } from './refund.js';
import { callIdAttribute, refundStateAttribute, tenantIdAttribute } from './search-attributes.js';

/** The state in which a run begins: versions and decisions go on where a stopped run was. */
export function firstRefundState({ recover, verdict, requestedAt, request }: RefundInput): RefundState {
  if (recover) return recover.state;
  return requestedState(
    requestedAt,
    verdict.kind === 'needs_approval'
      ? { requiredBecause: verdict.because, expiresAt: requestedAt + request.approval.deadlineMs }
      : undefined,
  );
}

/** How a refund is started, by its ledger and when its run was stopped. */
export function refundStart(input: RefundInput) {
  const { request } = input;
  const { tenantId, refundId, callId, amount, currency, description } = request;
  const { checkoutId, paymentIntent, reason, locale, livemode, requestHash, requestedBy, words, requestId } =
    request;
  const state = firstRefundState(input);
  const memo: RefundMemo = {
    refund: {
      refundId,
      checkoutId,
      paymentIntent,
      amount,
      currency,
      reason,
      description,
      locale,
      livemode,
      requestHash,
      requestedBy,
      requestId,
      ...(request.requestedBySubject !== undefined && { requestedBySubject: request.requestedBySubject }),
      ...(words !== undefined && { words }),
    },
    state,
  };
  return {
    workflowId: refundWorkflowId(tenantId, refundId),
    taskQueue: checkoutTaskQueue,
    args: [input] as [RefundInput],
    memo: { ...memo },
    typedSearchAttributes: [
      { key: tenantIdAttribute, value: tenantId },
      { key: callIdAttribute, value: callId },
      { key: refundStateAttribute, value: state.status },
    ],
    staticSummary: `Give back ${formatMoney({ amount, currency })} ${description}`.slice(0, 150),
    priority: { priorityKey: 2, fairnessKey: tenantId },
  };
}
