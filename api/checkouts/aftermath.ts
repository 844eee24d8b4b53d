import type { Client } from '@temporalio/client';
import type { CheckoutMemo } from '../../contracts/checkout.js';
import { isTerminal } from '../../domain/checkout-state.js';
import { honouredPayment, type LatePaymentState } from '../../domain/late-payment.js';
import { readRefunded } from '../refunds/ledger.js';
import { readLatePayments } from './late-payments.js';

/**
 * A checkout with what happened after its end: a closed run learns nothing any more, so money that came late stands in a run
 * of its own, and what was given back in the customer's ledger.
 */
export async function withAftermath(
  client: Client,
  tenantId: string,
  memo: CheckoutMemo,
): Promise<{ memo: CheckoutMemo; late: LatePaymentState | undefined }> {
  const { checkout, state } = memo;
  if (!isTerminal(state.status)) return { memo, late: undefined };
  const late = await readLatePayments(client, tenantId, checkout.checkoutId);
  if (state.status !== 'paid' && !honouredPayment(late)) return { memo, late };
  const { customerKey, checkoutId } = checkout;
  const { amount, changes } = await readRefunded(client, tenantId, customerKey, checkoutId);
  return {
    memo: { checkout, state: { ...state, amountRefunded: amount, version: state.version + changes } },
    late,
  };
}
