import { checkoutTaskQueue } from './checkout.js';
import { type RefundLedgerInput, type RefundLedgerMemo, refundLedgerWorkflowId } from './refund.js';
import { tenantIdAttribute } from './search-attributes.js';

/** How a customer's ledger is started, by whoever needs it first. */
export function refundLedgerStart(tenantId: string, customerKey: string) {
  const input: RefundLedgerInput = { tenantId, customerKey, entries: [], refunded: {}, toRead: [] };
  return {
    workflowId: refundLedgerWorkflowId(tenantId, customerKey),
    taskQueue: checkoutTaskQueue,
    args: [input] as [RefundLedgerInput],
    workflowTaskTimeout: 2_000,
    memo: { refunded: {} } satisfies RefundLedgerMemo,
    typedSearchAttributes: [{ key: tenantIdAttribute, value: tenantId }],
    staticSummary: 'The refunds of one customer',
    priority: { priorityKey: 2, fairnessKey: tenantId },
  };
}
