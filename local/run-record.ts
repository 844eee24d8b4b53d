import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isRecord, readJson, writeJson } from './files.js';
import { type FileLock, lockOwner, tryLock } from './file-lock.js';
import {
  endProcess,
  isAlive,
  isProcessIdentity,
  launchers,
  type ProcessIdentity,
} from './process-identity.js';
import type { RunningChild } from './supervisor.js';

/** A start on this data folder is alive already. */
export class AlreadyRunningError extends Error {
  constructor(readonly pid: number) {
    super(
      `voice-checkout already runs on this data folder, as process ${pid}. Stop it first, or use --data <dir>.`,
    );
    this.name = 'AlreadyRunningError';
  }
}

/** Looked up once, at the beginning: later a dead one could not be seen any more. */
const ownLaunchers = launchers();
const lockPath = (dataFolder: string): string => join(dataFolder, 'run.lock');
const recordPath = (dataFolder: string): string => join(dataFolder, 'run.json');

/** The live start on this data folder, if any. */
export function runningStart(dataFolder: string): ProcessIdentity | undefined {
  const owner = lockOwner(lockPath(dataFolder));
  return owner && isAlive(owner) ? owner : undefined;
}

/** Makes this process the start of the data folder. Throws AlreadyRunningError. */
export function claimDataFolder(dataFolder: string): FileLock {
  const attempt = tryLock(lockPath(dataFolder));
  if ('owner' in attempt) throw new AlreadyRunningError(attempt.owner.pid);
  return attempt.held;
}

/**
 * The live start on this data folder whose npm (or tsx) was killed: nobody can press Ctrl-C in it any more, so the next
 * start may end it. Undefined for a start that is in someone's hands.
 */
export function abandonedStart(dataFolder: string): ProcessIdentity | undefined {
  const owner = runningStart(dataFolder);
  const above = recorded(dataFolder, 'launchers').filter(isProcessIdentity);
  return owner && above.some((launcher) => !isAlive(launcher)) ? owner : undefined;
}

export function recordRun(dataFolder: string, children: readonly RunningChild[]): void {
  writeJson(recordPath(dataFolder), { launchers: ownLaunchers, children });
}

export function forgetRun(dataFolder: string): void {
  rmSync(recordPath(dataFolder), { force: true });
}

/** Children that an earlier, killed start left behind: alive, and by their start time truly the recorded ones. */
export function findOrphans(dataFolder: string): RunningChild[] {
  return recorded(dataFolder, 'children').filter(isRunningChild).filter(isAlive);
}

function recorded(dataFolder: string, name: 'launchers' | 'children'): unknown[] {
  const record = readJson(recordPath(dataFolder));
  const list = isRecord(record) ? record[name] : undefined;
  return Array.isArray(list) ? list : [];
}

/** Ends the orphans; returns those that would not go. */
export async function endOrphans(orphans: readonly RunningChild[], graceMs: number): Promise<RunningChild[]> {
  const gone = await Promise.all(orphans.map((orphan) => endProcess(orphan, graceMs)));
  return orphans.filter((_, index) => gone[index] === false);
}

function isRunningChild(value: unknown): value is RunningChild {
  return isProcessIdentity(value) && 'name' in value && typeof value.name === 'string';
}
