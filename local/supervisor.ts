import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, type ProcessIdentity } from './process-identity.js';
import type { Progress } from './terminal.js';

export interface ChildSpec {
  name: string;
  command: string;
  args: readonly string[];
  /** The whole environment: nothing is inherited. */
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Node children get an IPC channel, whose end tells them that this process died. */
  ipc: boolean;
  /** Time between SIGTERM and SIGKILL. */
  graceMs: number;
}

export interface RunningChild extends ProcessIdentity {
  name: string;
}

const firstBackoffMs = 100;
const longestBackoffMs = 5_000;
const stableAfterMs = 10_000;
const largestLogBytes = 20_000_000;
/** A child that ends so often without ever having been ready will not be helped by another try. */
const earlyExitLimit = 4;

/** Keeps children alive: restarts what ends unexpectedly, with a growing pause, and ends all of them on stop. */
export class Supervisor {
  private readonly children = new Map<string, Child>();
  private stopping = false;

  constructor(
    private readonly logFolder: string,
    private readonly progress: Progress,
    /** Called at once when a pid appears, so that a record of it exists before anything can go wrong. */
    private readonly changed: () => void,
  ) {
    mkdirSync(logFolder, { recursive: true });
  }

  start(spec: ChildSpec): void {
    if (this.stopping) throw new Error('stopped');
    const child = new Child(spec, join(this.logFolder, `${spec.name}.log`), this.progress, this.changed);
    this.children.set(spec.name, child);
    child.spawn();
  }

  running(): RunningChild[] {
    return [...this.children.values()].flatMap((child) => child.identity ?? []);
  }

  pid(name: string): number | undefined {
    return this.children.get(name)?.identity?.pid;
  }

  markReady(name: string): void {
    this.children.get(name)?.markReady();
  }

  /** Why the child will not come up, with the end of its log; undefined while there is hope. */
  failure(name: string): string | undefined {
    return this.children.get(name)?.failure();
  }

  /** Ends these first, then the rest; nothing is started afterwards. */
  async stop(first: readonly string[]): Promise<void> {
    this.stopping = true;
    const end = async (children: readonly Child[]): Promise<void> => {
      await Promise.all(children.map((child) => child.stop()));
    };
    await end([...this.children].filter(([name]) => first.includes(name)).map(([, child]) => child));
    await end([...this.children.values()]);
  }
}

class Child {
  identity: RunningChild | undefined;
  private process: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private restart: NodeJS.Timeout | undefined;
  private backoffMs = firstBackoffMs;
  private stopping = false;
  private ready = false;
  private earlyExits = 0;

  constructor(
    private readonly spec: ChildSpec,
    private readonly logFile: string,
    private readonly progress: Progress,
    private readonly changed: () => void,
  ) {}

  spawn(): void {
    const { command, args, env, cwd, ipc } = this.spec;
    rotateLog(this.logFile);
    const log = openSync(this.logFile, 'a', 0o600);
    const begun = Date.now();
    // A group of its own: Ctrl-C reaches only this process, which then ends the children in order.
    const child = spawn(command, args, {
      cwd,
      env,
      detached: true,
      stdio: ipc ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    });
    closeSync(log);
    this.process = child;
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.ended(error.message, begun);
        resolve();
      });
      child.once('exit', (code, signal) => {
        this.ended(signal ? `was ended by ${signal}` : `ended with code ${code}`, begun);
        resolve();
      });
    });
    const identity = child.pid === undefined ? undefined : identityOf(child.pid);
    if (identity) {
      this.identity = { name: this.spec.name, ...identity };
      this.changed();
    }
  }

  markReady(): void {
    this.ready = true;
  }

  failure(): string | undefined {
    if (this.ready || this.earlyExits < earlyExitLimit) return undefined;
    return `${this.spec.name} does not start. The end of ${this.logFile}:\n${prefixed(this.spec.name, lastLines(this.logFile, 12))}`;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.restart);
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const timeout = new AbortController();
    const late = sleep(this.spec.graceMs, 'late' as const, { signal: timeout.signal }).catch(() => undefined);
    if ((await Promise.race([this.exited, late])) === 'late') child.kill('SIGKILL');
    timeout.abort();
    await this.exited;
  }

  private ended(how: string, begun: number): void {
    this.identity = undefined;
    this.process = undefined;
    if (this.stopping) return;
    if (!this.ready) this.earlyExits += 1;
    if (Date.now() - begun >= stableAfterMs) this.backoffMs = firstBackoffMs;
    const waitMs = this.backoffMs;
    this.backoffMs = Math.min(waitMs * 2, longestBackoffMs);
    this.progress.warn(`${this.spec.name} ${how}; started again in ${waitMs / 1000} s`);
    if (this.ready) {
      for (const line of prefixed(this.spec.name, lastLines(this.logFile, 3)).split('\n'))
        this.progress.detail(line);
    }
    this.restart = setTimeout(() => this.spawn(), waitMs);
  }
}

function prefixed(name: string, lines: readonly string[]): string {
  return lines.map((line) => `[${name}] ${line}`).join('\n');
}

function lastLines(file: string, count: number): string[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.slice(-count).map((line) => line.slice(0, 300));
}

/** One old log is kept: a system that stays up for weeks must not fill the disk. */
function rotateLog(file: string): void {
  try {
    if (statSync(file).size > largestLogBytes) renameSync(file, `${file}.1`);
  } catch {
    // No log yet.
  }
}
