import type { Client } from '@temporalio/client';
import { type UnmatchedPaymentMemo, unmatchedPaymentWorkflowId } from '../../contracts/unmatched-payment.js';
import type { LatePaymentState } from '../../domain/late-payment.js';
import { readMemo } from '../runs.js';

/** Money that came for a checkout after its end, as its run published it; undefined when none did. */
export async function readLatePayments(
  client: Client,
  tenantId: string,
  checkoutId: string,
): Promise<LatePaymentState | undefined> {
  const memo = await readMemo<UnmatchedPaymentMemo>(client, unmatchedPaymentWorkflowId(tenantId, checkoutId));
  return memo?.state;
}
