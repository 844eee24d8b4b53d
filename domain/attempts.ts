/*
 * Attempts at one purchase are numbered, and with each period their numbers go on further up: an id has the period, and a place
 * within it from 1. So no id comes again when the run that had it has left Temporal, and whoever looks for attempts finds those
 * of a period in an unbroken row though older ones are forgotten. Periods are shorter than any sensible retention, and more than
 * one is looked at.
 */

import { type CheckoutStatus, isTerminal } from './checkout-state.js';

const day = 24 * 3_600_000;
const periodMs = 14 * day;
/** The first period begins here: a Monday. */
const epoch = Date.UTC(2026, 0, 5);

/** An attempt at one purchase has ended without money that often: an agent in a loop, not a caller. */
const attemptsOfPeriod = 200;

/** A wish that was fulfilled is known for so many whole periods, if its run is. */
const periodsBack = 2;

/** A number as it stands in an id: its period, and its place within that, from 1. */
export function attemptPlace(number: number): { period: number; within: number } {
  const within = ((number - 1) % attemptsOfPeriod) + 1;
  return { period: (number - within) / attemptsOfPeriod, within };
}

export function attemptNumber({ period, within }: { period: number; within: number }): number {
  return period * attemptsOfPeriod + within;
}

/** The first number of the period at that time, epoch ms. */
export function firstAttemptAt(at: number): number {
  return Math.max(0, Math.floor((at - epoch) / periodMs)) * attemptsOfPeriod + 1;
}

/** The first number of the period that a number belongs to. */
export function firstAttemptBeside(number: number): number {
  return number - attemptPlace(number).within + 1;
}

/** When the period of a number began, epoch ms: no attempt of that number is older. */
export function periodBegin(number: number): number {
  return epoch + attemptPlace(number).period * periodMs;
}

/** When the period of that time is over, both epoch ms: from then on a number of it is given to nobody. */
export function periodEnd(at: number): number {
  return epoch + (Math.floor((at - epoch) / periodMs) + 1) * periodMs;
}

/** The first numbers of the periods before that of a number which still count, oldest first. */
export function firstAttemptsBefore(number: number): number[] {
  const first = firstAttemptBeside(number);
  return Array.from(
    { length: periodsBack },
    (_, index) => first - (periodsBack - index) * attemptsOfPeriod,
  ).filter((one) => one > 0);
}

/** The first numbers of the periods after that of a number, up to the one at that time, epoch ms. */
export function firstAttemptsAfter(number: number, at: number): number[] {
  const firsts: number[] = [];
  const last = firstAttemptAt(at);
  for (let first = firstAttemptBeside(number) + attemptsOfPeriod; first <= last; first += attemptsOfPeriod)
    firsts.push(first);
  return firsts;
}

/** Reads the attempts from a number on, in the period of that number. `free`: the number after them; none when the period is full. */
export async function readAttempts<T>(
  from: number,
  read: (number: number) => Promise<T | undefined>,
): Promise<{ attempts: { number: number; attempt: T }[]; free?: number }> {
  const attempts: { number: number; attempt: T }[] = [];
  const end = firstAttemptBeside(from) + attemptsOfPeriod;
  for (let number = from; number < end; number++) {
    const attempt = await read(number);
    if (attempt === undefined) return { attempts, free: number };
    attempts.push({ number, attempt });
  }
  return { attempts };
}

/**
 * Whether an attempt came to its end without a payment in time. `stopped`: its run was ended by others. `forgotten`: its run
 * only takes the number of a lost one, and was over before it began. One that still tells others of its end is over.
 */
export function endedUnpaid({
  status,
  stopped,
  forgotten,
}: {
  status: CheckoutStatus;
  stopped: boolean;
  forgotten: boolean;
}): boolean {
  return status !== 'paid' && (forgotten || (!stopped && isTerminal(status)));
}

/** Stripe's clock is not Temporal's, and money that counts must not go back for that. */
const skewMs = 5_000;

/**
 * The first of these attempts that was under way, or over, at a time, epoch ms: a payment begun then is not what an earlier
 * attempt was paid with, because nobody tries again while one is under way. `begunAt`: epoch ms; undefined where nothing tells.
 */
export function firstBegunBefore<T extends { begunAt: number | undefined }>(
  attempts: readonly T[],
  at: number,
): T | undefined {
  return attempts.find(({ begunAt = Infinity }) => begunAt + skewMs < at);
}
