import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';
import type { HistorySize } from './history.js';
import type { MemoryResult } from './memory.js';
import type { Latencies } from './statistics.js';

/** What one subject did under load. */
export interface SubjectResult {
  ack: Latencies;
  outcome: Latencies;
  /** Checkouts per second at 50 concurrent: the median of the rounds, and each of them. */
  perSecond: number;
  perSecondOfRounds: number[];
  /** CPU time per checkout at 50 concurrent, ms, by process. */
  cpuMs: Record<string, number>;
}

export interface BenchResult {
  quick: boolean;
  machine: Machine;
  seconds: number;
  product: SubjectResult;
  bare: SubjectResult;
  histories: { happy: HistorySize; fallback: HistorySize; bare: HistorySize };
  memory: MemoryResult;
  /** Requests that the API answered with 503 and that were repeated, in the whole run. */
  repeatedRequests: number;
  /** Seconds from each kill to the last waiting caller's answer. */
  failover: number[];
}

export interface Machine {
  cores: number;
  cpu: string;
  memoryGb: number;
  node: string;
  temporal: string;
  commit: string;
  /** One-minute load average before the run: above about 0.3 somebody else was measured too. */
  loadBefore: number;
}

export function machineFacts(temporal: string): Machine {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    node: process.version,
    temporal,
    commit: commit(),
    loadBefore: loadavg()[0] ?? NaN,
  };
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

/** The bars of design section 9. */
const bars = {
  ackP50: 50,
  ackP99: 120,
  outcomeP50: 40,
  outcomeP99: 120,
  throughputRatio: 0.8,
  eventsHappy: 32,
  eventsFallback: 64,
  memoryMbPer1000: 100,
  failoverSeconds: 3.5,
};

interface Row {
  what: string;
  ours: string;
  bare?: string;
  ratio?: number;
  bar?: string;
  ok?: boolean;
}

export function missedBars(result: BenchResult): number {
  return rowsOf(result).filter(({ ok }) => ok === false).length;
}

export function formatReport(result: BenchResult): string {
  const { machine, product, bare, memory } = result;
  const header = ['', 'ours', 'bare', 'ours/bare', 'bar', ''];
  const rows = rowsOf(result).map(({ what, ours, bare: floor, ratio, bar, ok }) => [
    what,
    ours,
    floor ?? '',
    ratio === undefined ? '' : ratio.toFixed(2),
    bar ?? '',
    ok === undefined ? '' : ok ? 'ok' : 'missed',
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  const cpu = (subject: SubjectResult) =>
    Object.entries(subject.cpuMs)
      .map(([name, ms]) => `${name} ${ms.toFixed(1)}`)
      .join(', ');
  return [
    line(header),
    ...rows.map(line),
    '',
    `CPU ms per checkout at 50 concurrent: ours ${cpu(product)}; bare ${cpu(bare)}`,
    `Resident memory, MB: worker ${memory.baseline.worker.toFixed(0)} -> ${memory.withOpen.worker.toFixed(0)}, ` +
      `server ${memory.baseline.server.toFixed(0)} -> ${memory.withOpen.server.toFixed(0)} with ${memory.open} open`,
    `Samples: ${product.ack.count} checkouts and ${bare.ack.count} bare at 10/s; rounds at 50 concurrent: ` +
      `ours ${product.perSecondOfRounds.map(one).join(', ')}; bare ${bare.perSecondOfRounds.map(one).join(', ')} per s`,
    `Requests answered 503 and repeated with success, in the whole run: ${result.repeatedRequests}`,
    `Kills, s: ${result.failover.map((seconds) => seconds.toFixed(2)).join(', ')}`,
    `Machine: ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB, Node ${machine.node}, ` +
      `Temporal dev server ${machine.temporal} (SQLite, WAL), commit ${machine.commit}, load before ${machine.loadBefore.toFixed(2)}`,
    `All on this one machine: server, workers, API, stand-ins and the load itself. ${result.seconds.toFixed(0)} s` +
      (result.quick ? '. Quick run: too few samples to quote.' : ''),
  ].join('\n');
}

const one = (value: number) => value.toFixed(1);
const ms = (value: number) => `${value.toFixed(0)} ms`;

function rowsOf({ product, bare, histories, memory, failover }: BenchResult): Row[] {
  const latency = (what: string, ours: number, floor: number, bar: number): Row => ({
    what,
    ours: ms(ours),
    bare: ms(floor),
    ratio: ours / floor,
    bar: `<= ${bar} ms`,
    ok: ours <= bar,
  });
  const events = (what: string, ours: number, bar: number, floor?: number): Row => ({
    what,
    ours: String(ours),
    ...(floor !== undefined && { bare: String(floor), ratio: ours / floor }),
    bar: `<= ${bar}`,
    ok: ours <= bar,
  });
  const throughputRatio = product.perSecond / bare.perSecond;
  const slowest = Math.max(...failover);
  return [
    latency('start ack at 10/s, p50', product.ack.p50, bare.ack.p50, bars.ackP50),
    latency('start ack at 10/s, p99', product.ack.p99, bare.ack.p99, bars.ackP99),
    latency('webhook to outcome at 10/s, p50', product.outcome.p50, bare.outcome.p50, bars.outcomeP50),
    latency('webhook to outcome at 10/s, p99', product.outcome.p99, bare.outcome.p99, bars.outcomeP99),
    {
      what: 'checkouts per s at 50 concurrent',
      ours: one(product.perSecond),
      bare: one(bare.perSecond),
      ratio: throughputRatio,
      bar: `>= ${bars.throughputRatio} x bare`,
      ok: throughputRatio >= bars.throughputRatio,
    },
    events('events, wallet approved', histories.happy.events, bars.eventsHappy, histories.bare.events),
    events('events, declined -> link -> paid', histories.fallback.events, bars.eventsFallback),
    {
      what: 'history bytes, wallet approved',
      ours: String(histories.happy.bytes),
      bare: String(histories.bare.bytes),
      ratio: histories.happy.bytes / histories.bare.bytes,
    },
    { what: 'history bytes, declined -> link -> paid', ours: String(histories.fallback.bytes) },
    {
      what: `memory per 1,000 open, worker + server (${memory.open} opened)`,
      ours: `${memory.per1000.toFixed(0)} MB`,
      bar: `<= ${bars.memoryMbPer1000} MB`,
      ok: memory.per1000 <= bars.memoryMbPer1000,
    },
    {
      what: 'next answer after kill -9, slowest',
      ours: `${slowest.toFixed(2)} s`,
      bar: `<= ${bars.failoverSeconds} s`,
      ok: slowest <= bars.failoverSeconds,
    },
  ];
}
