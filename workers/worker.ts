import { activityInfo, heartbeat } from '@temporalio/activity';
import {
  type ActivityInboundCallsInterceptor,
  type NativeConnection,
  Worker,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type { Activities } from '../activities/activities.js';
import { remembered } from '../activities/remember.js';
import { checkoutTaskQueue } from '../contracts/checkout.js';
import type { Logger } from '../runtime/logger.js';

/** Well below the activities' heartbeat timeout of 1.5 s: a worker that dies is noticed then, not after the call's 10 s. */
const heartbeatEveryMs = 400;

/** They run all day and find nothing: when they do, the run says so. */
const sweeps: readonly string[] = ['reconcilePage', 'lookAgain'] satisfies (keyof Activities)[];

/** Heartbeats in the background and writes one line per effect, with ids and without personal data. */
function observed(log: Logger): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      const { activityType, attempt, workflowExecution } = activityInfo();
      const started = performance.now();
      const beating = setInterval(() => heartbeat(remembered()), heartbeatEveryMs);
      const line = (outcome: string, failure?: unknown) =>
        log[outcome !== 'done' ? 'warn' : sweeps.includes(activityType) ? 'debug' : 'info'](
          {
            activity: activityType,
            attempt,
            workflow: workflowExecution?.workflowId,
            ms: Math.round(performance.now() - started),
            ...(failure instanceof Error && {
              failure: failure.name,
              type: (failure as { type?: unknown }).type,
            }),
          },
          `activity ${outcome}`,
        );
      try {
        const result: unknown = await next(input);
        line('done');
        return result;
      } catch (error) {
        line('failed', error);
        throw error;
      } finally {
        clearInterval(beating);
      }
    },
  };
}

export interface CheckoutWorkerOptions {
  connection: NativeConnection;
  namespace: string;
  activities: Activities;
  workflowBundle: WorkflowBundleOption;
  log: Logger;
}

/** The worker for everything a caller waits for. Timings: measured against a killed worker, see docs/architecture.md. */
export function createCheckoutWorker(options: CheckoutWorkerOptions): Promise<Worker> {
  return Worker.create({
    connection: options.connection,
    namespace: options.namespace,
    taskQueue: checkoutTaskQueue,
    workflowBundle: options.workflowBundle,
    activities: options.activities,
    interceptors: { activity: [() => ({ inbound: observed(options.log) })] },
    // A task stuck to a dead worker goes to another one after half a second instead of 10 s of silence on the phone.
    stickyQueueScheduleToStartTimeout: 500,
    // A cached run holds some 0.3 MB; one that is not is replayed, which adds about 10 ms to its next answer.
    maxCachedWorkflows: 200,
    workflowTaskPollerBehavior: { type: 'autoscaling' },
    activityTaskPollerBehavior: { type: 'autoscaling' },
    // Longer than any effect (10 s): a deploy lets it finish. A page of a reconciliation is begun again elsewhere.
    shutdownGraceTime: 11_000,
    shutdownForceTime: 15_000,
  });
}
