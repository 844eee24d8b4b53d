import type { Client } from '@temporalio/client';
import { type RefundLedgerMemo, refundLedgerWorkflowId } from '../../contracts/refund.js';
import { readMemo } from '../runs.js';

/** What Stripe has given back of a checkout so far, as its customer's ledger knows it; minor units. */
export async function readRefunded(
  client: Client,
  tenantId: string,
  customerKey: string,
  checkoutId: string,
): Promise<{ amount: number; changes: number }> {
  const ledger = await readMemo<RefundLedgerMemo>(client, refundLedgerWorkflowId(tenantId, customerKey));
  return ledger?.refunded?.[checkoutId] ?? { amount: 0, changes: 0 };
}
