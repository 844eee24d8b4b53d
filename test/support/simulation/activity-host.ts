import { asyncLocalStorage, Context, type Info } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter, noopMetricMeter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { Random } from './random.js';
import { type Process, runningProcess, type VirtualTime } from './virtual-time.js';

export type ActivityFunctions = Readonly<Record<string, (input: never) => Promise<unknown>>>;

export interface ActivityStart {
  /** What the attempt before remembered, and how this one does; absent for a local activity. */
  heartbeatDetails?: unknown;
  heartbeat?: (details: unknown) => void;
  activityId: string;
  activityType: string;
  input: readonly temporal.api.common.v1.IPayload[];
  attempt: number;
  workflow: { workflowId: string; runId: string };
  isLocal: boolean;
  /** Epoch ms. */
  scheduledAt: number;
  scheduleToCloseMs: number;
}

/** A worker process: holds workflows in its cache and runs activities until it is killed. */
export class ActivityWorker {
  readonly name: string;
  alive = true;
  #atDeath: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  onDeath(run: () => void): void {
    this.#atDeath.push(run);
  }

  kill(): void {
    this.alive = false;
    const last = this.#atDeath;
    this.#atDeath = [];
    for (const run of last) run();
  }
}

const never = new Promise<never>(() => undefined);
const silent = () => undefined;
const quiet = { log: silent, trace: silent, debug: silent, info: silent, warn: silent, error: silent };

/** Runs the product's activities as a worker does: in a context, with the client, one attempt at a time. */
export class ActivityHost {
  readonly time: VirtualTime;
  readonly #random: Random;
  readonly #activities: ActivityFunctions;
  readonly #client: Client;
  readonly #lostResults: () => number;
  #workers: ActivityWorker[] = [];
  #waiting: (() => void)[] = [];
  /** Called with the worker whose answer was lost with it. */
  onLostResult: (worker: ActivityWorker) => void = () => undefined;
  /** Called for what the coverage table counts. */
  count: (what: string) => void = () => undefined;

  /** `lostResults`: how often, 0 to 1, a worker dies after an effect and before it could say so. */
  constructor(
    time: VirtualTime,
    random: Random,
    product: { activities: ActivityFunctions; client: Client; lostResults: () => number },
  ) {
    this.time = time;
    this.#random = random;
    this.#activities = product.activities;
    this.#client = product.client;
    this.#lostResults = product.lostResults;
  }

  /** Ms until somebody takes a task. */
  latency(): number {
    return this.#random.between(1, 6);
  }

  addWorker(worker: ActivityWorker): void {
    this.#workers.push(worker);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  takeWorker(): ActivityWorker | undefined {
    this.#workers = this.#workers.filter(({ alive }) => alive);
    return this.#workers.length > 0 ? this.#random.pick(this.#workers) : undefined;
  }

  whenWorkerIsBack(run: () => void): void {
    this.#waiting.push(run);
  }

  losesResult(worker: ActivityWorker): boolean {
    const chance = this.#lostResults();
    if (chance === 0 || !this.#random.chance(chance)) return false;
    this.count('result lost with its worker');
    this.onLostResult(worker);
    return true;
  }

  run(process: Process, start: ActivityStart): Promise<unknown> {
    const activity = this.#activities[start.activityType];
    if (!activity) throw new Error(`no activity is called ${start.activityType}`);
    const input = start.input.map((payload) => defaultPayloadConverter.fromPayload(payload));
    const info = {
      taskToken: new Uint8Array(),
      base64TaskToken: '',
      activityId: start.activityId,
      activityType: start.activityType,
      attempt: start.attempt,
      isLocal: start.isLocal,
      taskQueue: 'checkout',
      workflowType: start.workflow.workflowId.split('/')[0] ?? '',
      workflowExecution: start.workflow,
      workflowNamespace: 'default',
      activityNamespace: 'default',
      namespace: 'default',
      scheduledTimestampMs: start.scheduledAt,
      currentAttemptScheduledTimestampMs: this.time.now,
      startToCloseTimeoutMs: 10_000,
      scheduleToCloseTimeoutMs: start.scheduleToCloseMs,
      heartbeatDetails: start.heartbeatDetails,
      inWorkflow: true,
    } as unknown as Info;
    const context = new Context(
      info,
      never,
      new AbortController().signal,
      start.heartbeat ?? silent,
      this.#client,
      quiet,
      noopMetricMeter,
      {
        details: undefined,
      } as unknown as ConstructorParameters<typeof Context>[7],
    );
    return runningProcess.run(process, () =>
      asyncLocalStorage.run(context, async () => activity(...(input as [never]))),
    );
  }
}
