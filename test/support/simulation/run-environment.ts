import type { coresdk } from '@temporalio/proto';
import type { ActivityHost, ActivityWorker } from './activity-host.js';
import type { Job, WorkflowIsolate } from './isolate.js';
import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

/** How often the platform misbehaves, 0 to 1. */
export interface PlatformChances {
  /** A worker dies at the end of an activation, before Temporal hears of it. */
  crash: number;
  /** A workflow falls out of the cache after a task. */
  evict: number;
  /** The next task goes to another worker, which replays the history. */
  otherWorker: number;
  /** A history of so many events should continue as new. */
  suggestContinueAfter: number;
}

/** A run that is told of what it started. */
export interface Starter {
  queue: (job: Job) => void;
}

/** What a run needs of the world around it. */
export interface RunEnvironment {
  time: VirtualTime;
  random: Random;
  isolate: WorkflowIsolate;
  host: ActivityHost;
  chances: PlatformChances;
  count: (what: string) => void;
  crash: (worker: ActivityWorker) => void;
  seedOf: (runId: string) => number;
  /** `again`: a reset run asks for a child that the run before it may have started. */
  startChild: (
    parent: Starter,
    command: coresdk.workflow_commands.IStartChildWorkflowExecution,
    again: boolean,
  ) => void;
  signalExternal: (
    from: Starter,
    command: coresdk.workflow_commands.ISignalExternalWorkflowExecution,
  ) => void;
}
