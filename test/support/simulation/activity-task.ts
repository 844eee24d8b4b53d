import {
  ApplicationFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
  TimeoutFailure,
} from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { coresdk, google, temporal } from '@temporalio/proto';
import type { ActivityHost, ActivityWorker } from './activity-host.js';
import type { Job } from './isolate.js';
import type { Process } from './virtual-time.js';

type Failure = temporal.api.failure.v1.IFailure;
type Duration = google.protobuf.IDuration | null | undefined;
export type ScheduledActivity = coresdk.workflow_commands.IScheduleActivity;

const ms = (duration: Duration): number | undefined => {
  const value = duration ? tsToMs(duration) : 0;
  return value > 0 ? value : undefined;
};

/** One attempt: a process of its own, whose late answer nobody takes. */
interface Attempt extends Process {
  worker: ActivityWorker;
}

/** An activity as Temporal's server keeps it: attempts, time-outs and the retry policy. */
export class ActivityTask {
  readonly command: ScheduledActivity;
  readonly #host: ActivityHost;
  readonly #workflow: { workflowId: string; runId: string };
  readonly #resolve: (job: Job) => void;
  readonly #scheduledAt: number;
  #attempt = 0;
  #running: Attempt | undefined;
  #lastFailure: Failure | undefined;
  #remembered: unknown;
  #over = false;

  constructor(
    host: ActivityHost,
    workflow: { workflowId: string; runId: string },
    command: ScheduledActivity,
    resolve: (job: Job) => void,
  ) {
    this.#host = host;
    this.#workflow = workflow;
    this.command = command;
    this.#resolve = resolve;
    this.#scheduledAt = host.time.now;
    const total = ms(command.scheduleToCloseTimeout);
    if (total !== undefined) host.time.after(total, () => this.#outOfTime());
    host.time.after(host.latency(), () => this.#begin());
  }

  /** Nobody waits for it any more; an attempt under way goes on, as at a real worker. */
  abandon(): void {
    this.#over = true;
  }

  #begin(): void {
    if (this.#over) return;
    const worker = this.#host.takeWorker();
    if (!worker) {
      this.#host.whenWorkerIsBack(() => this.#begin());
      return;
    }
    this.#attempt++;
    const attempt: Attempt = { alive: true, worker };
    this.#running = attempt;
    const { time } = this.#host;
    const limit = ms(this.command.startToCloseTimeout);
    if (limit !== undefined) {
      time.after(limit, () => this.#timedOut(attempt, 'START_TO_CLOSE', 'activity StartToClose timeout'));
    }
    worker.onDeath(() => {
      attempt.alive = false;
      const heartbeat = ms(this.command.heartbeatTimeout) ?? limit ?? 10_000;
      time.after(heartbeat, () => this.#timedOut(attempt, 'HEARTBEAT', 'activity Heartbeat timeout'));
    });
    const scheduleToClose = ms(this.command.scheduleToCloseTimeout) ?? 0;
    void this.#host
      .run(attempt, {
        activityId: this.command.activityId ?? '',
        activityType: this.command.activityType ?? '',
        input: this.command.arguments ?? [],
        attempt: this.#attempt,
        workflow: this.#workflow,
        isLocal: false,
        scheduledAt: this.#scheduledAt,
        scheduleToCloseMs: scheduleToClose,
        heartbeatDetails: this.#remembered,
        heartbeat: (details) => {
          if (this.#isCurrent(attempt)) this.#remembered = details;
        },
      })
      .then(
        (value) => this.#completed(attempt, value),
        (error: unknown) => this.#failed(attempt, error),
      );
  }

  #isCurrent(attempt: Attempt): boolean {
    return !this.#over && this.#running === attempt && attempt.alive;
  }

  #completed(attempt: Attempt, value: unknown): void {
    if (!this.#isCurrent(attempt)) {
      if (attempt.alive) this.#host.count('late answer of an attempt');
      return;
    }
    if (this.#host.losesResult(attempt.worker)) return;
    this.#over = true;
    this.#resolve({
      resolveActivity: {
        seq: this.command.seq ?? 0,
        result: { completed: { result: defaultPayloadConverter.toPayload(value) } },
      },
    });
  }

  #failed(attempt: Attempt, error: unknown): void {
    if (!this.#isCurrent(attempt)) return;
    this.#running = undefined;
    const failure = defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);
    const type = error instanceof ApplicationFailure ? (error.type ?? '') : (error as Error).name;
    const final =
      (error instanceof ApplicationFailure && error.nonRetryable === true) ||
      (this.command.retryPolicy?.nonRetryableErrorTypes ?? []).includes(type);
    const asked: unknown = error instanceof ApplicationFailure ? error.nextRetryDelay : undefined;
    this.#retry(failure, { final, ...(typeof asked === 'number' && { asked }) });
  }

  #timedOut(attempt: Attempt, kind: 'START_TO_CLOSE' | 'HEARTBEAT', message: string): void {
    if (this.#over || this.#running !== attempt) return;
    this.#running = undefined;
    this.#host.count(`timeout ${kind}`);
    const error = new TimeoutFailure(message, undefined, kind);
    this.#retry(defaultFailureConverter.errorToFailure(error, defaultPayloadConverter), { final: false });
  }

  #retry(failure: Failure, { final, asked }: { final: boolean; asked?: number }): void {
    this.#lastFailure = failure;
    const policy = this.command.retryPolicy ?? {};
    const max = policy.maximumAttempts ?? 0;
    const initial = ms(policy.initialInterval) ?? 1_000;
    const longest = ms(policy.maximumInterval) ?? 100 * initial;
    const backoff = Math.min(longest, initial * (policy.backoffCoefficient || 2) ** (this.#attempt - 1));
    const wait = asked ?? backoff;
    const total = ms(this.command.scheduleToCloseTimeout);
    const tooLate = total !== undefined && this.#host.time.now + wait >= this.#scheduledAt + total;
    if (tooLate) this.#host.count('timeout SCHEDULE_TO_CLOSE');
    if (final || (max > 0 && this.#attempt >= max) || tooLate) {
      this.#fail(failure);
      return;
    }
    this.#host.time.after(wait, () => this.#begin());
  }

  #outOfTime(): void {
    if (this.#over) return;
    this.#host.count('timeout SCHEDULE_TO_CLOSE');
    const error = new TimeoutFailure('activity ScheduleToClose timeout', undefined, 'SCHEDULE_TO_CLOSE');
    const failure = defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);
    this.#fail({ ...failure, ...(this.#lastFailure && { cause: this.#lastFailure }) });
  }

  #fail(cause: Failure): void {
    this.#over = true;
    this.#running = undefined;
    this.#resolve({
      resolveActivity: {
        seq: this.command.seq ?? 0,
        result: { failed: { failure: activityFailure(this.command, cause) } },
      },
    });
  }
}

/** The failure a workflow gets: the cause, and which activity it was. */
export function activityFailure(
  { activityId, activityType }: { activityId?: string | null; activityType?: string | null },
  cause: Failure,
): Failure {
  return {
    message: 'Activity task failed',
    source: 'TypeScriptSDK',
    cause,
    activityFailureInfo: {
      activityId: activityId ?? '',
      activityType: { name: activityType ?? '' },
      identity: 'simulated',
    },
  };
}
