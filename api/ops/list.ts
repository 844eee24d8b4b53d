import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { type RunFilter, runQuery } from '../../contracts/run-query.js';
import { unmatchedPaymentWorkflowId } from '../../contracts/unmatched-payment.js';
import { Problem } from '../problem.js';
import { readDeadlineMs, temporalUnavailable } from '../runs.js';

const pageSize = 50;

/** gRPC status UNKNOWN and INVALID_ARGUMENT: what the server says to a cursor that it did not make. */
const wrongCursor: readonly unknown[] = [2, 3];

interface ListedRun<Memo> {
  workflowId: string;
  memo: Partial<Memo>;
  startedAt: string;
}

/** One page of a tenant's runs, newest first, as they published themselves. Visibility may be behind by some moments. */
export async function listRuns<Memo extends object>(
  client: Client,
  filter: RunFilter,
  cursor: string | undefined,
): Promise<{ runs: ListedRun<Memo>[]; next_cursor?: string }> {
  const { workflowService, options } = client;
  try {
    const { executions, nextPageToken } = await client.withDeadline(Date.now() + 2 * readDeadlineMs, () =>
      workflowService.listWorkflowExecutions({
        namespace: options.namespace,
        pageSize,
        query: runQuery(filter),
        // Only a place in the list: whose runs they are is said by the query, which the cursor cannot change.
        ...(cursor !== undefined && { nextPageToken: Buffer.from(cursor, 'base64url') }),
      }),
    );
    return {
      // Whose a run is stands in its id, too.
      runs: executions.map((run) => listedRun<Memo>(run)).filter(isOf(filter)),
      ...(nextPageToken.length > 0 && { next_cursor: Buffer.from(nextPageToken).toString('base64url') }),
    };
  } catch (error) {
    if (cursor !== undefined && wrongCursor.includes((error as { code?: unknown }).code)) {
      throw new Problem('invalid_request', { errors: [{ path: 'cursor', message: 'is not one of ours' }] });
    }
    throw temporalUnavailable();
  }
}

const isOf =
  ({ kind, tenantId }: RunFilter) =>
  ({ workflowId }: { workflowId: string }) =>
    workflowId.startsWith(`${kind}/${tenantId}/`) ||
    (kind === 'checkout' && workflowId.startsWith(unmatchedPaymentWorkflowId(tenantId, '')));

function listedRun<Memo>(run: temporal.api.workflow.v1.IWorkflowExecutionInfo): ListedRun<Memo> {
  const fields = Object.entries(run.memo?.fields ?? {}).map(([name, payload]) => [
    name,
    defaultPayloadConverter.fromPayload<unknown>(payload),
  ]);
  return {
    workflowId: run.execution?.workflowId ?? '',
    memo: Object.fromEntries(fields) as Partial<Memo>,
    startedAt: new Date(tsToMs(run.startTime)).toISOString(),
  };
}
