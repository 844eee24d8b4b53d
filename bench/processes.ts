import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const graceMs = 15_000;
const pageKb = 4;
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const running = new Set<ChildProcess>();

// However this process ends, no child outlives it.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

/** One process of the measured system. */
export interface Measured {
  pid: number;
  /** Resident memory now, MB. */
  rssMb(): number;
  /** CPU time used so far, ms. */
  cpuMs(): number;
  kill(signal: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

export function startProcess(options: {
  name: string;
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  logFolder: string;
}): Measured {
  const { name, command, args, env, cwd, logFolder } = options;
  const log = openSync(join(logFolder, `${name}.log`), 'a');
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', log, log, 'ipc'] });
  closeSync(log);
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  }).then(() => void running.delete(child));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} did not start`);
  const stat = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  return {
    pid,
    rssMb: () => (Number(stat('statm').split(' ')[1]) * pageKb) / 1024,
    cpuMs: () => {
      // Fields 14 and 15 of proc(5) stat, counted behind the name in parentheses.
      const fields = stat('stat').split(') ')[1]?.split(' ') ?? [];
      return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond;
    },
    kill: async (signal) => {
      child.kill(signal);
      await ended;
    },
    stop: async () => {
      child.kill('SIGTERM');
      const waiting = new AbortController();
      const late = sleep(graceMs, 'late', { signal: waiting.signal }).catch(() => 'in time');
      if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL');
      waiting.abort();
      await ended;
    },
  };
}
