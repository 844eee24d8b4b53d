import { condition } from '@temporalio/workflow';
import type { EventInbox } from './event-inbox.js';

/** Read unasked after 10 s, 30 s, then every 2 min: a lost webhook costs 10 s, not the payment. */
const waitingForCaller = (reads: number) => [10_000, 20_000][reads] ?? 120_000;

/** Bank debits and unproved outcomes take days: soon first, then every 6 h, so that the history stays small. */
const waitingForBank = (reads: number) => [10_000, 20_000, 120_000, 600_000, 3_600_000][reads] ?? 21_600_000;

/** A refund that succeeded may be returned for weeks; webhooks tell, a read a week makes sure. */
const aftermath = () => 7 * 24 * 3_600_000;

const paces = { caller: waitingForCaller, bank: waitingForBank, aftermath };

export interface Patience {
  /** The caller's deadline, epoch ms; without one only news or a poll ends the wait. */
  deadlineAt?: number | undefined;
  /** Reads made so far in this wait: spaces the polls. */
  reads: number;
  /** Whether cancel and switch end the wait. */
  interruptible: boolean;
  pace: keyof typeof paces;
}

/** A run that waits: for a checkout, or for a refund. */
export interface WaitingRun {
  readonly inbox: EventInbox;
  /** Set when somebody wants the wait to end. */
  readonly stop?: string | undefined;
  /** When the vendor is looked at next without being woken, epoch ms; undefined while nothing is awaited. */
  nextReadAt: number | undefined;
  /** Waits begun so far: one more means that a reading is over. */
  waits: number;
}

/** Waits for the first of: news from the relay, the next poll, the deadline, a request to stop. */
export async function awaitPaymentEvent(
  run: WaitingRun,
  patience: Patience,
): Promise<'read' | 'deadline' | 'stop'> {
  const pause = paces[patience.pace](patience.reads);
  const now = Date.now();
  const untilDeadline = (patience.deadlineAt ?? Infinity) - now;
  const timeout = Math.max(0, Math.min(pause, untilDeadline));
  const stopped = () => patience.interruptible && run.stop !== undefined;

  run.waits++;
  run.nextReadAt = now + timeout;
  if (timeout > 0) {
    const summary = pause <= untilDeadline ? 'until Stripe is read unasked' : 'until the deadline';
    await condition(() => run.inbox.hasNews || stopped(), timeout, { summary });
  }
  run.nextReadAt = undefined;
  if (run.inbox.takeNews()) return 'read';
  if (stopped()) return 'stop';
  return patience.deadlineAt !== undefined && Date.now() >= patience.deadlineAt ? 'deadline' : 'read';
}
