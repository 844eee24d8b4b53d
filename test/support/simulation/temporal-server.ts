import { defaultFailureConverter, defaultPayloadConverter, type Payload } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { coresdk } from '@temporalio/proto';
import { type ActivityHost, ActivityWorker } from './activity-host.js';
import type { WorkflowIsolate } from './isolate.js';
import type { Random } from './random.js';
import type { PlatformChances, RunEnvironment, Starter } from './run-environment.js';
import { maxUpdatesInFlight, type UpdateOutcome } from './run-updates.js';
import { Violation } from './violation.js';
import type { VirtualTime } from './virtual-time.js';
import { WorkflowRun } from './workflow-run.js';

export interface StartRequest {
  workflowId: string;
  workflowType: string;
  args: Payload[];
  memo: Record<string, Payload>;
  /** Temporal's default for `reuse` is ALLOW_DUPLICATE, for `conflict` FAIL. */
  reuse: string;
  conflict: string;
  taskTimeoutMs: number;
  startDelayMs: number;
}

/** The service refuses; `code` is gRPC's status. */
export class ServiceRefusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const notFound = (workflowId: string) => new ServiceRefusal(5, `no open run of ${workflowId}`);
/** gRPC's ALREADY_EXISTS and RESOURCE_EXHAUSTED. */
export const alreadyExists = 6;
const exhausted = 8;

export interface ServerOptions {
  /** Whether a run of this type may end as failed now. */
  mayFail: (workflowType: string) => boolean;
  time: VirtualTime;
  random: Random;
  isolate: WorkflowIsolate;
  host: ActivityHost;
  chances: PlatformChances;
  /** How long a killed worker is away, ms. */
  workerDownMs: number;
  count: (what: string) => void;
  say: (who: string, text: string) => void;
}

/** As much of Temporal's server as the product uses, in virtual time. What it does not know it refuses loudly. */
export class TemporalServer {
  /** All runs of an id, oldest first. */
  readonly runs = new Map<string, WorkflowRun[]>();
  readonly #env: RunEnvironment;
  readonly #options: ServerOptions;
  #workers: ActivityWorker[] = [];
  #lastRun = 0;
  #lastWorker = 0;

  constructor(options: ServerOptions, workers: number) {
    this.#options = options;
    const { time, random, isolate, host, chances, count } = options;
    this.#env = {
      time,
      random,
      isolate,
      host,
      chances,
      count,
      crash: (worker) => this.#later(() => this.killWorker(worker)),
      seedOf: (runId) => [...runId].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) & 0xffffff, 7),
      startChild: (parent, command, again) => this.#startChild(parent, command, again),
      signalExternal: (from, command) => this.#signalExternal(from, command),
    };
    host.count = count;
    host.onLostResult = (worker) => this.#later(() => this.killWorker(worker));
    for (let number = 0; number < workers; number++) this.#addWorker();
  }

  /** The newest run of an id. */
  current(workflowId: string): WorkflowRun | undefined {
    return this.runs.get(workflowId)?.at(-1);
  }

  all(): WorkflowRun[] {
    return [...this.runs.values()].flat();
  }

  start(request: StartRequest): { run: WorkflowRun; started: boolean } {
    const existing = this.current(request.workflowId);
    if (existing?.isOpen) {
      if (request.conflict === 'USE_EXISTING') return { run: existing, started: false };
      throw new ServiceRefusal(alreadyExists, `${request.workflowId} is running`);
    }
    const failed = existing && existing.status !== 'COMPLETED' && existing.status !== 'CONTINUED_AS_NEW';
    const refused =
      request.reuse === 'REJECT_DUPLICATE' || (request.reuse === 'ALLOW_DUPLICATE_FAILED_ONLY' && !failed);
    if (existing && refused) throw new ServiceRefusal(alreadyExists, `${request.workflowId} was used before`);
    return { run: this.#newRun(request), started: true };
  }

  /** `requestId`: a repetition of a signal that came changes nothing. */
  signal(workflowId: string, name: string, input: Payload[], requestId?: string): void {
    const run = this.current(workflowId);
    if (!run?.isOpen) throw notFound(workflowId);
    if (requestId !== undefined) {
      if (run.requestIds.has(requestId)) {
        this.#options.count('signalsDeduplicated');
        return;
      }
      run.requestIds.add(requestId);
    }
    if (run.isOpening) this.#options.count('signal during opening');
    this.#countAfterGoingOn(run, 'signal');
    run.signal(name, input);
  }

  signalWithStart(request: StartRequest, name: string, input: Payload[], requestId?: string): WorkflowRun {
    const { run } = this.start({ ...request, conflict: 'USE_EXISTING' });
    this.signal(request.workflowId, name, input, requestId);
    return run;
  }

  /** Answers when the update has an outcome; the same id gives the same one. */
  update(workflowId: string, update: { id: string; name: string; args: Payload[] }): Promise<UpdateOutcome> {
    const run = this.current(workflowId);
    if (!run) throw notFound(workflowId);
    if (!run.updates.has(update.id)) {
      if (!run.isOpen) throw notFound(workflowId);
      if (run.updates.inFlight >= maxUpdatesInFlight)
        throw new ServiceRefusal(exhausted, 'too many updates in flight');
      this.#countAfterGoingOn(run, 'request');
      run.updates.admit(update.id);
      run.queue(
        {
          doUpdate: {
            id: update.id,
            protocolInstanceId: update.id,
            name: update.name,
            input: update.args,
            headers: {},
            meta: { identity: 'simulated', updateId: update.id },
            runValidator: true,
          },
        },
        0,
      );
    }
    if (!run.isOpen && !run.updates.outcomeOf(update.id)) throw notFound(workflowId);
    return new Promise((resolve) => run.updates.wait(update.id, resolve));
  }

  /** Starts a run unless there is one, and updates it: in one. */
  updateWithStart(
    request: StartRequest,
    update: { id: string; name: string; args: Payload[] },
  ): Promise<UpdateOutcome> {
    const existing = this.current(request.workflowId);
    if (existing && !existing.isOpen) {
      const known = existing.updates.outcomeOf(update.id);
      if (known) return Promise.resolve(known);
    }
    this.start(request);
    return this.update(request.workflowId, update);
  }

  cancel(workflowId: string): void {
    const run = this.current(workflowId);
    if (!run?.isOpen) throw notFound(workflowId);
    run.queue({ cancelWorkflow: { reason: 'asked for' } });
  }

  async terminate(workflowId: string): Promise<void> {
    const run = this.current(workflowId);
    if (!run?.isOpen) throw notFound(workflowId);
    await run.terminate();
  }

  /** Forgets every run of an id, as a server does that kept them in memory only. */
  async lose(workflowId: string): Promise<void> {
    await this.current(workflowId)?.terminate();
    this.runs.delete(workflowId);
  }

  /** Ends the newest run and goes on from an earlier point of its history, `back` turns before its end. */
  async reset(workflowId: string, back: number): Promise<boolean> {
    const base = this.current(workflowId);
    if (!base || base.log.length < 2) return false;
    const turns = Math.max(1, base.log.length - back);
    await base.terminate();
    const runId = this.#runId();
    const run = new WorkflowRun(
      this.#env,
      { ...base.start, runId, startDelayMs: 0, startedAt: base.startedAt },
      (closed) => this.#closed(closed),
    );
    run.resetFrom(base, turns);
    this.runs.get(workflowId)!.push(run);
    return true;
  }

  async killWorker(worker: ActivityWorker | undefined = this.#workers[0]): Promise<void> {
    if (!worker?.alive) return;
    const { count, say, time, workerDownMs } = this.#options;
    count('crashes');
    say('platform', `${worker.name} is killed`);
    worker.kill();
    this.#workers = this.#workers.filter((one) => one !== worker);
    for (const run of this.all()) await run.workerDied(worker);
    time.after(workerDownMs, () => this.#addWorker());
  }

  /** Every worker stops, and the next ones run this code: they replay what the last ones began. */
  async deploy(isolate: WorkflowIsolate): Promise<void> {
    this.#env.isolate = isolate;
    for (const worker of [...this.#workers]) await this.killWorker(worker);
  }

  /** Drops every workflow from its cache: nothing of a schedule stays in the isolate. */
  async dispose(): Promise<void> {
    for (const run of this.all()) await run.evict();
  }

  #addWorker(): void {
    const worker = new ActivityWorker(`worker ${++this.#lastWorker}`);
    this.#workers.push(worker);
    this.#options.host.addWorker(worker);
  }

  #later(run: () => Promise<void>): void {
    this.#options.time.after(0, run);
  }

  #runId(): string {
    const number = (++this.#lastRun).toString(16).padStart(12, '0');
    return `00000000-0000-4000-8000-${number}`;
  }

  #newRun(request: StartRequest): WorkflowRun {
    const runId = this.#runId();
    const run = new WorkflowRun(
      this.#env,
      {
        workflowId: request.workflowId,
        runId,
        originalRunId: runId,
        workflowType: request.workflowType,
        args: request.args,
        memo: request.memo,
        taskTimeoutMs: request.taskTimeoutMs,
        startDelayMs: request.startDelayMs,
      },
      (closed) => this.#closed(closed),
    );
    const others = this.runs.get(request.workflowId);
    if (others) others.push(run);
    else this.runs.set(request.workflowId, [run]);
    run.begin();
    return run;
  }

  /** Runs that an earlier one of the same workflow has gone on as. */
  readonly #wentOn = new WeakSet<WorkflowRun>();

  /** Counts what reaches a run whose predecessor continued as new. */
  #countAfterGoingOn(run: WorkflowRun, what: 'request' | 'signal'): void {
    if (this.#wentOn.has(run)) this.#options.count(`${run.start.workflowType} ${what} after it went on`);
  }

  readonly #childEnds = new Map<string, (run: WorkflowRun) => void>();

  #closed(run: WorkflowRun): void {
    this.#options.say('temporal', `${run.workflowId} ${run.status.toLowerCase()}`);
    if (run.status === 'FAILED' && !this.#options.mayFail(run.start.workflowType))
      throw new Violation('I10', `${run.workflowId} failed: ${String(run.result)}`);
    if (run.continuedAs) {
      const { workflowId, workflowType, taskTimeoutMs } = run.start;
      const next = this.#newRun({
        workflowId,
        workflowType,
        taskTimeoutMs,
        ...run.continuedAs,
        reuse: 'ALLOW_DUPLICATE',
        conflict: 'FAIL',
        startDelayMs: 0,
      });
      next.requestIds.clear();
      this.#wentOn.add(next);
      return;
    }
    this.#childEnds.get(run.start.runId)?.(run);
  }

  /** `again`: the parent was reset to before it heard of a child that may run since. */
  #startChild(
    parent: Starter,
    command: coresdk.workflow_commands.IStartChildWorkflowExecution,
    again: boolean,
  ): void {
    const { workflowId, workflowType, input, memo, workflowIdReusePolicy } = command;
    const seq = command.seq ?? 0;
    // ABANDON, the only one the product uses: other policies would end the child with its parent.
    if (Number(command.parentClosePolicy) !== 2)
      throw new Violation('simulation', 'a child that is not abandoned');
    const { time, host } = this.#env;
    time.after(host.latency(), () => {
      try {
        const running = again ? this.current(workflowId ?? '') : undefined;
        const run =
          running ??
          this.start({
            workflowId: workflowId ?? '',
            workflowType: workflowType ?? '',
            args: input ?? [],
            memo: memo ?? {},
            reuse: Number(workflowIdReusePolicy) === 3 ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
            conflict: 'FAIL',
            taskTimeoutMs: command.workflowTaskTimeout ? tsToMs(command.workflowTaskTimeout) : 10_000,
            startDelayMs: 0,
          }).run;
        const { runId } = run.start;
        parent.queue({ resolveChildWorkflowExecutionStart: { seq, succeeded: { runId } } });
        this.#childEnds.set(runId, (child) => {
          const failure = child.status === 'COMPLETED' ? undefined : childFailure(child);
          parent.queue({
            resolveChildWorkflowExecution: {
              seq,
              result: failure
                ? { failed: { failure } }
                : { completed: { result: defaultPayloadConverter.toPayload(child.result) } },
            },
          });
        });
      } catch (error) {
        if (!(error instanceof ServiceRefusal)) throw error;
        parent.queue({
          resolveChildWorkflowExecutionStart: {
            seq,
            failed: { workflowId: workflowId ?? '', workflowType: workflowType ?? '', cause: 1 },
          },
        });
      }
    });
  }

  #signalExternal(from: Starter, command: coresdk.workflow_commands.ISignalExternalWorkflowExecution): void {
    const { workflowExecution, signalName, args } = command;
    const seq = command.seq ?? 0;
    const { time, host } = this.#env;
    time.after(host.latency(), () => {
      try {
        this.signal(workflowExecution?.workflowId ?? '', signalName ?? '', args ?? []);
        from.queue({ resolveSignalExternalWorkflow: { seq } });
      } catch (error) {
        if (!(error instanceof ServiceRefusal)) throw error;
        const failure = defaultFailureConverter.errorToFailure(
          new Error('Unable to signal external workflow because it was not found'),
          defaultPayloadConverter,
        );
        from.queue({ resolveSignalExternalWorkflow: { seq, failure } });
      }
    });
  }
}

const childFailure = (child: WorkflowRun) =>
  defaultFailureConverter.errorToFailure(
    new Error(`child ${child.status.toLowerCase()}`),
    defaultPayloadConverter,
  );
