import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, loopback } from '../../../local/ports.js';
import { tcpReady, waitUntil } from '../../../local/readiness.js';
import { devServerArguments } from '../../../local/temporal/dev-server.js';
import { ensureTemporalCli } from '../../../local/temporal/ensure.js';
import { createProgress } from '../../../local/terminal.js';

export interface TemporalServer {
  address: string;
  stop(): Promise<void>;
}

/** A real dev server as `npm start` runs it, with a database of its own that is deleted at the end. */
export async function startTemporalServer(): Promise<TemporalServer> {
  const { path } = await ensureTemporalCli(process.env, createProgress(process.stderr));
  const folder = mkdtempSync(join(tmpdir(), 'temporal-'));
  const port = await freePort();
  const args = devServerArguments({
    port,
    uiPort: await freePort(),
    databaseFile: join(folder, 'temporal.db'),
  });
  const child = spawn(path, args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const address = `${loopback}:${port}`;
  await waitUntil('the Temporal server', () => tcpReady(address), {
    timeoutMs: 20_000,
    failed: () =>
      child.exitCode === null ? undefined : `the Temporal server ended with code ${child.exitCode}`,
  });
  return {
    address,
    stop: async () => {
      process.off('exit', kill);
      kill();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
