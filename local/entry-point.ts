import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Whether this module is what the process was asked to run, and not an import of another one. */
export function isEntryPoint(moduleUrl: string): boolean {
  const script = process.argv[1];
  if (script === undefined) return false;
  try {
    return realpathSync(script) === realpathSync(fileURLToPath(moduleUrl));
  } catch {
    return false;
  }
}
