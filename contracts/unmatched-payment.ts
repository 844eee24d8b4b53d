import { defineQuery } from '@temporalio/workflow';
import { latePaymentStatus, type LatePaymentState, unsettledPayment } from '../domain/late-payment.js';
import { checkoutTaskQueue } from './checkout.js';
import type { PaymentEvent } from './payment-event.js';
import { latePaymentAttribute, tenantIdAttribute } from './search-attributes.js';

/** Payments of one checkout that no open run waits for: late, second, or of a run that is gone. */
export const unmatchedPaymentWorkflowType = 'unmatchedPayment';

/** One run per checkout, so that of two late payments only one can be honoured. */
export function unmatchedPaymentWorkflowId(tenantId: string, checkoutId: string): string {
  return `unmatchedPayment/${tenantId}/${checkoutId}`;
}

export interface UnmatchedPaymentInput {
  v: 1;
  tenantId: string;
  checkoutId: string;
  /** What the run before this one had published: it goes on from there. */
  before?: LatePaymentState;
}

/** The memo of a run. */
export interface UnmatchedPaymentMemo {
  state: LatePaymentState;
}

/**
 * How a run is started, by whoever meets such a payment first. The payment itself comes as the signal `paymentEventReceived`.
 * `before`: what the last run shows, if there was one; without it, what it had decided would be forgotten.
 */
export function unmatchedPaymentStart(tenantId: string, checkoutId: string, before?: LatePaymentState) {
  const state = before ?? { version: 0, payments: [] };
  return {
    workflowId: unmatchedPaymentWorkflowId(tenantId, checkoutId),
    taskQueue: checkoutTaskQueue,
    args: [{ v: 1, tenantId, checkoutId, ...(before && { before }) }] as [UnmatchedPaymentInput],
    workflowTaskTimeout: 2_000,
    memo: { state } satisfies UnmatchedPaymentMemo,
    typedSearchAttributes: [
      { key: tenantIdAttribute, value: tenantId },
      { key: latePaymentAttribute, value: latePaymentStatus(state) },
    ],
    staticSummary: `Money for ${checkoutId} that nobody waits for`,
    priority: { priorityKey: 2, fairnessKey: tenantId },
  };
}

/** What makes the run read Stripe again for the payment that is not settled; undefined when all are. */
export function lookAgain(state: LatePaymentState, id: string): PaymentEvent | undefined {
  const { paymentIntent } = unsettledPayment(state) ?? {};
  return paymentIntent === undefined
    ? undefined
    : { v: 1, id: `ops:${id}`, kind: 'payment.succeeded', objectId: paymentIntent };
}

const prefix = 'late_';

/** Marks the refund of a late payment at Stripe: tells it from refunds that somebody asked for. */
export function lateRefundId(paymentIntent: string): string {
  return prefix + paymentIntent;
}

export function isLateRefundId(refundId: string): boolean {
  return refundId.startsWith(prefix);
}

/** The payment that the late refund with this id gives back. */
export function paymentOfLateRefund(refundId: string): string {
  return refundId.slice(prefix.length);
}

export const unmatchedPaymentStatus = defineQuery<LatePaymentState>('status');

/** Plain English for ops. */
export const explainUnmatchedPayment = defineQuery<string>('explain');
