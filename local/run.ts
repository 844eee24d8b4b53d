import { fileURLToPath } from 'node:url';
import type { DevFile } from './dev-file.js';
import { abandonedStart, claimDataFolder, endOrphans, findOrphans, forgetRun } from './run-record.js';
import { endProcess } from './process-identity.js';
import { readSettings, type Settings } from './settings.js';
import { type EntryFiles, LocalSystem, productEntries } from './system.js';
import type { Progress } from './terminal.js';

const sampleTenantsFile = fileURLToPath(new URL('../tenants.sample.json', import.meta.url));

export interface RunPlan {
  dataFolder: string;
  workers: number;
  remote: boolean;
  env: NodeJS.ProcessEnv;
  progress: Progress;
  entries?: EntryFiles;
}

export interface Run {
  dev: DevFile;
  settings: Settings;
}

/** Someone pressed Ctrl-C while the system came up. */
export class StoppedError extends Error {
  constructor() {
    super('stopped');
    this.name = 'StoppedError';
  }
}

/**
 * Brings the whole system up, hands it to `use`, and takes it down again, however `use` ends. `stop` is aborted by
 * Ctrl-C. What an earlier, killed start left behind is ended first.
 */
export async function withSystem<T>(
  plan: RunPlan,
  stop: AbortSignal,
  use: (run: Run) => Promise<T>,
): Promise<T> {
  const settings = readSettings(plan.env, { remote: plan.remote, sampleTenantsFile });
  await endAbandonedStart(plan);
  const lock = claimDataFolder(plan.dataFolder);
  try {
    await sweepOrphans(plan);
    const system = new LocalSystem({ ...plan, settings, entries: plan.entries ?? productEntries });
    try {
      const dev = await orStopped(system.start(), stop);
      return await use({ dev, settings });
    } finally {
      await system.stop();
    }
  } finally {
    lock.release();
  }
}

async function endAbandonedStart({ dataFolder, progress }: RunPlan): Promise<void> {
  const abandoned = abandonedStart(dataFolder);
  if (!abandoned) return;
  progress.warn(`An earlier start lost its npm and runs on alone; it is ended: process ${abandoned.pid}`);
  await endProcess(abandoned, 15_000);
}

async function sweepOrphans({ dataFolder, progress }: RunPlan): Promise<void> {
  const orphans = findOrphans(dataFolder);
  if (orphans.length === 0) return;
  const names = orphans.map(({ name, pid }) => `${name} ${pid}`).join(', ');
  progress.warn(`An earlier start was killed; its processes are ended: ${names}`);
  const left = await endOrphans(orphans, 3_000);
  if (left.length > 0) {
    throw new Error(
      `these processes of an earlier start do not end: ${left.map(({ pid }) => pid).join(', ')}`,
    );
  }
  forgetRun(dataFolder);
}

function orStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopped = (): void => reject(new StoppedError());
    if (stop.aborted) stopped();
    stop.addEventListener('abort', stopped, { once: true });
    // After a stop the work fails late and unheard: its children are gone.
    work.then(resolve, reject).finally(() => stop.removeEventListener('abort', stopped));
  });
}
