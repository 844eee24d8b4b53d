import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { type CheckoutSummary, checkoutWorkflowId } from '../contracts/checkout.js';
import { isCheckoutId } from '../contracts/ids.js';
import { resolveCheckout, type ResolveRefusal, retryNow, retryRefundNow } from '../contracts/levers.js';
import { type RefundMemo, refundWorkflowId } from '../contracts/refund.js';
import { paymentEventReceived } from '../contracts/payment-event.js';
import { runQuery } from '../contracts/run-query.js';
import {
  lookAgain,
  type UnmatchedPaymentMemo,
  unmatchedPaymentStart,
  unmatchedPaymentWorkflowId,
  unmatchedPaymentWorkflowType,
} from '../contracts/unmatched-payment.js';
import { type CheckoutState, transitions } from '../domain/checkout-state.js';
import { explainCheckout } from '../domain/explain.js';
import { explainLatePayments } from '../domain/explain-late-payment.js';
import { type LatePaymentState, unsettledPayment } from '../domain/late-payment.js';
import { explainRefund } from '../domain/explain-refund.js';
import { formatMoney } from '../domain/money.js';
import { type RefundState, refundTransitions } from '../domain/refund-state.js';
import { isNotFound, type Outcome, runCommand } from './command.js';
import { understand, usage, type Wanted } from './ops-arguments.js';

const maxListed = 200;

const refusals: Record<ResolveRefusal, string> = {
  no_attention_needed: 'it does not need attention: there is nothing here that Stripe does not prove',
  money_captured: 'Stripe shows money of it that was not given back; give it back first',
  still_open: 'it can still be paid',
  stripe_unavailable: 'Stripe did not answer in time; nothing was changed',
};

/** What a run of either kind has published. */
interface Listed {
  checkout?: CheckoutSummary | undefined;
  refund?: RefundMemo['refund'] | undefined;
  state?: CheckoutState | RefundState | undefined;
}

/** One line for each run: id, state and why, what it is about. */
async function list(client: Client, wanted: Extract<Wanted, { command: 'list' }>): Promise<Outcome> {
  const { tenantId, state, callId } = wanted;
  const lines: string[] = [];
  for (const kind of ['checkout', 'refund'] as const) {
    const states = kind === 'checkout' ? transitions : refundTransitions;
    if (state !== undefined && !(state in states)) continue;
    let listed = 0;
    for await (const { workflowId, memo, startTime } of client.workflow.list({
      query: runQuery({ kind, tenantId, state, callId }),
    })) {
      const { checkout, refund, state: now } = (memo ?? {}) as Listed;
      const about = checkout ?? refund;
      if (!about || !now || !workflowId.startsWith(`${kind}/${tenantId}/`)) continue;
      if (++listed > maxListed) {
        lines.push(`… more ${kind}s than ${maxListed}`);
        break;
      }
      const why = attentionIn(now);
      const id = workflowId.split('/').at(-1) ?? '';
      const sum = formatMoney(about);
      lines.push(
        [id, now.status, why, sum, about.description, startTime.toISOString()]
          .filter((part) => part !== undefined)
          .join('  '),
      );
    }
  }
  if ((state === undefined || state === 'needs_attention') && callId === undefined)
    lines.push(...(await lateMoney(client, tenantId)));
  return { ok: true, text: lines.length > 0 ? lines.join('\n') : 'none' };
}

/** One line for each checkout whose late money waits for a person. */
async function lateMoney(client: Client, tenantId: string): Promise<string[]> {
  const lines = new Map<string, string>();
  const query = runQuery({ kind: 'latePayment', tenantId, state: 'needs_attention' });
  for await (const { workflowId, startTime } of client.workflow.list({ query })) {
    const id = workflowId.split('/').at(-1) ?? '';
    if (workflowId !== unmatchedPaymentWorkflowId(tenantId, id) || lines.has(id)) continue;
    // A run that has closed is listed as it was: the newest one tells.
    const payment = unsettledPayment(await readLate(client, tenantId, id));
    if (payment?.status !== 'needs_attention') continue;
    lines.set(
      id,
      [id, 'late_payment', payment.attention ?? '', formatMoney(payment), startTime.toISOString()].join('  '),
    );
    if (lines.size >= maxListed) break;
  }
  return [...lines.values()];
}

/** Money that came for a checkout after its end; undefined when none did. */
async function readLate(client: Client, tenantId: string, id: string): Promise<LatePaymentState | undefined> {
  try {
    const { memo } = await client.workflow.getHandle(unmatchedPaymentWorkflowId(tenantId, id)).describe();
    return (memo as Partial<UnmatchedPaymentMemo> | undefined)?.state;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Has the run for late money of a checkout that is over read Stripe again. False when there is nothing to read. */
async function retryLate(client: Client, tenantId: string, id: string): Promise<boolean> {
  const late = await readLate(client, tenantId, id);
  const event = late && lookAgain(late, randomUUID());
  if (!event) return false;
  await client.workflow.signalWithStart(unmatchedPaymentWorkflowType, {
    ...unmatchedPaymentStart(tenantId, id, late),
    signal: paymentEventReceived,
    signalArgs: [event],
  });
  return true;
}

const attentionIn = (state: CheckoutState | RefundState): string | undefined =>
  'events' in state ? state.attention : state.status === 'needs_attention' ? state.failureReason : undefined;

const workflowIdOf = ({ tenantId, id }: { tenantId: string; id: string }) =>
  isCheckoutId(id) ? checkoutWorkflowId(tenantId, id) : refundWorkflowId(tenantId, id);

/** How long a worker has to answer a query, ms. */
const queryDeadlineMs = 2_000;

/** The state of a run and what it waits for; by its own words, or by what it published where no worker answers. */
async function show(client: Client, wanted: { tenantId: string; id: string }): Promise<Outcome> {
  const handle = client.workflow.getHandle(workflowIdOf(wanted));
  const { memo } = await handle.describe();
  const { checkout, refund, state } = (memo ?? {}) as Listed;
  if (!state) return { ok: false, text: `${handle.workflowId} has published no state` };
  const told = await client
    .withDeadline(Date.now() + queryDeadlineMs, () => handle.query<string>('explain'))
    .catch(() => published({ checkout, refund, state }));
  const late = checkout && (await readLate(client, wanted.tenantId, wanted.id));
  const more = late ? `\n${explainLatePayments(wanted.id, late, signals)}` : '';
  return {
    ok: true,
    text: `${handle.workflowId}: ${state.status}, version ${state.version}\n${told}${more}`,
  };
}

const signals = { repeated: 0, invalid: 0 };

function published({ checkout, refund, state }: Listed): string {
  if (checkout && state && 'events' in state) {
    return explainCheckout(state, { money: checkout, description: checkout.description, signals });
  }
  if (!refund || !state || 'events' in state) return 'it says nothing of itself';
  const { description, requestedBy } = refund;
  return explainRefund(state, { money: refund, description, requestedBy, refusedDecisions: [], signals });
}

async function act(
  client: Client,
  wanted: Exclude<Wanted, { command: 'list' | 'show' }>,
): Promise<Outcome | undefined> {
  const handle = client.workflow.getHandle(workflowIdOf(wanted));
  try {
    if (wanted.command === 'resolve') {
      await handle.executeUpdate(resolveCheckout, { args: [wanted.resolution] });
    } else if (isCheckoutId(wanted.id)) await handle.executeUpdate(retryNow);
    else await handle.executeUpdate(retryRefundNow);
    return undefined;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const type = cause instanceof ApplicationFailure ? cause.type : undefined;
    if (typeof type === 'string' && type in refusals) {
      return { ok: false, text: `${wanted.id}: ${refusals[type as ResolveRefusal]}` };
    }
    // The run ended: its last state is the answer.
    if (type === 'AcceptedUpdateCompletedWorkflow') return undefined;
    if (isNotFound(error)) {
      await handle.describe();
      const { command, tenantId, id } = wanted;
      if (command === 'retry-now' && (await retryLate(client, tenantId, id))) return undefined;
      return { ok: false, text: `${wanted.id} has ended` };
    }
    throw error;
  }
}

async function perform(client: Client, wanted: Wanted): Promise<Outcome> {
  if (wanted.command === 'list') return list(client, wanted);
  try {
    const refused = wanted.command === 'show' ? undefined : await act(client, wanted);
    return refused ?? (await show(client, wanted));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { ok: false, text: `there is no ${wanted.id} of ${wanted.tenantId}, or not any more` };
  }
}

await runCommand(usage, understand, perform);
