import { setTimeout as sleep } from 'node:timers/promises';

/** One way to run a checkout: ours over HTTP, or the bare workflow. */
export interface Subject {
  name: string;
  /** Whatever comes before the measured start; ours reads out a quote. */
  prepare(): Promise<Prepared>;
}

export interface Prepared {
  /** Settles when the caller can be told something. */
  start(): Promise<Started>;
}

export interface Started {
  workflowId: string;
  /** The caller pays; gives the ms from that moment to the outcome `paid`. */
  pay(): Promise<number>;
}

export interface OpenLoopResult {
  ack: number[];
  outcome: number[];
}

/** The quote is asked for that long before the caller says yes, and the caller pays that long after being told, ms. */
const leadMs = 500;
const tapMs = 300;

/**
 * Starts at fixed times, whatever became of the starts before. The ack counts from the intended time, so that a stall
 * is felt by everyone who would have called meanwhile.
 */
export async function openLoop(subject: Subject, perSecond: number, count: number): Promise<OpenLoopResult> {
  const result: OpenLoopResult = { ack: [], outcome: [] };
  const begin = performance.now() + leadMs + 100;
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const intended = begin + (index * 1_000) / perSecond;
      await until(intended - leadMs);
      const prepared = await subject.prepare();
      await until(intended);
      const started = await prepared.start();
      result.ack.push(performance.now() - intended);
      await sleep(tapMs);
      result.outcome.push(await started.pay());
    }),
  );
  return result;
}

/** Keeps so many checkouts under way until `count` are paid; gives the seconds it took. */
export async function closedLoop(subject: Subject, concurrency: number, count: number): Promise<number> {
  let next = 0;
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: Math.min(concurrency, count) }, async () => {
      while (next++ < count) {
        const started = await (await subject.prepare()).start();
        await started.pay();
      }
    }),
  );
  return (performance.now() - begun) / 1_000;
}

async function until(time: number): Promise<void> {
  const wait = time - performance.now();
  if (wait > 0) await sleep(wait);
}

/** Runs `work` for each number below `count`, at most `concurrency` at a time. */
export async function forEachOf<T>(
  count: number,
  concurrency: number,
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(concurrency, count) }, async () => {
      for (let index = next++; index < count; index = next++) results.push(await work(index));
    }),
  );
  return results;
}
