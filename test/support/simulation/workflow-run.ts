import { defaultFailureConverter, defaultPayloadConverter, type Payload } from '@temporalio/common';
import { msNumberToTs, tsToMs } from '@temporalio/common/lib/time.js';
import type { ActivityWorker } from './activity-host.js';
import { ActivityTask } from './activity-task.js';
import { type Command, commandText, type Job, type LoadedWorkflow } from './isolate.js';
import { LocalActivities } from './local-activities.js';
import type { RunEnvironment } from './run-environment.js';
import { RunUpdates } from './run-updates.js';
import type { Turn } from './turn.js';
import { Violation } from './violation.js';

export type RunStatus = 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TERMINATED' | 'CONTINUED_AS_NEW';

/** A workflow task that a worker has taken and not completed. */
interface OpenTask {
  taken: Job[];
  turns: Turn[];
  worker: ActivityWorker;
  lost: boolean;
}

export interface RunStart {
  workflowId: string;
  runId: string;
  originalRunId: string;
  workflowType: string;
  args: Payload[];
  memo: Record<string, Payload>;
  taskTimeoutMs: number;
  startDelayMs: number;
  /** Of the run that a reset goes on from, epoch ms; else it starts now. */
  startedAt?: number;
}

/** Memo fields made visible, in order: what a reader of the history sees. */
export interface Publication {
  at: number;
  started: boolean;
  fields: Record<string, Payload>;
}

/** One run of a workflow as Temporal's server and its workers keep it: history, tasks, timers, activities. */
export class WorkflowRun {
  readonly start: RunStart;
  readonly startedAt: number;
  status: RunStatus = 'RUNNING';
  /** Epoch ms; Infinity while it is open. */
  closedAt = Infinity;
  /** Events a real history would have by now. */
  events = 1;
  memo: Record<string, Payload>;
  readonly publications: Publication[];
  readonly log: Turn[] = [];
  readonly updates: RunUpdates;
  /** Vendor's or the client's ids of requests that came: a repetition changes nothing. */
  readonly requestIds = new Set<string>();
  /** What came by signals, whether a task has taken it or not. */
  readonly signals: { name: string; input: Payload[] }[] = [];
  result: unknown;
  continuedAs: { args: Payload[]; memo: Record<string, Payload> } | undefined;
  readonly #env: RunEnvironment;
  readonly #onClose: (run: WorkflowRun) => void;
  readonly #timers = new Map<number, { at: number; event: ReturnType<RunEnvironment['time']['after']> }>();
  readonly #activities = new Map<number, ActivityTask>();
  readonly #locals: LocalActivities;
  readonly #patches = new Set<string>();
  #jobs: Job[] = [];
  #waking = false;
  #open: OpenTask | undefined;
  /** Accepted by a run that was reset, and brought again to this one. */
  readonly #readmitted: NonNullable<Job['doUpdate']>[] = [];
  /** Of local activities, which the workflow has not been told yet. */
  #answers: Job[] = [];
  #loaded: LoadedWorkflow | undefined;
  #sticky: ActivityWorker | undefined;

  constructor(env: RunEnvironment, start: RunStart, onClose: (run: WorkflowRun) => void) {
    this.#env = env;
    this.start = start;
    this.startedAt = start.startedAt ?? env.time.now;
    this.memo = { ...start.memo };
    this.publications = [{ at: env.time.now, started: true, fields: start.memo }];
    this.#onClose = onClose;
    this.updates = new RunUpdates(env.time, () => this.status === 'RUNNING');
    this.#locals = new LocalActivities(env, start, (job) => this.#localResolved(job));
  }

  get workflowId(): string {
    return this.start.workflowId;
  }

  /** A new run begins with its first task. */
  begin(): void {
    const { workflowId, workflowType, args, memo, originalRunId, runId, taskTimeoutMs } = this.start;
    this.#jobs.unshift({
      initializeWorkflow: {
        workflowType,
        workflowId,
        arguments: args,
        memo: { fields: memo },
        attempt: 1,
        firstExecutionRunId: runId,
        originalExecutionRunId: originalRunId,
        startTime: msNumberToTs(this.startedAt),
        workflowTaskTimeout: msNumberToTs(taskTimeoutMs),
      },
    });
    this.#wake(this.start.startDelayMs);
  }

  get isOpen(): boolean {
    return this.status === 'RUNNING';
  }

  /** Something happened that the workflow is to be told. */
  queue(job: Job, events = 1): void {
    if (!this.isOpen) return;
    this.events += events;
    this.#jobs.push(job);
    // Signals and updates end a start delay; nothing else can come before.
    this.#wake(0);
  }

  signal(name: string, input: Payload[]): void {
    this.signals.push({ name, input });
    this.queue({ signalWorkflow: { signalName: name, input, identity: 'simulated', headers: {} } });
  }

  /** Something is being opened at a vendor, and its id is not known yet. */
  get isOpening(): boolean {
    return this.#asks(['requestWalletApproval', 'createCharge', 'openPaymentPage', 'submitRefund']);
  }

  /** Something may become open to the caller of which nobody knows. */
  get isReaching(): boolean {
    return this.isOpening || this.#asks(['sendPaymentLink']);
  }

  #asks(activities: readonly string[]): boolean {
    return [...this.#activities.values()].some(({ command }) =>
      activities.includes(command.activityType ?? ''),
    );
  }

  /** The worker that holds it died: an open task is lost, the next one replays the whole history. */
  async workerDied(worker: ActivityWorker): Promise<void> {
    if (this.#sticky !== worker) return;
    await this.evict();
    this.#loseTask();
  }

  #loseTask(): void {
    const open = this.#open;
    this.#locals.forget(open?.turns ?? [], this.#answers.splice(0));
    if (open) {
      open.lost = true;
      this.#open = undefined;
      this.#jobs = [...open.taken, ...this.#jobs];
    }
    this.#env.time.after(this.start.taskTimeoutMs, () => this.#wake(0));
  }

  /** Falls out of the worker's cache. */
  async evict(): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    this.#sticky = undefined;
    if (loaded) await loaded.dispose();
  }

  async terminate(): Promise<void> {
    if (!this.isOpen) return;
    this.events++;
    await this.#close('TERMINATED');
  }

  #wake(delay: number): void {
    if (!this.isOpen || this.#waking || this.#open) return;
    if (this.#jobs.length === 0 && this.#answers.length === 0 && !this.#locals.mustRun) return;
    this.#waking = true;
    const { time, host } = this.#env;
    time.after(delay + host.latency(), () => this.#beginTask());
  }

  async #beginTask(): Promise<void> {
    if (!this.isOpen) return;
    const { host } = this.#env;
    const worker = host.takeWorker();
    if (!worker) {
      host.whenWorkerIsBack(() => void this.#env.time.after(0, () => this.#beginTask()));
      return;
    }
    this.#waking = false;
    if (this.#sticky !== undefined && this.#sticky !== worker && this.#sticky.alive) {
      if (!this.#env.random.chance(this.#env.chances.otherWorker)) this.#env.count('sticky');
      else await this.evict();
    }
    this.events += 2;
    const open: OpenTask = { taken: this.#jobs, turns: [], worker: this.#sticky ?? worker, lost: false };
    this.#jobs = [];
    this.#open = open;
    await this.#restore();
    this.#sticky = open.worker;
    this.#locals.runLeftOver();
    if (open.taken.length > 0) await this.#turn(open, open.taken);
    await this.#takeAnswers();
    if (open.turns.length === 0) this.#endTurn(open);
  }

  async #turn(open: OpenTask, jobs: Job[]): Promise<void> {
    const workflow = this.#loaded;
    if (open.lost || !workflow) return;
    const turn: Turn = {
      at: this.#env.time.now,
      jobs: inOrder(jobs),
      commands: [],
      historyLength: this.events,
      continueAsNewSuggested: this.events >= this.#env.chances.suggestContinueAfter,
    };
    try {
      turn.commands = await workflow.activate({ ...turn, replaying: false });
    } catch (error) {
      throw new Violation(
        'I10',
        `${this.workflowId}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.#env.count('activations');
    open.turns.push(turn);
    // The worker begins none for a run that ends with the same answer.
    if (!turn.commands.some((command) => closes(command))) this.#locals.begin(turn.commands);
    this.#endTurn(open);
  }

  #endTurn(open: OpenTask): void {
    const { time, random, chances } = this.#env;
    if (this.#locals.running > 0) {
      // The worker keeps the task by completing it and taking the next one.
      time.after(this.start.taskTimeoutMs * 0.8, () => this.#completeTask(open));
      return;
    }
    if (chances.crash > 0 && random.chance(chances.crash)) {
      this.#env.crash(open.worker);
      return;
    }
    // Mostly at once; a slow way back leaves room for what comes meanwhile.
    const wayBack = random.chance(0.1) ? random.between(5, 80) : random.between(0, 3);
    time.after(wayBack, () => this.#completeTask(open));
  }

  #localResolved(job: Job): void {
    this.#answers.push(job);
    this.#env.time.after(0, () => this.#takeAnswers());
  }

  async #takeAnswers(): Promise<void> {
    const open = this.#open;
    // Between two tasks: the next one takes them.
    if (!open || !this.#loaded) return this.#wake(0);
    for (const job of this.#answers.splice(0)) await this.#turn(open, [job]);
  }

  async #completeTask(open: OpenTask): Promise<void> {
    if (open.lost || this.#open !== open || !this.isOpen) return;
    const commands = open.turns.flatMap((turn) => turn.commands);
    const ending = commands.some((command) => closes(command));
    if (ending && this.#jobs.length > 0) {
      // Something came in between: the server takes no end of which the workflow did not know that.
      this.#env.count('unhandledCommand');
      if (commands.some((command) => command.continueAsNewWorkflowExecution))
        this.#env.count(`${this.start.workflowType} asked while it went on`);
      this.#open = undefined;
      open.lost = true;
      this.#locals.forget(open.turns);
      this.#jobs = [...open.taken, ...this.#jobs];
      await this.evict();
      this.#wake(0);
      return;
    }
    this.#open = undefined;
    this.events++;
    for (const turn of open.turns) {
      const kept = this.updates.withoutRejected(turn);
      if (kept) this.log.push(kept);
    }
    for (const command of commands) await this.#apply(command);
    if (!this.isOpen) return;
    const { random, chances } = this.#env;
    if (chances.evict > 0 && random.chance(chances.evict)) await this.evict();
    this.#wake(0);
  }

  /** Rebuilds the workflow from its history, and compares what it commands with what it commanded. */
  async #restore(): Promise<void> {
    if (this.#loaded) return;
    const { isolate, count } = this.#env;
    const { workflowId, runId, originalRunId, workflowType } = this.start;
    this.#loaded = await isolate.load({
      workflowId,
      runId,
      originalRunId,
      workflowType,
      startedAt: this.startedAt,
      seed: this.#env.seedOf(originalRunId),
    });
    if (this.log.length > 0) count('replays');
    for (const turn of this.log) {
      const patches = turn.commands.flatMap(({ setPatchMarker }) => setPatchMarker?.patchId ?? []);
      const jobs = turn.jobs.map((job) =>
        job.doUpdate ? { doUpdate: { ...job.doUpdate, runValidator: false } } : job,
      );
      let commands: Command[];
      try {
        commands = await this.#loaded.activate({
          ...turn,
          jobs: [...patches.map((patchId) => ({ notifyHasPatch: { patchId } })), ...jobs],
          replaying: true,
        });
      } catch (error) {
        throw new Violation(
          'I11',
          `${workflowId}: replay failed, ${error instanceof Error ? error.message : 'unknown'}`,
        );
      }
      if (commandText(commands) !== commandText(turn.commands)) {
        const names = (list: readonly Command[]) => list.map((command) => variantOf(command)).join(', ');
        throw new Violation(
          'I11',
          `${workflowId}: replay commands other things: ${names(commands)} instead of ${names(turn.commands)}`,
        );
      }
    }
  }

  async #apply(command: Command): Promise<void> {
    const { time, host } = this.#env;
    const variant = variantOf(command);
    switch (variant) {
      case 'startTimer': {
        const { seq, startToFireTimeout } = command.startTimer!;
        this.events++;
        this.#armTimer(seq ?? 0, time.now + tsToMs(startToFireTimeout));
        return;
      }
      case 'cancelTimer': {
        const seq = command.cancelTimer!.seq ?? 0;
        time.cancel(this.#timers.get(seq)?.event);
        this.#timers.delete(seq);
        this.#jobs = this.#jobs.filter((job) => job.fireTimer?.seq !== seq);
        this.events++;
        return;
      }
      case 'scheduleActivity': {
        const scheduled = command.scheduleActivity!;
        const seq = scheduled.seq ?? 0;
        this.events++;
        this.#env.count('activities');
        const task = new ActivityTask(host, this.start, scheduled, (job) => {
          this.#activities.delete(seq);
          this.queue(job, 2);
        });
        this.#activities.set(seq, task);
        return;
      }
      case 'requestCancelActivity': {
        const seq = command.requestCancelActivity!.seq ?? 0;
        const task = this.#activities.get(seq);
        if (!task) return;
        task.abandon();
        this.#activities.delete(seq);
        this.events++;
        this.queue({ resolveActivity: { seq, result: { cancelled: { failure: canceledFailure } } } });
        return;
      }
      case 'scheduleLocalActivity':
        this.events++;
        return;
      case 'modifyWorkflowProperties': {
        const fields = command.modifyWorkflowProperties!.upsertedMemo?.fields ?? {};
        this.events++;
        this.memo = { ...this.memo, ...(fields as Record<string, Payload>) };
        this.publications.push({ at: time.now, started: false, fields: fields });
        return;
      }
      case 'upsertWorkflowSearchAttributes':
        this.events++;
        return;
      case 'setPatchMarker':
        this.#patches.add(command.setPatchMarker!.patchId ?? '');
        this.events += 2;
        return;
      case 'updateResponse':
        this.events += this.updates.respond(command.updateResponse!);
        return;
      case 'startChildWorkflowExecution':
        this.events += 2;
        this.#env.startChild(this, command.startChildWorkflowExecution!, false);
        return;
      case 'signalExternalWorkflowExecution':
        this.events += 2;
        this.#env.signalExternal(this, command.signalExternalWorkflowExecution!);
        return;
      case 'completeWorkflowExecution': {
        const { result } = command.completeWorkflowExecution!;
        this.result = result ? defaultPayloadConverter.fromPayload(result) : undefined;
        return this.#close('COMPLETED');
      }
      case 'failWorkflowExecution': {
        const { failure } = command.failWorkflowExecution!;
        this.result = failure?.message;
        return this.#close('FAILED');
      }
      case 'cancelWorkflowExecution':
        return this.#close('CANCELLED');
      case 'continueAsNewWorkflowExecution': {
        const { arguments: args, memo } = command.continueAsNewWorkflowExecution!;
        this.continuedAs = {
          args: args ?? [],
          memo: Object.keys(memo ?? {}).length > 0 ? (memo as Record<string, Payload>) : this.memo,
        };
        return this.#close('CONTINUED_AS_NEW');
      }
      default:
        throw new Violation('simulation', `a command it does not know: ${variant}`);
    }
  }

  #armTimer(seq: number, at: number): void {
    const event = this.#env.time.at(at, () => {
      this.#timers.delete(seq);
      this.queue({ fireTimer: { seq } });
    });
    this.#timers.set(seq, { at, event });
  }

  async #close(status: RunStatus): Promise<void> {
    this.status = status;
    this.closedAt = this.#env.time.now;
    this.events++;
    for (const { event } of this.#timers.values()) this.#env.time.cancel(event);
    for (const task of this.#activities.values()) task.abandon();
    const open = this.#open;
    if (open) open.lost = true;
    this.#open = undefined;
    await this.evict();
    this.updates.runClosed();
    this.#onClose(this);
  }

  /**
   * Takes over the first `turns` turns of another run's history, as a reset does: what they scheduled and what had not ended
   * by then is under way again, and the signals and the accepted updates that came later come again.
   */
  resetFrom(base: WorkflowRun, turns: number): void {
    this.log.push(...base.log.slice(0, turns));
    this.events = this.log.at(-1)?.historyLength ?? 1;
    const open = new Map<string, Command>();
    const timers = new Map<number, number>();
    for (const { jobs, commands, at } of this.log) {
      for (const {
        resolveActivity,
        resolveSignalExternalWorkflow: told,
        resolveChildWorkflowExecutionStart: begun,
        fireTimer,
      } of jobs) {
        if (begun) open.delete(`child ${begun.seq ?? 0}`);
        if (told) open.delete(`signal ${told.seq ?? 0}`);
        if (resolveActivity) open.delete(`activity ${resolveActivity.seq ?? 0}`);
        if (fireTimer) timers.delete(fireTimer.seq ?? 0);
      }
      for (const command of commands) {
        if (command.scheduleActivity) open.set(`activity ${command.scheduleActivity.seq ?? 0}`, command);
        if (command.scheduleLocalActivity)
          open.set(`activity ${command.scheduleLocalActivity.seq ?? 0}`, command);
        const { signalExternalWorkflowExecution: tells } = command;
        const { startChildWorkflowExecution: begins } = command;
        if (begins) open.set(`child ${begins.seq ?? 0}`, command);
        if (tells) open.set(`signal ${tells.seq ?? 0}`, command);
        if (command.startTimer)
          timers.set(command.startTimer.seq ?? 0, at + tsToMs(command.startTimer.startToFireTimeout));
        if (command.cancelTimer) timers.delete(command.cancelTimer.seq ?? 0);
        const fields = command.modifyWorkflowProperties?.upsertedMemo?.fields as
          Record<string, Payload> | undefined;
        if (fields) this.memo = { ...this.memo, ...fields };
      }
    }
    for (const { fields, at, started } of base.publications) {
      if (!started && at <= (this.log.at(-1)?.at ?? 0)) this.publications.push({ at, started, fields });
    }
    this.queue({ updateRandomSeed: { randomnessSeed: msNumberToTs(this.#env.time.now).seconds! } });
    for (const [seq, at] of timers) this.#armTimer(seq, at);
    for (const command of open.values()) {
      const { startChildWorkflowExecution: begins } = command;
      if (begins) this.#env.startChild(this, begins, true);
      else if (!command.scheduleLocalActivity) void this.#apply(command);
      else this.#locals.leaveOver(command.scheduleLocalActivity);
    }
    this.updates.takeOver(this.log);
    const signalsIn = (log: readonly Turn[]) =>
      log.flatMap(({ jobs }) => jobs).filter(({ signalWorkflow }) => signalWorkflow).length;
    this.signals.push(...base.signals.slice(0, signalsIn(this.log)));
    for (const { signalWorkflow: signal, doUpdate: update } of base.log
      .slice(turns)
      .flatMap(({ jobs }) => jobs)) {
      if (signal) this.signal(signal.signalName ?? '', signal.input ?? []);
      if (update) this.#readmit(update);
    }
    // Those that the run before was to take again and has not taken, or has turned down.
    const known = new Set(base.log.flatMap(({ jobs }) => jobs.map(({ doUpdate }) => doUpdate?.id)));
    for (const update of base.#readmitted) if (!known.has(update.id)) this.#readmit(update);
    // Those of a task that nobody completed, too.
    for (const { name, input } of base.signals.slice(signalsIn(base.log))) this.signal(name, input);
  }

  #readmit(update: NonNullable<Job['doUpdate']>): void {
    this.#readmitted.push(update);
    this.updates.admit(update.id ?? '');
    this.queue({ doUpdate: { ...update, runValidator: true } });
  }
}

const canceledFailure = {
  ...defaultFailureConverter.errorToFailure(new Error('Activity cancelled'), defaultPayloadConverter),
  canceledFailureInfo: {},
};

const notVariants = new Set(['userMetadata', 'eventGroupMarkers', 'variant']);

function variantOf(command: Command): string {
  const known = Object.entries(command).find(([name, value]) => !notVariants.has(name) && value != null);
  return known?.[0] ?? 'nothing';
}

const closes = (command: Command): boolean =>
  command.completeWorkflowExecution != null ||
  command.failWorkflowExecution != null ||
  command.cancelWorkflowExecution != null ||
  command.continueAsNewWorkflowExecution != null;

/** As the worker's core hands them over: signals and updates before what else happened. */
function inOrder(jobs: readonly Job[]): Job[] {
  const rank = ({ initializeWorkflow, updateRandomSeed, signalWorkflow, doUpdate }: Job) =>
    initializeWorkflow ? 0 : updateRandomSeed ? 1 : signalWorkflow || doUpdate ? 2 : 3;
  return [0, 1, 2, 3].flatMap((wanted) => jobs.filter((job) => rank(job) === wanted));
}
