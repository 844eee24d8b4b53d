import { statSync } from 'node:fs';
import { ConfigurationError } from './config.js';
import type { Logger } from './logger.js';

/** How soon a changed file counts, ms. */
const lookEveryMs = 1_000;

/** Differs after every write, also one that replaces the file or leaves its time as it was. */
function fingerprint(path: string): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(path);
    return [mtimeMs, ctimeMs, size, ino].join(' ');
  } catch {
    return 'none';
  }
}

/**
 * What a configuration file says now: it is read again when it changes, so that a right that was taken away is gone without a
 * restart. A file that is gone or wrong is logged, and what was read before stays. Throws what `load` throws at the first
 * reading. Keeps no process alive.
 */
export function watchFile<Value>(path: string, load: (path: string) => Value, log: Logger): () => Value {
  // Before the reading: a write in between is then seen as a change.
  let seen = fingerprint(path);
  let value = load(path);
  setInterval(() => {
    const now = fingerprint(path);
    if (now === seen) return;
    seen = now;
    try {
      value = load(path);
      log.info({ file: path }, 'a changed file was read');
    } catch (error) {
      const problems = error instanceof ConfigurationError ? error.problems : ['it cannot be read'];
      log.error({ file: path, problems }, 'a changed file is wrong: what was read before still counts');
    }
  }, lookEveryMs).unref();
  return () => value;
}
