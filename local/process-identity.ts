import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord } from './files.js';

/**
 * A process that cannot be mistaken for another one: pids are used again, so the start time belongs to it. Killing
 * by pid alone could end a stranger.
 */
export interface ProcessIdentity {
  pid: number;
  started: string;
}

export function isProcessIdentity(value: unknown): value is ProcessIdentity {
  return isRecord(value) && Number.isInteger(value['pid']) && typeof value['started'] === 'string';
}

/** When the process began, in the system's own words; undefined when there is no such (live) process. */
export function processStarted(pid: number): string | undefined {
  return process.platform === 'linux' ? startedFromProc(pid) : startedFromPs(pid);
}

function startedFromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name may hold spaces and brackets; what follows the last bracket is fixed (man 5 proc_pid_stat).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    const startTicks = fields[19];
    if (state === 'Z' || state === 'X' || startTicks === undefined) return undefined;
    return `${startTicks}@${bootId()}`;
  } catch {
    return undefined;
  }
}

/** Ticks are counted from the boot: without it a process of an earlier boot could look alike. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 8);
  } catch {
    return 'unknown';
  }
}

function startedFromPs(pid: number): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [state, ...started] = text.split(/\s+/);
    return !state || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const started = processStarted(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return processStarted(identity.pid) === identity.started;
}

/**
 * The processes above this one that launched it (npm, its shell, tsx), nearest first. The walk ends at the first other
 * one: a person's shell may go away while the system stays up.
 */
export function launchers(): ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  let pid = process.ppid;
  while (pid > 1 && found.length < 5) {
    const parent = describeProcess(pid);
    const identity = identityOf(pid);
    if (!parent || !identity || !/\b(npm|npx|pnpm|yarn|tsx)\b/.test(parent.command)) break;
    found.push(identity);
    pid = parent.ppid;
  }
  return found;
}

function describeProcess(pid: number): { ppid: number; command: string } | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'ppid=,args=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [, ppid = '', command = ''] = /^(\d+)\s+(.*)$/s.exec(line) ?? [];
    return { ppid: Number(ppid), command };
  } catch {
    return describeFromProc(pid);
  }
}

/** Small images have no ps. */
function describeFromProc(pid: number): { ppid: number; command: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { ppid, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') };
  } catch {
    return undefined;
  }
}

/** Ends exactly this process: SIGTERM, then SIGKILL. True when it is gone. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<boolean> {
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 2_000],
  ] as const) {
    if (!isAlive(identity)) return true;
    try {
      process.kill(identity.pid, signal);
    } catch {
      return !isAlive(identity);
    }
    const until = Date.now() + waitMs;
    while (isAlive(identity) && Date.now() < until) await sleep(20);
  }
  return !isAlive(identity);
}
