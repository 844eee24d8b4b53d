import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ensureTemporalCli } from '../local/temporal/ensure.js';
import { createProgress, errorText } from '../local/terminal.js';
import { measureFailover } from './failover.js';
import { bareHistory, fallbackHistory, happyHistory } from './history.js';
import { closedLoop, openLoop, type Subject } from './load.js';
import { measureMemory } from './memory.js';
import type { Measured } from './processes.js';
import { type BenchResult, formatReport, machineFacts, missedBars, type SubjectResult } from './report.js';
import { median, summarise } from './statistics.js';
import { bareSubject, productSubject, repeats } from './subjects.js';
import { type BenchSystem, startSystem } from './system.js';

const usage = `npm run bench [-- options]

Measures this checkout and a bare workflow of the same shape, in turns, on one real Temporal server.

  --quick        few samples, under 3 minutes: shows that it runs, not how fast
  --json <file>  also writes all results there
  --help         this text

Exit code 0 when the run is complete, whether bars are met or not.`;

interface Counts {
  warmUps: number;
  rounds: number;
  /** Per round and subject. */
  openLoop: number;
  closedLoop: number;
  histories: number;
  memoryWarmUps: number;
  memoryOpen: number;
  kills: number;
}

const full: Counts = {
  warmUps: 200,
  rounds: 3,
  openLoop: 200,
  closedLoop: 300,
  histories: 20,
  memoryWarmUps: 200,
  memoryOpen: 1_000,
  kills: 5,
};

const quick: Counts = {
  warmUps: 30,
  rounds: 2,
  openLoop: 30,
  closedLoop: 100,
  histories: 3,
  memoryWarmUps: 50,
  memoryOpen: 100,
  kills: 2,
};

const perSecond = 10;
const concurrency = 50;
/** A run that takes longer hangs, ms. */
const longestRunMs = 30 * 60_000;

const progress = createProgress(process.stderr);

async function run(isQuick: boolean): Promise<BenchResult> {
  const counts = isQuick ? quick : full;
  const begun = performance.now();
  const cli = await ensureTemporalCli(process.env, progress);
  const machine = machineFacts(`${cli.version.server} (CLI ${cli.version.cli})`);
  if (machine.loadBefore > 0.3 * machine.cores) {
    progress.warn(`the machine is busy (load ${machine.loadBefore.toFixed(2)}): these numbers mean little`);
  }
  const loaded = await withSystem(cli.path, (system) => underLoad(system, counts));
  const memory = await withSystem(cli.path, (system) => {
    progress.step(`memory: ${counts.memoryOpen} open checkouts on a fresh system`);
    return measureMemory(system, { warmUps: counts.memoryWarmUps, open: counts.memoryOpen });
  });
  const seconds = (performance.now() - begun) / 1_000;
  return { quick: isQuick, machine, seconds, ...loaded, memory, repeatedRequests: repeats.count };
}

async function withSystem<T>(cliPath: string, work: (system: BenchSystem) => Promise<T>): Promise<T> {
  const system = await startSystem(cliPath);
  try {
    return await work(system);
  } finally {
    await system.stop();
  }
}

/** Both subjects on one server, in turns, so that a disturbance of the machine meets both. */
async function underLoad(system: BenchSystem, counts: Counts) {
  const [worker, bareWorker] = [await system.startWorker(), await system.startBareWorker()];
  const product = productSubject(system);
  const bare = bareSubject(system.bareClient);
  const ours = new Tally(product, { server: system.temporal, worker, API: system.api });
  const floor = new Tally(bare, { server: system.temporal, worker: bareWorker });

  progress.step(`warm-up: ${counts.warmUps} each`);
  for (const subject of [product, bare]) await closedLoop(subject, 10, counts.warmUps);
  for (let round = 1; round <= counts.rounds; round++) {
    // Who goes first changes with every round.
    const order = round % 2 === 1 ? [ours, floor] : [floor, ours];
    for (const tally of order) {
      progress.step(`round ${round} of ${counts.rounds}: ${tally.subject.name} at ${perSecond}/s`);
      await tally.openLoop(counts.openLoop);
    }
    for (const tally of order) {
      progress.step(`round ${round} of ${counts.rounds}: ${tally.subject.name}, ${concurrency} at a time`);
      await tally.closedLoop(counts.closedLoop);
    }
  }
  progress.step('histories');
  const histories = {
    happy: await happyHistory(product, system.client, counts.histories),
    fallback: await fallbackHistory(product, system.client, counts.histories),
    bare: await bareHistory(bare, system.bareClient, counts.histories),
  };
  await bareWorker.stop();
  progress.step(`kill -9 of one of two workers, ${counts.kills} times`);
  const failover = await measureFailover(system, worker, counts.kills);
  return { product: ours.result(), bare: floor.result(), histories, failover };
}

/** Collects one subject's rounds. */
class Tally {
  readonly #ack: number[] = [];
  readonly #outcome: number[] = [];
  readonly #perSecond: number[] = [];
  readonly #cpuMs: Record<string, number> = {};
  #closed = 0;

  constructor(
    readonly subject: Subject,
    private readonly processes: Record<string, Measured>,
  ) {}

  async openLoop(count: number): Promise<void> {
    const { ack, outcome } = await openLoop(this.subject, perSecond, count);
    this.#ack.push(...ack);
    this.#outcome.push(...outcome);
  }

  async closedLoop(count: number): Promise<void> {
    const before = this.#cpu();
    const seconds = await closedLoop(this.subject, concurrency, count);
    for (const [name, ms] of Object.entries(this.#cpu())) {
      this.#cpuMs[name] = (this.#cpuMs[name] ?? 0) + ms - (before[name] ?? 0);
    }
    this.#perSecond.push(count / seconds);
    this.#closed += count;
  }

  result(): SubjectResult {
    return {
      ack: summarise(this.#ack),
      outcome: summarise(this.#outcome),
      perSecond: median(this.#perSecond),
      perSecondOfRounds: this.#perSecond,
      cpuMs: mapValues(this.#cpuMs, (ms) => ms / this.#closed),
    };
  }

  #cpu(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.processes).map(([name, one]) => [name, one.cpuMs()]));
  }
}

function mapValues(record: Record<string, number>, change: (value: number) => number) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  process.stdout.write(`${usage}\n`);
} else {
  setTimeout(() => {
    progress.fail('the run takes too long and is ended');
    process.exit(1);
  }, longestRunMs).unref();
  try {
    const result = await run(values.quick);
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
    process.stdout.write(`\n${formatReport(result)}\n`);
    const missed = missedBars(result);
    process.stdout.write(`${missed === 0 ? 'All bars are met.' : `${missed} bar(s) missed.`}\n`);
    process.exit(0);
  } catch (error) {
    progress.fail(errorText(error));
    process.exit(1);
  }
}
