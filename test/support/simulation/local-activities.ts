import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { msNumberToTs, tsToMs } from '@temporalio/common/lib/time.js';
import type { coresdk, google } from '@temporalio/proto';
import { activityFailure } from './activity-task.js';
import type { Job } from './isolate.js';
import type { RunEnvironment } from './run-environment.js';
import type { Turn } from './turn.js';
import type { Process } from './virtual-time.js';

type Local = coresdk.workflow_commands.IScheduleLocalActivity;

const ms = (duration: google.protobuf.IDuration | null | undefined, otherwise: number) =>
  duration ? tsToMs(duration) : otherwise;

/** The local activities of a run: they run inside a workflow task, and again when it is lost. */
export class LocalActivities {
  /** Of the open task. */
  readonly #current = new Map<number, Process>();
  /** Scheduled by a completed task, and not ended by then. */
  #leftOver: Local[] = [];
  readonly #env: RunEnvironment;
  readonly #workflow: { workflowId: string; runId: string };
  readonly #resolve: (job: Job) => void;

  constructor(
    env: RunEnvironment,
    workflow: { workflowId: string; runId: string },
    resolve: (job: Job) => void,
  ) {
    this.#env = env;
    this.#workflow = workflow;
    this.#resolve = resolve;
  }

  get running(): number {
    return this.#current.size;
  }

  get mustRun(): boolean {
    return this.#leftOver.length > 0 || this.#current.size > 0;
  }

  begin(commands: Turn['commands']): void {
    for (const { scheduleLocalActivity } of commands)
      if (scheduleLocalActivity) this.#run(scheduleLocalActivity);
  }

  leaveOver(command: Local): void {
    this.#leftOver.push(command);
  }

  runLeftOver(): void {
    for (const command of this.#leftOver.splice(0)) this.#run(command);
  }

  /**
   * A task is lost, and answers that no task had taken: what it scheduled will be scheduled again, what was older runs again,
   * also where its answer was in the task.
   */
  forget(turns: readonly Turn[], untaken: readonly Job[] = []): void {
    const lost = new Set(
      turns.flatMap(({ commands }) =>
        commands.map(({ scheduleLocalActivity }) => scheduleLocalActivity?.seq),
      ),
    );
    const answered = [...turns.flatMap(({ jobs }) => jobs), ...untaken].flatMap(({ resolveActivity }) =>
      resolveActivity?.isLocal ? [resolveActivity.seq ?? 0] : [],
    );
    for (const process of this.#current.values()) process.alive = false;
    const older = [...answered, ...this.#current.keys()].filter((seq) => !lost.has(seq));
    this.#current.clear();
    this.#leftOver.push(...older.map((seq) => this.#commands.get(seq)!));
  }

  readonly #commands = new Map<number, Local>();

  #run(command: Local, tries = command.attempt || 1): void {
    const { time, host } = this.#env;
    const seq = command.seq ?? 0;
    const process: Process = { alive: true };
    this.#commands.set(seq, command);
    this.#current.set(seq, process);
    const done = (result: coresdk.activity_result.IActivityResolution) => {
      if (!process.alive) return;
      this.#current.delete(seq);
      this.#resolve({ resolveActivity: { seq, result, isLocal: true } });
    };
    const attempt = host.run(process, {
      activityId: command.activityId ?? '',
      activityType: command.activityType ?? '',
      input: command.arguments ?? [],
      attempt: tries,
      workflow: this.#workflow,
      isLocal: true,
      scheduledAt: time.now,
      scheduleToCloseMs: ms(command.scheduleToCloseTimeout, 0),
    });
    void attempt.then(
      (value) => done({ completed: { result: defaultPayloadConverter.toPayload(value) } }),
      (error: unknown) => {
        if (!process.alive) return;
        const policy = command.retryPolicy ?? {};
        const wait = Math.min(
          ms(policy.maximumInterval, Infinity),
          ms(policy.initialInterval, 1_000) * (policy.backoffCoefficient || 2) ** (tries - 1),
        );
        const first = command.originalScheduleTime ?? msNumberToTs(time.now);
        const until = tsToMs(first) + ms(command.scheduleToCloseTimeout, Infinity);
        const max = policy.maximumAttempts ?? 0;
        if ((max > 0 && tries >= max) || time.now + wait >= until) {
          const failure = defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);
          done({ failed: { failure: activityFailure(command, failure) } });
        } else if (wait > ms(command.localRetryThreshold, 60_000)) {
          const backoff = {
            attempt: tries + 1,
            backoffDuration: msNumberToTs(wait),
            originalScheduleTime: first,
          };
          done({ backoff });
        } else {
          time.after(wait, () => {
            if (process.alive) this.#run(command, tries + 1);
          });
        }
      },
    );
  }
}
