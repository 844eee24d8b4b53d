import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { type DevFile, readDevFile } from '../../local/dev-file.js';
import { writeJson } from '../../local/files.js';
import { freePort } from '../../local/ports.js';
import { identityOf, isAlive, type ProcessIdentity } from '../../local/process-identity.js';
import { httpReady, waitUntil } from '../../local/readiness.js';
import { Agent } from './system-agent.js';
import { StandIns } from './system-vendors.js';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** What `npm start` and `npm run demo` are run with: the launcher's own process, so that signals reach it. */
export const viaTsx = ['--import', 'tsx'];

export interface SystemOptions {
  workers?: number;
  /** Added to what a user's shell has. */
  env?: NodeJS.ProcessEnv;
  /** The sample's tenants in their order, each with the fields that are to differ. */
  tenants?: readonly object[];
  /** Preferred ports; free ones if not given, so that a system beside the tests is not disturbed. */
  ports?: { temporal: number; ui: number; api: number; local: number };
}

type ChildName = 'temporal' | 'api' | 'local' | 'worker';

const upMs = 60_000;
/** A child is started again within a second, and ready some seconds later. */
const backMs = 30_000;

/** The whole product as processes on a data folder of its own. One may be started, killed and started again. */
export class TestSystem {
  readonly data = mkdtempSync(join(tmpdir(), 'journey-'));
  readonly agent = new Agent(() => this.dev);
  /** An agent of the second tenant. */
  readonly otherAgent = new Agent(
    () => this.dev,
    () => this.dev.other_tenant?.keys.agent,
  );
  readonly standIns = new StandIns(() => this.dev.local_url);
  #start: ChildProcess | undefined;
  #exit: Promise<number | null> = Promise.resolve(null);
  #output = '';
  #dev: DevFile | undefined;
  readonly #seen = new Map<number, ProcessIdentity>();

  constructor(private readonly options: SystemOptions = {}) {}

  /** Runs start until dev.json says that all is up. */
  async start({ workers = this.options.workers ?? 1 }: { workers?: number } = {}): Promise<void> {
    const first = !existsSync(join(this.data, 'ports.json'));
    if (first) writeJson(join(this.data, 'ports.json'), this.options.ports ?? (await freePorts()));
    const args = ['local/start.ts', '--no-demo', '--data', this.data, '--workers', String(workers)];
    const child = spawn(process.execPath, [...viaTsx, ...args], {
      cwd: repository,
      env: { ...userEnvironment(), ...this.#tenantsFile(), ...this.options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    }
    this.#start = child;
    this.#exit = once(child, 'close').then(([code]: unknown[]) => (typeof code === 'number' ? code : null));
    const failed = (): string | undefined =>
      child.exitCode === null && child.signalCode === null ? undefined : `start ended:\n${this.#output}`;
    const up = async (): Promise<boolean> => readDevFile(this.data)?.pids.start === child.pid;
    await waitUntil('the system', up, { timeoutMs: upMs, failed });
    expect(this.dev.pids.workers).toHaveLength(workers);
  }

  /** What start printed so far. */
  get output(): string {
    return this.#output;
  }

  /** dev.json as it is now, or as it was last, while the system is down. */
  get dev(): DevFile {
    this.#dev = readDevFile(this.data) ?? this.#dev;
    if (!this.#dev) throw new Error('the system was never up');
    for (const pid of everyPid(this.#dev)) {
      const identity = this.#seen.has(pid) ? undefined : identityOf(pid);
      if (identity) this.#seen.set(pid, identity);
    }
    return this.#dev;
  }

  pid(name: ChildName, index = 0): number {
    const { pids } = this.dev;
    const pid = name === 'worker' ? pids.workers[index] : pids[name];
    if (pid === undefined) throw new Error(`no ${name} runs`);
    return pid;
  }

  /** `kill -9`; returns at once. */
  kill(name: ChildName, index = 0): number {
    const pid = this.pid(name, index);
    process.kill(pid, 'SIGKILL');
    return pid;
  }

  /** Until dev.json names another process than the killed one. */
  async untilReplaced(name: ChildName, killed: number): Promise<void> {
    await vi.waitFor(
      () => {
        const { pids } = this.dev;
        const now = name === 'worker' ? pids.workers : [pids[name]];
        expect(now).not.toContain(killed);
        expect(now.every((pid) => pid !== undefined && identityOf(pid) !== undefined)).toBe(true);
      },
      { timeout: backMs, interval: 50 },
    );
  }

  /** Until every process that start began is there, whatever was killed, and the API answers. */
  async untilAllRun(): Promise<void> {
    await vi.waitFor(
      () => {
        const { temporal, api, local, workers } = this.dev.pids;
        expect(workers).toHaveLength(this.options.workers ?? 1);
        for (const pid of [temporal, api, local, ...workers])
          expect(pid !== undefined && identityOf(pid)).toBeTruthy();
      },
      { timeout: backMs, interval: 50 },
    );
    await this.untilApiReady();
  }

  /** Until the stand-ins have written down all they hold of the checkout: they, unlike Stripe, take a moment for it. */
  async untilSaved(checkoutId: string): Promise<void> {
    const { authorizations, sessions, texts } = await this.standIns.book(checkoutId);
    const ids = [...authorizations, ...sessions].map(({ id }) => id).concat(texts.map(({ sid }) => sid));
    expect(ids).not.toEqual([]);
    const file = join(this.data, 'simulators.json');
    await vi.waitFor(
      () => {
        const saved = readFileSync(file, 'utf8');
        expect(ids.filter((id) => !saved.includes(id))).toEqual([]);
      },
      { timeout: 5_000, interval: 20 },
    );
  }

  async untilApiReady(): Promise<void> {
    const url = `${this.dev.api_url}/readyz`;
    await vi.waitFor(async () => expect(await httpReady(url)).toBe(true), { timeout: backMs, interval: 50 });
  }

  /** `kill -9` of start alone, which leaves orphans, or of start and every child at once. */
  async killRun(which: 'start alone' | 'everything'): Promise<void> {
    const { pids } = this.dev;
    for (const pid of which === 'everything' ? everyPid(this.dev) : [pids.start])
      process.kill(pid, 'SIGKILL');
    await this.#exit;
  }

  /** Ctrl-C; the run ends well and nothing of it is left. */
  async interrupt(): Promise<void> {
    if (!this.#start || this.#start.exitCode !== null || this.#start.signalCode !== null) return;
    if (readDevFile(this.data)) void this.dev;
    this.#start.kill('SIGINT');
    expect(await this.#exit, this.#output).toBe(0);
    expect(this.#survivors()).toEqual([]);
  }

  /** Ends whatever is left and removes the folder. */
  async remove(): Promise<void> {
    try {
      await this.interrupt();
    } finally {
      for (const pid of this.#survivors()) process.kill(pid, 'SIGKILL');
      rmSync(this.data, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  /** Every process ever named in dev.json, and every other one that was given this data folder. */
  #survivors(): number[] {
    const named = [...this.#seen.values()].filter(isAlive).map(({ pid }) => pid);
    return [...new Set([...named, ...processesMentioning(this.data)])];
  }

  #tenantsFile(): { TENANTS_FILE?: string } {
    if (!this.options.tenants) return {};
    const file = join(this.data, 'tenants.json');
    const sample = JSON.parse(readFileSync(join(repository, 'tenants.sample.json'), 'utf8')) as {
      tenants: object[];
    };
    const tenants = this.options.tenants.map((changes, index) => ({ ...sample.tenants[index], ...changes }));
    writeJson(file, { tenants });
    return { TENANTS_FILE: file };
  }
}

/** A system for all tests of a file: up before the first, gone without a trace after the last. */
export function useSystem(options: SystemOptions = {}): TestSystem {
  const system = new TestSystem(options);
  beforeAll(() => system.start(), upMs + 10_000);
  afterAll(() => system.remove(), 40_000);
  return system;
}

/** Without what this test run itself was given: Vitest's and the vendors' variables. */
export function userEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'TMPDIR', 'XDG_CACHE_HOME', 'TEMPORAL_CLI', 'NODE_EXTRA_CA_CERTS'];
  const set = names.map((name): [string, string | undefined] => [name, process.env[name]]);
  return Object.fromEntries(set.filter(([, value]) => value !== undefined));
}

export interface Finished {
  code: number | null;
  output: string;
}

/** Runs one of our scripts to its end. */
export async function runScript(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Finished> {
  const child = spawn(process.execPath, [...viaTsx, ...args], { cwd: repository, env, stdio: 'pipe' });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

async function freePorts(): Promise<NonNullable<SystemOptions['ports']>> {
  const [temporal, ui, api, local] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  return { temporal, ui, api, local };
}

function everyPid({ pids }: DevFile): number[] {
  const all = [pids.start, pids.temporal, pids.api, pids.local, ...pids.workers];
  return all.filter((pid) => pid !== undefined);
}

/** By command line and environment, where the machine lets one look (Linux); elsewhere dev.json alone must do. */
function processesMentioning(text: string): number[] {
  if (!existsSync('/proc/self/environ')) return [];
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids
    .filter((pid) => `${read(`/proc/${pid}/cmdline`)}${read(`/proc/${pid}/environ`)}`.includes(text))
    .map(Number);
}
