import { playCalls, formatTotals } from './demo-calls.js';
import { DemoClient } from './demo-client.js';
import type { DevFile } from './dev-file.js';
import { canPlayCalls, describeReality, realityHints } from './reality.js';
import { withSystem, StoppedError } from './run.js';
import { parseStartOptions, type StartOptions, startUsage, UsageError } from './start-options.js';
import { stopSignal, untilAborted } from './stop-signals.js';
import { createProgress, errorText, styled } from './terminal.js';

const progress = createProgress();

async function main(options: StartOptions): Promise<void> {
  const begun = Date.now();
  const stop = stopSignal();
  const { dataFolder, workers, remote } = options;
  await withSystem(
    { dataFolder, workers, remote, env: process.env, progress },
    stop,
    async ({ dev, settings }) => {
      progress.step(
        `Ready after ${((Date.now() - begun) / 1000).toFixed(1)} s. ${describeReality(settings)}`,
      );
      for (const hint of realityHints(settings, dev.api_url)) progress.detail(hint);
      if (options.demo && canPlayCalls(settings)) {
        try {
          await playCalls(dev);
        } catch (error) {
          progress.fail(`the demo calls failed: ${errorText(error)} (logs: ${dataFolder}/logs)`);
        }
      }
      await printLinks(dev, settings.stripe.kind === 'stand-in');
      await untilAborted(stop);
      progress.step('Stopping (a worker may finish what it has begun, at most 8 s)');
    },
  );
  progress.step('Stopped');
}

async function printLinks(dev: DevFile, ledgerIsOurs: boolean): Promise<void> {
  const line = (name: string, text: string): void => {
    process.stdout.write(`  ${styled(process.stdout, 'bold', name.padEnd(14))}${text}\n`);
  };
  const ledger = ledgerIsOurs ? await new DemoClient(dev).ledger().catch(() => undefined) : undefined;
  if (ledger) line('Ledger', formatTotals(ledger));
  if (dev.ui_url) line('Runs', `${dev.ui_url}/namespaces/default/workflows`);
  line('Phone', `${dev.local_url}/phone`);
  line('API', `${dev.api_url}/docs`);
  process.stdout.write(`${styled(process.stdout, 'dim', '  Ctrl-C stops everything.')}\n`);
}

try {
  const options = parseStartOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(`${startUsage}\n`);
  else await main(options);
} catch (error) {
  if (error instanceof StoppedError) progress.step('Stopped');
  else {
    progress.fail(errorText(error));
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
// What an interrupted step left pending (a request, a build that was told to end) must not keep the process alive.
process.exit();
