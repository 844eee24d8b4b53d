import {
  type Client,
  type UpdateDefinition,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { Problem } from './problem.js';

/** Temporal answers within this time, or the API says that the outcome is unknown. */
export const readDeadlineMs = 2_000;
const updateDeadlineMs = 3_000;

/** Any failure to talk to Temporal: nothing is known of what happened, and the same request is safe. */
export function temporalUnavailable(): Problem {
  return new Problem('unavailable', {
    detail: 'the run could not be reached; repeat the same request',
    retry_after: 1,
  });
}

/** gRPC status NOT_FOUND. */
const notFound = 5;

/** True when Temporal knows no such run, or none that is open. Some calls let the raw gRPC error through. */
export function isNotFound(error: unknown): boolean {
  return (
    error instanceof WorkflowNotFoundError || (error as { code?: unknown } | undefined)?.code === notFound
  );
}

/** The memo a run publishes, running or closed; undefined when there is no such run. Needs no worker. */
export async function readMemo<Memo extends object>(
  client: Client,
  workflowId: string,
): Promise<Partial<Memo> | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    const { memo } = await client.withDeadline(Date.now() + readDeadlineMs, () => handle.describe());
    return (memo ?? {}) as Partial<Memo>;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw temporalUnavailable();
  }
}

/** The typed reason why a run turned an update down; undefined when the failure says nothing of the kind. */
export function updateRefusal(error: unknown): ApplicationFailure | undefined {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  return cause instanceof ApplicationFailure ? cause : undefined;
}

/**
 * Runs an update under a deadline. Undefined: the run is closed. A refusal of the run is thrown as it came, anything else
 * as `unavailable`.
 */
export async function updateRun<Result, Args extends unknown[]>(
  client: Client,
  workflowId: string,
  definition: UpdateDefinition<Result, Args>,
  { deadlineMs = updateDeadlineMs, ...options }: { args: Args; updateId?: string; deadlineMs?: number },
): Promise<Result | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    return await client.withDeadline(Date.now() + deadlineMs, () =>
      // The SDK's types tell updates with arguments from those without; a list of them may be either.
      handle.executeUpdate<Result, [unknown]>(definition.name, {
        ...options,
        args: options.args as unknown[] as [unknown],
      }),
    );
  } catch (error) {
    if (isNotFound(error)) return undefined;
    const type = updateRefusal(error)?.type;
    // The run ended while the update was under way: its last state is the answer.
    if (type === 'AcceptedUpdateCompletedWorkflow') return undefined;
    if (type) throw error;
    throw temporalUnavailable();
  }
}
