import { AsyncLocalStorage } from 'node:async_hooks';
import type { WithStartWorkflowOperation } from '@temporalio/client';
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import {
  ApplicationFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
  type Payload,
} from '@temporalio/common';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import type { Random } from './random.js';
import { alreadyExists, ServiceRefusal, type StartRequest, type TemporalServer } from './temporal-server.js';
import { runningProcess, type VirtualTime } from './virtual-time.js';
import type { UpdateOutcome } from './run-updates.js';
import type { WorkflowRun } from './workflow-run.js';

const deadlines = new AsyncLocalStorage<number>();

/** How the way to Temporal misbehaves. */
export interface ClientTroubles {
  /** Until then Temporal does not answer, epoch ms. */
  awayUntil: number;
  /** How often, 0 to 1, a call is lost before Temporal has it, or its answer on the way back. */
  lost: number;
}

interface StartOptions {
  workflowId: string;
  args?: readonly unknown[];
  memo?: Record<string, unknown>;
  workflowIdReusePolicy?: string;
  workflowIdConflictPolicy?: string;
  workflowTaskTimeout?: number;
  startDelay?: number;
}

const payloads = (values: readonly unknown[] | undefined): Payload[] =>
  (values ?? []).map((value) => defaultPayloadConverter.toPayload(value));

function toStart(workflowType: string, options: StartOptions): StartRequest {
  const memo = Object.entries(options.memo ?? {}).map(([name, value]) => [
    name,
    defaultPayloadConverter.toPayload(value),
  ]);
  return {
    workflowId: options.workflowId,
    workflowType,
    args: payloads(options.args),
    memo: Object.fromEntries(memo) as Record<string, Payload>,
    reuse: options.workflowIdReusePolicy ?? 'ALLOW_DUPLICATE',
    conflict: options.workflowIdConflictPolicy ?? 'FAIL',
    taskTimeoutMs: options.workflowTaskTimeout ?? 10_000,
    startDelayMs: options.startDelay ?? 0,
  };
}

const unavailable = () => Object.assign(new Error('14 UNAVAILABLE: no connection'), { code: 14 });
const outOfTime = () => Object.assign(new Error('4 DEADLINE_EXCEEDED'), { code: 4 });

/** The part of the SDK's client that the product uses, on the virtual server; anything else is missing, not faked. */
export function createTemporalClient(options: {
  time: VirtualTime;
  random: Random;
  server: () => TemporalServer;
  troubles: ClientTroubles;
}): Client {
  const { time, random, troubles } = options;
  let lastUpdate = 0;

  /** One call over the network: it takes time, may be lost, and ends by its deadline. */
  async function call<T>(effect: (server: TemporalServer) => T | Promise<T>): Promise<T> {
    const process = runningProcess.getStore();
    const deadline = deadlines.getStore() ?? time.now + 10_000;
    let stop: ReturnType<VirtualTime['at']> | undefined;
    const limit = new Promise<never>((_resolve, reject) => {
      stop = time.at(deadline, () => {
        if (process?.alive !== false) reject(outOfTime());
      });
    });
    limit.catch(() => undefined);
    const attempt = async () => {
      await time.sleep(random.between(1, 4));
      if (time.now < troubles.awayUntil) {
        // The client tries again within the call; a server that is away longer is out of reach.
        await time.sleep(Math.min(450, troubles.awayUntil - time.now));
        if (time.now < troubles.awayUntil) throw unavailable();
      }
      const fate = troubles.lost > 0 ? random.next() / troubles.lost : 1;
      if (fate < 0.5) throw unavailable();
      const result = await effect(options.server());
      if (fate < 1) throw unavailable();
      await time.sleep(random.between(0, 2));
      return result;
    };
    const attempted = attempt();
    attempted.catch(() => undefined);
    return Promise.race([attempted, limit]).finally(() => time.cancel(stop));
  }

  async function updated(
    workflowId: string,
    outcome: (server: TemporalServer) => Promise<UpdateOutcome>,
  ): Promise<unknown> {
    let answer: UpdateOutcome;
    try {
      answer = await call(outcome);
    } catch (error) {
      throw translated(error, workflowId, true);
    }
    if ('value' in answer) return answer.value;
    const { error } = answer;
    const acceptedType = (error as { acceptedType?: string }).acceptedType;
    if (acceptedType !== undefined) {
      const cause = ApplicationFailure.nonRetryable(error.message, acceptedType);
      throw new WorkflowUpdateFailedError('Workflow Update failed', cause);
    }
    if ((error as { code?: number }).code === 5)
      throw translated(new ServiceRefusal(5, error.message), workflowId, true);
    throw new WorkflowUpdateFailedError('Workflow Update failed', error);
  }

  async function calling<T>(
    workflowId: string,
    effect: (server: TemporalServer) => T | Promise<T>,
  ): Promise<T> {
    try {
      return await call(effect);
    } catch (error) {
      throw translated(error, workflowId, false);
    }
  }

  const getHandle = (workflowId: string) => ({
    workflowId,
    describe: () =>
      calling(workflowId, (server) => {
        const run = found(server, workflowId);
        const memo = Object.entries(run.memo).map(([name, payload]) => [
          name,
          defaultPayloadConverter.fromPayload(payload),
        ]);
        return {
          workflowId,
          runId: run.start.runId,
          type: run.start.workflowType,
          status: { name: run.status === 'CANCELLED' ? 'CANCELLED' : run.status },
          startTime: new Date(run.startedAt),
          historyLength: run.events,
          memo: Object.fromEntries(memo) as Record<string, unknown>,
          raw: { workflowExecutionInfo: { firstRunId: run.start.originalRunId } },
        };
      }),
    executeUpdate: (
      definition: { name: string } | string,
      given: { args?: readonly unknown[]; updateId?: string } = {},
    ) =>
      updated(workflowId, (server) =>
        server.update(workflowId, {
          id: given.updateId ?? `update-${++lastUpdate}`,
          name: typeof definition === 'string' ? definition : definition.name,
          args: payloads(given.args),
        }),
      ),
    signal: (definition: { name: string } | string, ...args: unknown[]) =>
      calling(workflowId, (server) =>
        server.signal(
          workflowId,
          typeof definition === 'string' ? definition : definition.name,
          payloads(args),
        ),
      ),
    fetchHistory: () => calling(workflowId, (server) => ({ events: historyOf(found(server, workflowId)) })),
    cancel: () => calling(workflowId, (server) => server.cancel(workflowId)),
    terminate: () => calling(workflowId, (server) => server.terminate(workflowId)),
  });

  const client = {
    options: {
      namespace: 'default',
      identity: 'simulated',
      loadedDataConverter: {
        payloadConverter: defaultPayloadConverter,
        failureConverter: defaultFailureConverter,
        payloadCodecs: [],
      },
    },
    withDeadline: <T>(deadline: number | Date, run: () => Promise<T>) => deadlines.run(Number(deadline), run),
    workflow: {
      getHandle,
      start: (workflowType: string, given: StartOptions) =>
        calling(given.workflowId, (server) => {
          const { run } = server.start(toStart(workflowType, given));
          return { ...getHandle(given.workflowId), firstExecutionRunId: run.start.runId };
        }),
      signalWithStart: (
        workflowType: string,
        given: StartOptions & { signal: { name: string }; signalArgs?: readonly unknown[] },
      ) =>
        calling(given.workflowId, (server) => {
          server.signalWithStart(toStart(workflowType, given), given.signal.name, payloads(given.signalArgs));
          return getHandle(given.workflowId);
        }),
      executeUpdateWithStart: (
        definition: { name: string },
        given: {
          updateId?: string;
          args?: readonly unknown[];
          startWorkflowOperation: WithStartWorkflowOperation<() => Promise<unknown>>;
        },
      ) => {
        const { workflowTypeOrFunc, options: start } = given.startWorkflowOperation;
        const { workflowId } = start as StartOptions;
        return updated(workflowId, (server) =>
          server.updateWithStart(toStart(String(workflowTypeOrFunc), start as StartOptions), {
            id: given.updateId ?? `update-${++lastUpdate}`,
            name: definition.name,
            args: payloads(given.args),
          }),
        );
      },
    },
    workflowService: {
      signalWorkflowExecution: (request: {
        workflowExecution: { workflowId: string };
        signalName: string;
        input: { payloads: Payload[] };
        requestId?: string;
      }) =>
        call((server) => {
          const { workflowExecution, signalName, input, requestId } = request;
          server.signal(workflowExecution.workflowId, signalName, input.payloads, requestId);
          return {};
        }),
      listWorkflowExecutions: ({ query }: { query: string }) =>
        call((server) => ({
          executions: listed(server, query).map(({ workflowId }) => ({ execution: { workflowId } })),
          nextPageToken: new Uint8Array(),
        })),
    },
  };
  return client as unknown as Client;
}

/**
 * Runs by tenant and type that were stopped, or, where the query names such, run or have ended. A superset of what Temporal would
 * list: whoever asks looks at each.
 */
function listed(server: TemporalServer, query: string): WorkflowRun[] {
  const [, tenant = '', type = ''] = /TenantId = "([^"]+)" AND WorkflowType = "([^"]+)"/.exec(query) ?? [];
  if (type === '') throw new Error(`not known to the simulation: the query ${query}`);
  const stopped = ['FAILED', 'CANCELLED', 'TERMINATED'];
  return server
    .all()
    .filter(({ start }) => start.workflowType === type && start.workflowId.split('/')[1] === tenant)
    .filter(
      (run) =>
        stopped.includes(run.status) ||
        (run.isOpen && query.includes('"Running"')) ||
        (run.status === 'COMPLETED' && query.includes('"Completed"')),
    );
}

function found(server: TemporalServer, workflowId: string): WorkflowRun {
  const run = server.current(workflowId);
  if (!run) throw new ServiceRefusal(5, `no run of ${workflowId}`);
  return run;
}

/** The errors the SDK makes of the service's, as measured against a real server. */
function translated(error: unknown, workflowId: string, ofUpdate: boolean): unknown {
  const code = (error as { code?: number }).code;
  if (code === 5) return new WorkflowNotFoundError('workflow not found', workflowId, undefined);
  if (code === alreadyExists)
    return new WorkflowExecutionAlreadyStartedError('Workflow execution already started', workflowId, '');
  if (ofUpdate && (code === 4 || code === 14))
    return new WorkflowUpdateRPCTimeoutOrCancelledError('the update was not answered', {
      cause: error as Error,
    });
  return error;
}

/** The events of a history that carry a memo, an activity or a signal, and the start with its input. */
function historyOf(run: WorkflowRun) {
  const scheduled = run.log.flatMap(({ at, commands }) =>
    commands.flatMap(({ scheduleActivity: activity }) =>
      activity
        ? {
            eventTime: msNumberToTs(at),
            activityTaskScheduledEventAttributes: {
              activityType: { name: activity.activityType },
              input: { payloads: activity.arguments },
            },
          }
        : [],
    ),
  );
  const published = run.publications.map(({ started, fields }) =>
    started
      ? {
          workflowExecutionStartedEventAttributes: {
            memo: { fields },
            input: { payloads: run.start.args },
          },
        }
      : { workflowPropertiesModifiedEventAttributes: { upsertedMemo: { fields } } },
  );
  const signaled = run.signals.map(({ name: signalName, input }) => ({
    workflowExecutionSignaledEventAttributes: { signalName, input: { payloads: input } },
  }));
  return [...published, ...scheduled, ...signaled];
}
