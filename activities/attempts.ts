import { isRestored, lostAttempt } from '../contracts/checkout.js';
import { attemptId, attemptOf } from '../contracts/ids.js';
import {
  endedUnpaid,
  firstAttemptBeside,
  firstAttemptsAfter,
  firstAttemptsBefore,
  readAttempts,
} from '../domain/attempts.js';
import { honouredPayment } from '../domain/late-payment.js';
import type { CheckoutRef } from './accounts.js';
import { type CheckoutRunReading, readCheckoutRecord, readCheckoutRun } from './checkout-runs.js';
import { readLateRun } from './published-runs.js';

type KnownRun = Exclude<CheckoutRunReading, { run: 'gone' }>;

/** The attempts before this one in its period, the newest first. */
export function attemptsBeside(checkoutId: string): string[] {
  const { purchase = '', number = 0 } = attemptOf(checkoutId) ?? {};
  const ids: string[] = [];
  for (let one = number - 1; number > 0 && one >= firstAttemptBeside(number); one--)
    ids.push(attemptId(purchase, one));
  return ids;
}

/** A later attempt at the same purchase. */
export interface LaterAttempt extends CheckoutRef {
  /** When it was begun at the latest, epoch ms; undefined where its run was lost, and nothing tells. */
  begunAt: number | undefined;
  /** It came to an end, and neither was paid nor is its late money kept. */
  inVain: boolean;
}

/** How often the purchase of a checkout was tried again since, up to now. */
export async function attemptsAfter({ tenantId, checkoutId }: CheckoutRef): Promise<LaterAttempt[]> {
  const { purchase = '', number } = attemptOf(checkoutId) ?? {};
  if (number === undefined) return [];
  const later: LaterAttempt[] = [];
  for (const from of [number + 1, ...firstAttemptsAfter(number, Date.now())]) {
    for (const { run, ...ref } of await attemptsFrom(tenantId, purchase, from)) {
      const { status } = run.state;
      const forgotten = run.checkout.startedBy === lostAttempt;
      const unpaid = endedUnpaid({ status, stopped: run.run === 'broken', forgotten });
      const inVain = unpaid && !(await readHonoured(ref));
      later.push({ ...ref, begunAt: await begunAt(ref, run), inVain });
    }
  }
  return later;
}

/** A restored run began later than its attempt: that, no later than the payment which brought it back. */
async function begunAt(ref: CheckoutRef, { checkout, startedAt }: KnownRun): Promise<number | undefined> {
  if (!isRestored(checkout)) return startedAt;
  if (checkout.startedBy === lostAttempt) return undefined;
  const confirmedAt = (await readCheckoutRecord(ref))?.input.consent.confirmedAt;
  return confirmedAt === undefined ? undefined : Date.parse(confirmedAt);
}

/**
 * Whether late money of an attempt before was kept after this one was begun, epoch ms. What was kept earlier is another
 * purchase: nobody gets past it without saying that the caller buys the same thing again.
 */
export async function isHonouredBefore(
  { tenantId, checkoutId }: CheckoutRef,
  startedAt: number,
): Promise<boolean> {
  const { purchase = '', number } = attemptOf(checkoutId) ?? {};
  if (number === undefined) return false;
  const earlier: CheckoutRef[] = attemptsBeside(checkoutId).map((id) => ({ tenantId, checkoutId: id }));
  for (const from of firstAttemptsBefore(number))
    earlier.push(...(await attemptsFrom(tenantId, purchase, from)));
  for (const one of earlier) {
    const honoured = await readHonoured(one);
    if (honoured && honoured.at > startedAt) return true;
  }
  return false;
}

/** The runs of a purchase's attempts from a number on, in the period of that number. */
async function attemptsFrom(tenantId: string, purchase: string, from: number) {
  const refTo = (number: number) => ({ tenantId, checkoutId: attemptId(purchase, number) });
  const { attempts } = await readAttempts(from, async (number) => {
    const run = await readCheckoutRun(refTo(number));
    return run.run === 'gone' ? undefined : run;
  });
  return attempts.map(({ number, attempt: run }) => ({ ...refTo(number), run }));
}

async function readHonoured({ tenantId, checkoutId }: CheckoutRef) {
  return honouredPayment((await readLateRun(tenantId, checkoutId))?.state);
}
