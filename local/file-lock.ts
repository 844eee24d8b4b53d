import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync, linkSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, isAlive, isProcessIdentity, type ProcessIdentity } from './process-identity.js';

export interface FileLock {
  release(): void;
}

export type LockAttempt = { held: FileLock } | { owner: ProcessIdentity };

/**
 * Takes the lock or names who has it. The lock of a process that died (kill -9 included) does not count: a lock file
 * that blocks the next start would need a person to delete it.
 */
export function tryLock(path: string): LockAttempt {
  const self = identityOf(process.pid);
  if (!self) throw new Error('cannot read the start time of this process');
  mkdirSync(dirname(path), { recursive: true });
  for (let round = 0; round < 20; round += 1) {
    if (createExclusive(path, self)) return { held: { release: () => releaseLock(path, self) } };
    const owner = lockOwner(path);
    if (owner && isAlive(owner)) return { owner };
    removeStale(path, owner);
  }
  throw new Error(`cannot take the lock ${path}`);
}

/** Waits for the lock; `waiting` is called about once a second with who has it. */
export async function waitForLock(
  path: string,
  waiting: (owner: ProcessIdentity) => void,
): Promise<FileLock> {
  for (let round = 0; ; round += 1) {
    const attempt = tryLock(path);
    if ('held' in attempt) return attempt.held;
    if (round % 10 === 0) waiting(attempt.owner);
    await sleep(100);
  }
}

export function lockOwner(path: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isProcessIdentity(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A link appears with its whole content or not at all: nobody reads half a lock. */
function createExclusive(path: string, self: ProcessIdentity): boolean {
  const temporary = `${path}.${self.pid}.new`;
  writeFileSync(temporary, JSON.stringify(self), { mode: 0o600 });
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Two starts may find the same dead owner: what was moved away is compared, and a live one's lock put back. */
function removeStale(path: string, expected: ProcessIdentity | undefined): void {
  const moved = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, moved);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  const found = lockOwner(moved);
  if (found && found.pid !== expected?.pid && isAlive(found)) linkSync(moved, path);
  rmSync(moved, { force: true });
}

function releaseLock(path: string, self: ProcessIdentity): void {
  const owner = lockOwner(path);
  if (owner?.pid === self.pid && owner.started === self.started) rmSync(path, { force: true });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
