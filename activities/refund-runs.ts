import { Context } from '@temporalio/activity';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import {
  type RecoveredRefund,
  type RefundInput,
  type RefundMemo,
  refundWorkflowId,
} from '../contracts/refund.js';
import { refundTransitions, type RefundState } from '../domain/refund-state.js';
import { isUnknownRun } from './checkout-runs.js';

export interface RefundRef {
  tenantId: string;
  refundId: string;
}

/** A refund as Temporal has it. `broken`: closed, but not by its own end. `gone`: not there (any more). */
export type RefundRunReading =
  | {
      run: 'open' | 'ended' | 'broken';
      state: RefundState;
      refund: RefundMemo['refund'];
      checkoutId: string;
      /** When the newest run began, epoch ms. */
      startedAt: number;
    }
  | { run: 'gone' };

/** Reads what a refund's run has published. Throws when Temporal does not answer. */
export async function readRefundRun({ tenantId, refundId }: RefundRef): Promise<RefundRunReading> {
  const handle = Context.current().client.workflow.getHandle(refundWorkflowId(tenantId, refundId));
  try {
    const { status, memo, startTime } = await handle.describe();
    const { refund, state } = (memo ?? {}) as Partial<RefundMemo>;
    if (!refund || !state) return { run: 'gone' };
    const open = status.name === 'RUNNING' || status.name === 'PAUSED';
    const run = open ? 'open' : status.name === 'COMPLETED' ? 'ended' : 'broken';
    return { run, state, refund, checkoutId: refund.checkoutId, startedAt: startTime.getTime() };
  } catch (error) {
    if (isUnknownRun(error)) return { run: 'gone' };
    throw error;
  }
}

/**
 * What a stopped refund is to be started with again. Undefined when its run is open or has ended, or when the approval that
 * it needs is not in its history, nor what was made of it: then it may neither be sent nor be asked for anew.
 */
export async function readStoppedRefund(ref: RefundRef): Promise<RefundInput | undefined> {
  const found = await readRefundRun(ref);
  if (found.run !== 'broken' || refundTransitions[found.state.status].length === 0) return undefined;
  const { state } = found;
  const { input, events } = await readRecord(ref);
  if (!input) return undefined;
  const sent = events?.findLast(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'submitRefund',
  );
  // The run itself has checked the approval with which it sent the refund; whoever sends it again checks it once more.
  const order = decoded<Omit<RecoveredRefund, 'state'>>(
    sent?.activityTaskScheduledEventAttributes?.input?.payloads,
  );
  const signedDecision = order?.signedDecision ?? input.recover?.signedDecision;
  const attempt = order?.attempt ?? input.recover?.attempt;
  const decided = state.status !== 'awaiting_approval';
  const unproved = signedDecision === undefined && state.refund === undefined;
  if (decided && input.verdict.kind === 'needs_approval' && unproved) return undefined;
  const recover = {
    state,
    ...(signedDecision !== undefined && { signedDecision }),
    ...(attempt !== undefined && { attempt }),
  };
  return { ...input, recover };
}

/** Whether the tenant's own system is to be told of a refund: so it was when that was started. */
export async function isRefundAnnounced(ref: RefundRef): Promise<boolean> {
  return (await readRecord(ref)).input?.request.announce ?? false;
}

async function readRecord({ tenantId, refundId }: RefundRef) {
  const { events } = await Context.current()
    .client.workflow.getHandle(refundWorkflowId(tenantId, refundId))
    .fetchHistory();
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  return { events, input: decoded<RefundInput>(started?.input?.payloads) };
}

function decoded<T>(payloads: Payload[] | null | undefined): T | undefined {
  const [payload] = payloads ?? [];
  return payload && defaultPayloadConverter.fromPayload<T>(payload);
}
