import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { tsxLoader } from './entry-point.js';

const check = fileURLToPath(new URL('../runtime/check-tenants.ts', import.meta.url));

/** What the product itself will say about a tenants file. It is asked as a process, since nothing of it is imported here. */
export function tenantsFileProblems(file: string): string[] {
  const { status, stdout } = spawnSync(process.execPath, ['--import', tsxLoader, check, file], {
    encoding: 'utf8',
    env: {},
    timeout: 30_000,
  });
  if (status === 0) return [];
  const problems = (stdout ?? '').split('\n').filter((line) => line !== '');
  return problems.length > 0 ? problems : ['TENANTS_FILE could not be checked'];
}
