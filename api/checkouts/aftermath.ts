import type { Client } from '@temporalio/client';
import type { CheckoutMemo } from '../../contracts/checkout.js';
import { isTerminal } from '../../domain/checkout-state.js';
import { honouredPayment, type LatePaymentState } from '../../domain/late-payment.js';
import { type ListedRefund, readRefunded } from '../refunds/ledger.js';
import { readLatePayments } from './late-payments.js';

/** A checkout as it is shown: its version counts what happened after its end, too. */
export interface ShownCheckout extends CheckoutMemo {
  /** Money that came after its end. */
  late?: LatePaymentState | undefined;
  /** Its refunds, oldest first. */
  refunds?: readonly ListedRefund[];
}

/**
 * A checkout with what happened after its end: a closed run learns nothing any more, so money that came late stands in a run
 * of its own, and what was given back in the customer's ledger.
 */
export async function withAftermath(
  client: Client,
  tenantId: string,
  memo: CheckoutMemo,
): Promise<ShownCheckout> {
  const { checkout, state } = memo;
  if (!isTerminal(state.status)) return memo;
  const late = await readLatePayments(client, tenantId, checkout.checkoutId);
  const version = state.version + (late?.version ?? 0);
  const { paymentIntent } = (state.status === 'paid' ? state.instrument : honouredPayment(late)) ?? {};
  if (paymentIntent === undefined) return { checkout, state: { ...state, version }, late };
  const { customerKey, checkoutId } = checkout;
  const { amount, changes, refunds } = await readRefunded(
    client,
    tenantId,
    customerKey,
    checkoutId,
    paymentIntent,
  );
  const ofRefunds = refunds.reduce((sum, refund) => sum + refund.state.version, 0);
  return {
    checkout,
    state: { ...state, amountRefunded: amount, version: version + changes + ofRefunds },
    late,
    refunds,
  };
}
