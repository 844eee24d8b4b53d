import type { Client } from '@temporalio/client';
import { type PaymentEvent, paymentEventReceived } from '../../contracts/payment-event.js';
import {
  type UnmatchedPaymentMemo,
  unmatchedPaymentStart,
  unmatchedPaymentWorkflowId,
  unmatchedPaymentWorkflowType,
} from '../../contracts/unmatched-payment.js';
import type { LatePaymentState } from '../../domain/late-payment.js';
import type { unmatchedPayment } from '../../workflows/unmatched-payment.js';
import { readDeadlineMs, readMemo, temporalUnavailable } from '../runs.js';

/** Money that came for a checkout after its end, as its run published it; undefined when none did. */
export async function readLatePayments(
  client: Client,
  tenantId: string,
  checkoutId: string,
): Promise<LatePaymentState | undefined> {
  const memo = await readMemo<UnmatchedPaymentMemo>(client, unmatchedPaymentWorkflowId(tenantId, checkoutId));
  return memo?.state;
}

/** Has the run for late payments of a checkout look into a payment: the open one, or a new one that goes on from the last. */
export async function reportLatePayment(
  client: Client,
  tenantId: string,
  checkoutId: string,
  event: PaymentEvent,
): Promise<void> {
  const before = await readLatePayments(client, tenantId, checkoutId);
  const started = client.withDeadline(Date.now() + readDeadlineMs, () =>
    client.workflow.signalWithStart<typeof unmatchedPayment, [PaymentEvent]>(unmatchedPaymentWorkflowType, {
      ...unmatchedPaymentStart(tenantId, checkoutId, before),
      signal: paymentEventReceived,
      signalArgs: [event],
    }),
  );
  await started.catch(() => {
    throw temporalUnavailable();
  });
}
