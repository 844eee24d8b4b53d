import type { Client } from '@temporalio/client';
import type { z } from 'zod';
import { type CheckoutMemo, checkoutWorkflowId, explain } from '../../contracts/checkout.js';
import { type RefundMemo, refundWorkflowId } from '../../contracts/refund.js';
import { unmatchedPaymentWorkflowId } from '../../contracts/unmatched-payment.js';
import { isTerminal } from '../../domain/checkout-state.js';
import { explainLatePayments } from '../../domain/explain-late-payment.js';
import { unsettledPayment } from '../../domain/late-payment.js';
import { explainCheckout } from '../../domain/explain.js';
import { explainRefund } from '../../domain/explain-refund.js';
import type { Tenant } from '../../domain/tenant.js';
import { readLatePayments } from '../checkouts/late-payments.js';
import { readCheckout } from '../checkouts/store.js';
import { withAftermath } from '../checkouts/aftermath.js';
import { renderCheckout } from '../checkouts/resource.js';
import { renderRefund } from '../refunds/resource.js';
import { readDeadlineMs } from '../runs.js';
import type { checkoutRowSchema, opsCheckoutSchema, opsRefundSchema } from './schemas.js';

export interface OpsView {
  client: Client;
  /** Where the Temporal UI is; absent: runs carry no link. */
  temporalUiUrl?: string | undefined;
}

/** The page of a run in the Temporal UI. */
export function runUrl({ client, temporalUiUrl }: OpsView, workflowId: string): { run_url?: string } {
  if (temporalUiUrl === undefined) return {};
  const namespace = encodeURIComponent(client.options.namespace);
  return {
    run_url: `${temporalUiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}`,
  };
}

/** What the run itself says; what its published state says, where no worker answers in time. */
async function explained(client: Client, workflowId: string, render: () => string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    return await client.withDeadline(Date.now() + readDeadlineMs, () => handle.query(explain));
  } catch {
    return render();
  }
}

const signals = { repeated: 0, invalid: 0 };

/** A checkout in a list. */
export function checkoutRow(
  view: OpsView,
  { checkout, state }: CheckoutMemo,
  workflowId: string,
  startedAt: string,
): z.output<typeof checkoutRowSchema> {
  return {
    checkout_id: checkout.checkoutId,
    call_id: checkout.callId,
    state: state.status,
    terminal: isTerminal(state.status),
    version: state.version,
    amount: checkout.amount,
    currency: checkout.currency,
    description: checkout.description,
    ...(state.rail && { rail: state.rail }),
    ...(state.reason && { reason: state.reason }),
    ...(state.attention && { attention: state.attention }),
    started_at: startedAt,
    ...runUrl(view, workflowId),
  };
}

/** A checkout whose late money waits for a person; undefined when none does any more: a run that has closed is listed as it was. */
export async function lateRow(
  view: OpsView,
  tenantId: string,
  workflowId: string,
  startedAt: string,
): Promise<z.output<typeof checkoutRowSchema> | undefined> {
  const checkoutId = workflowId.slice(unmatchedPaymentWorkflowId(tenantId, '').length);
  const [memo, late] = await Promise.all([
    readCheckout(view.client, tenantId, checkoutId),
    readLatePayments(view.client, tenantId, checkoutId),
  ]);
  const unsettled = unsettledPayment(late);
  if (!memo || unsettled?.status !== 'needs_attention') return undefined;
  const { status: state, amount, currency } = unsettled;
  return {
    ...checkoutRow(view, memo, workflowId, startedAt),
    attention: 'late_payment',
    late_payment: { state, amount, currency },
  };
}

/** A checkout as ops see it. */
export async function describeCheckout(
  view: OpsView,
  memo: CheckoutMemo,
  tenant: Tenant,
): Promise<z.output<typeof opsCheckoutSchema>> {
  const shown = await withAftermath(view.client, tenant.id, memo);
  const { checkout, state } = memo;
  const { late } = shown;
  const { amount, currency, description } = checkout;
  const { authorization, session, paymentIntent } = state.instrument ?? {};
  const { resolution } = state;
  const workflowId = checkoutWorkflowId(tenant.id, checkout.checkoutId);
  return {
    ...renderCheckout(shown, tenant),
    call_id: checkout.callId,
    explain: [
      await explained(view.client, workflowId, () =>
        explainCheckout(state, { money: { amount, currency }, description, signals }),
      ),
      ...(late ? [explainLatePayments(checkout.checkoutId, late, signals)] : []),
    ].join('\n'),
    ...(state.attention && { attention: state.attention }),
    ...(resolution && {
      resolution: {
        by: resolution.by,
        at: new Date(resolution.at).toISOString(),
        ...(resolution.note !== undefined && { note: resolution.note }),
      },
    }),
    declines: state.attempts.flatMap(({ rail, declineCode: code, at }) =>
      code === undefined ? [] : { rail, code, at: new Date(at).toISOString() },
    ),
    stripe: {
      ...(authorization && { agent_authorization: authorization }),
      ...(session && { checkout_session: session }),
      ...(paymentIntent && { payment_intent: paymentIntent }),
    },
    ...runUrl(view, workflowId),
  };
}

/** A refund as ops see it. */
export async function describeRefund(
  view: OpsView,
  memo: RefundMemo,
  tenant: Tenant,
): Promise<z.output<typeof opsRefundSchema>> {
  const { refund, state } = memo;
  const { amount, currency, description, requestedBy, paymentIntent } = refund;
  const workflowId = refundWorkflowId(tenant.id, refund.refundId);
  const context = { money: { amount, currency }, description, requestedBy, refusedDecisions: [], signals };
  return {
    ...renderRefund(memo, tenant),
    explain: await explained(view.client, workflowId, () => explainRefund(state, context)),
    ...refundAttention(state),
    stripe: { payment_intent: paymentIntent, ...(state.refund && { refund: state.refund }) },
    ...runUrl(view, workflowId),
  };
}

/** Why a refund needs attention. */
export function refundAttention({ status, failureReason }: RefundMemo['state']): { attention?: string } {
  return status === 'needs_attention' && failureReason ? { attention: failureReason } : {};
}
