import type { Client } from '@temporalio/client';
import { type RefundLedgerMemo, type RefundMemo, refundLedgerWorkflowId } from '../../contracts/refund.js';
import { isOfPayment } from '../../domain/refund-book.js';
import { readMemo } from '../runs.js';
import { readRefund } from './resource.js';

/** A refund as its run published it, and when it was asked for, epoch ms. */
export interface ListedRefund extends RefundMemo {
  at: number;
}

/** What a customer's ledger shows, running or not; undefined when there is none. */
export function readLedger(
  client: Client,
  tenantId: string,
  customerKey: string,
): Promise<Partial<RefundLedgerMemo> | undefined> {
  return readMemo<RefundLedgerMemo>(client, refundLedgerWorkflowId(tenantId, customerKey));
}

/**
 * What Stripe has given back of a checkout's payment so far, as its customer's ledger knows it, minor units; and the refunds of
 * it that went through that ledger, oldest first.
 */
export async function readRefunded(
  client: Client,
  tenantId: string,
  customerKey: string,
  checkoutId: string,
  paymentIntent: string,
): Promise<{ amount: number; changes: number; refunds: ListedRefund[] }> {
  const ledger = await readLedger(client, tenantId, customerKey);
  const listed = await Promise.all(
    (ledger?.refunds?.[checkoutId] ?? [])
      .filter((line) => isOfPayment(line, paymentIntent))
      .map(async ({ refundId, at }) => {
        const memo = await readRefund(client, tenantId, refundId);
        return memo ? [{ ...memo, at }] : [];
      }),
  );
  const shown = ledger?.refunded?.[checkoutId] ?? { amount: 0, changes: 0 };
  return {
    amount: isOfPayment(shown, paymentIntent) ? shown.amount : 0,
    changes: shown.changes,
    refunds: listed.flat(),
  };
}
