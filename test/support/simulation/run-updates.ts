import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import type { coresdk } from '@temporalio/proto';
import type { VirtualTime } from './virtual-time.js';
import type { Turn } from './turn.js';

export type UpdateOutcome = { value: unknown } | { error: Error };

interface Update {
  accepted: boolean;
  outcome: UpdateOutcome | undefined;
  waiters: ((outcome: UpdateOutcome) => void)[];
}

/** Updates a run takes at once. Temporal's default. */
export const maxUpdatesInFlight = 10;

/** The updates of one run, by their ids, as Temporal's server keeps them. */
export class RunUpdates {
  readonly #updates = new Map<string, Update>();
  readonly #time: VirtualTime;
  readonly #isOpen: () => boolean;

  constructor(time: VirtualTime, isOpen: () => boolean) {
    this.#time = time;
    this.#isOpen = isOpen;
  }

  get inFlight(): number {
    return [...this.#updates.values()].filter(({ outcome }) => !outcome).length;
  }

  has(id: string): boolean {
    return this.#updates.has(id);
  }

  /** The outcome of an update that has one, also after the run has closed. */
  outcomeOf(id: string): UpdateOutcome | undefined {
    return this.#updates.get(id)?.outcome;
  }

  admit(id: string): void {
    this.#updates.set(id, { accepted: false, outcome: undefined, waiters: [] });
  }

  /** What a history says of updates; nobody waits for them here. */
  takeOver(log: readonly Turn[]): void {
    for (const { jobs, commands } of log) {
      for (const { doUpdate } of jobs) if (doUpdate) this.admit(doUpdate.id ?? '');
      for (const { updateResponse } of commands) if (updateResponse) this.respond(updateResponse);
    }
  }

  wait(id: string, waiter: (outcome: UpdateOutcome) => void): void {
    const update = this.#updates.get(id);
    if (update?.outcome) waiter(update.outcome);
    else update?.waiters.push(waiter);
  }

  /** Takes the workflow's answer; the number of events it makes. */
  respond(response: coresdk.workflow_commands.IUpdateResponse): number {
    const id = response.protocolInstanceId ?? '';
    const update = this.#updates.get(id);
    if (!update) return 0;
    if (response.accepted) {
      update.accepted = true;
      return 1;
    }
    if (response.rejected) {
      const error = defaultFailureConverter.failureToError(response.rejected, defaultPayloadConverter);
      this.#settle(update, { error });
      // A rejection by the validator leaves no trace: the same id may come again.
      if (!update.accepted) this.#updates.delete(id);
      return update.accepted ? 1 : 0;
    }
    const value: unknown = response.completed
      ? defaultPayloadConverter.fromPayload(response.completed)
      : undefined;
    this.#settle(update, { value });
    return 1;
  }

  /** A turn without the updates that its workflow turned down; undefined when nothing of it is left. */
  withoutRejected(turn: Turn): Turn | undefined {
    const accepted = new Set(
      turn.commands.flatMap(({ updateResponse }) =>
        updateResponse?.accepted ? updateResponse.protocolInstanceId : [],
      ),
    );
    const asked = turn.jobs.flatMap(({ doUpdate }) => doUpdate?.id ?? []);
    const rejected = new Set(asked.filter((id) => !accepted.has(id)));
    if (rejected.size === 0) return turn;
    const jobs = turn.jobs.filter(({ doUpdate }) => !rejected.has(doUpdate?.id ?? ''));
    const commands = turn.commands.filter(
      ({ updateResponse }) => !rejected.has(updateResponse?.protocolInstanceId ?? ''),
    );
    return jobs.length === 0 && commands.length === 0 ? undefined : { ...turn, jobs, commands };
  }

  /** What is left is answered as Temporal answers for a run that ended. */
  runClosed(): void {
    for (const update of this.#updates.values()) {
      if (update.outcome) continue;
      const type = update.accepted ? 'AcceptedUpdateCompletedWorkflow' : undefined;
      const error = Object.assign(new Error('workflow execution already completed'), {
        code: 5,
        ...(type !== undefined && { acceptedType: type }),
      });
      this.#settle(update, { error });
    }
    if (this.#isOpen()) throw new Error('only a closed run has no updates any more');
  }

  #settle(update: Update, outcome: UpdateOutcome): void {
    update.outcome = outcome;
    const waiters = update.waiters.splice(0);
    for (const waiter of waiters) this.#time.after(1, () => waiter(outcome));
  }
}
