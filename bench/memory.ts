import { setTimeout as sleep } from 'node:timers/promises';
import { closedLoop, forEachOf } from './load.js';
import type { Measured } from './processes.js';
import { median } from './statistics.js';
import { productSubject } from './subjects.js';
import type { BenchSystem } from './system.js';

/** Resident memory, MB. */
export interface MemoryResult {
  open: number;
  baseline: { worker: number; server: number };
  withOpen: { worker: number; server: number };
  /** Worker and server together, above the baseline, for 1,000 open checkouts. */
  per1000: number;
}

const settleMs = 5_000;

/**
 * What open checkouts hold. On a system of its own, whose processes have paid only the warm-ups before: memory that an
 * earlier load left behind would hide what the open ones take.
 */
export async function measureMemory(
  system: BenchSystem,
  counts: { warmUps: number; open: number },
): Promise<MemoryResult> {
  const worker = await system.startWorker();
  const product = productSubject(system);
  await closedLoop(product, 10, counts.warmUps);
  await sleep(settleMs);
  const baseline = await sample(worker, system.temporal);
  await forEachOf(counts.open, 10, async () => {
    const checkout = await product.open();
    await checkout.reaches('awaiting_wallet');
  });
  await sleep(settleMs);
  const withOpen = await sample(worker, system.temporal);
  const grown = withOpen.worker - baseline.worker + (withOpen.server - baseline.server);
  return { open: counts.open, baseline, withOpen, per1000: (grown * 1_000) / counts.open };
}

async function sample(worker: Measured, server: Measured): Promise<{ worker: number; server: number }> {
  const seen: { worker: number; server: number }[] = [];
  for (let times = 0; times < 5; times++) {
    seen.push({ worker: worker.rssMb(), server: server.rssMb() });
    await sleep(1_000);
  }
  return { worker: median(seen.map((one) => one.worker)), server: median(seen.map((one) => one.server)) };
}
