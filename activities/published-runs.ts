import { Context } from '@temporalio/activity';
import { type UnmatchedPaymentMemo, unmatchedPaymentWorkflowId } from '../contracts/unmatched-payment.js';
import type { LatePaymentState } from '../domain/late-payment.js';
import { isUnknownRun } from './checkout-runs.js';

interface PublishedRun<Memo> {
  open: boolean;
  /** Closed, but not by its own end. */
  stopped: boolean;
  /** Epoch ms. */
  startedAt: number;
  memo: Partial<Memo>;
}

/** What a run shows, open or closed; undefined when Temporal does not know it. */
export async function readPublished<Memo>(workflowId: string): Promise<PublishedRun<Memo> | undefined> {
  try {
    const { status, startTime, memo } = await Context.current()
      .client.workflow.getHandle(workflowId)
      .describe();
    return {
      open: status.name === 'RUNNING' || status.name === 'PAUSED',
      stopped: !['RUNNING', 'PAUSED', 'COMPLETED'].includes(status.name),
      startedAt: startTime.getTime(),
      memo: (memo ?? {}) as Partial<Memo>,
    };
  } catch (error) {
    if (isUnknownRun(error)) return undefined;
    throw error;
  }
}

/** The newest run for late payments of a checkout. */
export async function readLateRun(
  tenantId: string,
  checkoutId: string,
): Promise<(Omit<PublishedRun<never>, 'memo'> & { state: LatePaymentState }) | undefined> {
  const run = await readPublished<UnmatchedPaymentMemo>(unmatchedPaymentWorkflowId(tenantId, checkoutId));
  if (!run) return undefined;
  const { memo, ...rest } = run;
  return { ...rest, state: memo.state ?? { version: 0, payments: [] } };
}
