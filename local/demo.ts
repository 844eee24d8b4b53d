import { playCalls, formatTotals } from './demo-calls.js';
import { DemoClient } from './demo-client.js';
import { type DevFile, readDevFile } from './dev-file.js';
import { isAlive, type ProcessIdentity } from './process-identity.js';
import { waitUntil } from './readiness.js';
import { canPlayCalls } from './reality.js';
import { withSystem, StoppedError } from './run.js';
import { runningStart } from './run-record.js';
import { demoUsage, parseDemoOptions, UsageError } from './start-options.js';
import { stopSignal } from './stop-signals.js';
import { createProgress, errorText } from './terminal.js';

const progress = createProgress();

async function main(dataFolder: string): Promise<boolean> {
  const running = runningStart(dataFolder);
  if (running) {
    progress.step(`Using the system that process ${running.pid} runs`);
    return play(await devFileOf(dataFolder, running));
  }
  const plan = { dataFolder, workers: 1, remote: false, env: process.env, progress };
  return withSystem(plan, stopSignal(), async (run) => {
    if (canPlayCalls(run.settings)) return play(run.dev);
    progress.fail('The demo needs the local Stripe and SMS: unset the keys and URLs of the real ones');
    return false;
  });
}

/** The file appears when all parts are ready; the system may be coming up at this moment. */
async function devFileOf(dataFolder: string, running: ProcessIdentity): Promise<DevFile> {
  let dev: DevFile | undefined;
  await waitUntil(
    `the system of process ${running.pid}`,
    async () => {
      dev = readDevFile(dataFolder);
      return dev?.pids.start === running.pid;
    },
    { timeoutMs: 60_000, failed: () => (isAlive(running) ? undefined : `process ${running.pid} ended`) },
  );
  if (!dev) throw new Error('dev.json disappeared');
  return dev;
}

async function play(dev: DevFile): Promise<boolean> {
  const paid = await playCalls(dev);
  progress.step(`Ledger: ${formatTotals(await new DemoClient(dev).ledger())}`);
  return paid;
}

try {
  const options = parseDemoOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(`${demoUsage}\n`);
  else process.exitCode = (await main(options.dataFolder)) ? 0 : 1;
} catch (error) {
  progress.fail(error instanceof StoppedError ? 'stopped' : errorText(error));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
process.exit();
