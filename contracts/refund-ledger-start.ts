import { bookOf, refundsByCheckout } from '../domain/refund-book.js';
import { checkoutTaskQueue } from './checkout.js';
import { type RefundLedgerInput, type RefundLedgerMemo, refundLedgerWorkflowId } from './refund.js';
import { tenantIdAttribute } from './search-attributes.js';

/**
 * How a customer's ledger is started, by whoever needs it first. `before`: what the ledger shows now, if there is or was one. A
 * new one goes on from there when that one was stopped, and asks what became of each refund.
 */
export function refundLedgerStart(
  tenantId: string,
  customerKey: string,
  before: Partial<RefundLedgerMemo> | undefined,
) {
  const entries = bookOf(before?.refunds ?? {});
  const refunded = before?.refunded ?? {};
  const toAsk = entries.map(({ refundId }) => refundId);
  const input: RefundLedgerInput = { tenantId, customerKey, entries, refunded, toRead: [], toAsk };
  const memo: RefundLedgerMemo = { refunded, refunds: refundsByCheckout(entries) };
  return {
    workflowId: refundLedgerWorkflowId(tenantId, customerKey),
    taskQueue: checkoutTaskQueue,
    args: [input] as [RefundLedgerInput],
    workflowTaskTimeout: 2_000,
    memo: { ...memo },
    typedSearchAttributes: [{ key: tenantIdAttribute, value: tenantId }],
    staticSummary: 'The refunds of one customer',
    priority: { priorityKey: 2, fairnessKey: tenantId },
  };
}
