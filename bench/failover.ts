import { setTimeout as sleep } from 'node:timers/promises';
import { forEachOf } from './load.js';
import type { Measured } from './processes.js';
import { type OpenCheckout, productSubject } from './subjects.js';
import type { BenchSystem } from './system.js';

/** Enough that both workers hold some of them. */
const openCheckouts = 10;

/**
 * Kills one of two workers (SIGKILL) while callers wait, and gives for each time the seconds until the last of them had
 * the answer `paid`. Half of them tap just before the kill, so that work is in the dying worker's hands; half just after.
 */
export async function measureFailover(
  system: BenchSystem,
  worker: Measured,
  times: number,
): Promise<number[]> {
  const product = productSubject(system);
  const workers = [worker, await system.startWorker()];
  const slowest: number[] = [];
  for (let time = 0; time < times; time++) {
    // The new one has to have tasks of its own before it counts as the second of two.
    await sleep(1_000);
    const checkouts = await forEachOf(openCheckouts, openCheckouts, async () => {
      const checkout = await product.open();
      await checkout.reaches('awaiting_wallet');
      return checkout;
    });
    slowest.push(await killWhileWaiting(checkouts, workers.shift()));
    workers.push(await system.startWorker());
  }
  return slowest;
}

async function killWhileWaiting(
  checkouts: readonly OpenCheckout[],
  victim: Measured | undefined,
): Promise<number> {
  const before = checkouts.slice(0, checkouts.length / 2);
  const after = checkouts.slice(checkouts.length / 2);
  const paid = checkouts.map((checkout) => checkout.reaches('paid'));
  await Promise.all(before.map((checkout) => checkout.approve()));
  const killed = performance.now();
  await victim?.kill('SIGKILL');
  await Promise.all([...after.map((checkout) => checkout.approve()), ...paid]);
  return (performance.now() - killed) / 1_000;
}
