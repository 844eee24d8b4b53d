import { activityInfo, Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';
import { defaultPayloadConverter } from '@temporalio/common';
import { type CheckoutInput, type CheckoutMemo, checkoutWorkflowId } from '../contracts/checkout.js';
import { isTerminal } from '../domain/checkout-state.js';
import type { CheckoutRef } from './accounts.js';

/** gRPC status NOT_FOUND; some calls let the raw error through. */
const notFound = 5;

/** True when Temporal knows no such run. */
export function isUnknownRun(error: unknown): boolean {
  return (
    error instanceof WorkflowNotFoundError || (error as { code?: unknown } | undefined)?.code === notFound
  );
}

/** A checkout as Temporal has it. `broken`: closed, but not by its own end. `gone`: not there (any more). */
export type CheckoutRunReading = ({ run: 'open' | 'ended' | 'broken' } & CheckoutMemo) | { run: 'gone' };

/** Reads what a checkout's run has published. Throws when Temporal does not answer. */
export async function readCheckoutRun({ tenantId, checkoutId }: CheckoutRef): Promise<CheckoutRunReading> {
  const run = Context.current().client.workflow.getHandle(checkoutWorkflowId(tenantId, checkoutId));
  try {
    const { status, memo } = await run.describe();
    const { checkout, state } = (memo ?? {}) as Partial<CheckoutMemo>;
    if (!checkout || !state) return { run: 'gone' };
    if (status.name === 'RUNNING' || status.name === 'PAUSED') return { run: 'open', checkout, state };
    return { run: isTerminal(state.status) ? 'ended' : 'broken', checkout, state };
  } catch (error) {
    if (isUnknownRun(error)) return { run: 'gone' };
    throw error;
  }
}

/** Whether ops reset the run that asks: what it does for the first time may have been done before. */
export async function readReset(): Promise<boolean> {
  const { workflowId = '', runId } = activityInfo().workflowExecution ?? {};
  const { raw } = await Context.current().client.workflow.getHandle(workflowId, runId).describe();
  const first = raw.workflowExecutionInfo?.firstRunId ?? '';
  return first !== '' && first !== runId;
}

/** What a checkout's newest run was started with; undefined when there is none. Holds personal data: not to be returned by an activity. */
export async function readCheckoutInput({
  tenantId,
  checkoutId,
}: CheckoutRef): Promise<CheckoutInput | undefined> {
  const run = Context.current().client.workflow.getHandle(checkoutWorkflowId(tenantId, checkoutId));
  try {
    const { events } = await run.fetchHistory();
    const payload = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    return payload ? defaultPayloadConverter.fromPayload<CheckoutInput>(payload) : undefined;
  } catch (error) {
    if (isUnknownRun(error)) return undefined;
    throw error;
  }
}
