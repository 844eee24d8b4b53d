import type Stripe from 'stripe';
import { type RefundLedgerMemo, refundLedgerWorkflowId } from '../contracts/refund.js';
import type { LatePaymentState } from '../domain/late-payment.js';
import type { PaymentFacts, RefundAtStripe, RefundRunFacts, RunFacts } from '../domain/reconcile.js';
import type { CheckoutRunReading } from './checkout-runs.js';
import { readPublished } from './published-runs.js';
import type { RefundRunReading } from './refund-runs.js';

/** What a customer's ledger shows, running or not; undefined when there is none. */
export async function readLedger(
  tenantId: string,
  customerKey: string,
): Promise<Partial<RefundLedgerMemo> | undefined> {
  return (await readPublished<RefundLedgerMemo>(refundLedgerWorkflowId(tenantId, customerKey)))?.memo;
}

export function runFacts(found: CheckoutRunReading): RunFacts {
  if (found.run === 'gone' || found.run === 'broken') return { run: found.run };
  const { status, instrument } = found.state;
  if (found.run === 'open') return { run: 'open', status, ...instrument };
  const paidBy = status === 'paid' ? instrument?.paymentIntent : undefined;
  return { run: 'ended', ...(paidBy !== undefined && { paidBy }) };
}

export function refundRunFacts(found: RefundRunReading): RefundRunFacts {
  return found.run === 'gone' ? found : { run: found.run, status: found.state.status };
}

export function paymentStatus({ status }: Stripe.PaymentIntent): PaymentFacts['payment'] {
  if (status === 'succeeded') return 'paid';
  if (status === 'processing') return 'processing';
  return status === 'canceled' ? 'dead' : 'live';
}

export function refundStatus({ status }: Stripe.Refund): RefundAtStripe {
  if (status === 'succeeded') return 'succeeded';
  return status === 'failed' || status === 'canceled' ? 'failed' : 'pending';
}

/** Of one payment, what the run for late payments says. */
export function lateFacts(
  late: { open: boolean; startedAt: number; state: LatePaymentState } | undefined,
  paymentIntent: string,
): NonNullable<PaymentFacts['late']> | undefined {
  if (!late) return undefined;
  const known = late.state.payments.find((one) => one.paymentIntent === paymentIntent);
  if (!known) return { open: late.open };
  const { status, refund } = known;
  // A run that was started again has only begun.
  const ageMs = Date.now() - Math.max(known.at, late.startedAt);
  return { open: late.open, status, ageMs, ...(refund !== undefined && { ownRefund: true }) };
}

/** A checkout id that is part of `checkout/<tenant>/<id>` or of another run's id. */
export function idInWorkflow(workflowId: string): string {
  return workflowId.slice(workflowId.lastIndexOf('/') + 1);
}
