import { ConfigurationError } from './config.js';
import { loadTenants, unreachableApprovers } from './tenants.js';

/**
 * `node dist/runtime/check-tenants.js <file>`: what is wrong with a tenants file, a problem per line, before anything is
 * started with it. Ends with 1 if something is. A mail server is taken to be there.
 */
function problemsOf(path: string): readonly string[] {
  try {
    return unreachableApprovers(loadTenants(path).values(), true);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

const problems = problemsOf(process.argv[2] ?? '');
for (const problem of problems) process.stdout.write(`${problem}\n`);
process.exitCode = problems.length > 0 ? 1 : 0;
