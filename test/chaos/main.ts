import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** `npm run chaos`: the chaos journey at a size of one's own. */
const { values } = parseArgs({
  options: {
    checkouts: { type: 'string', default: '1000' },
    refunds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});

const size = Object.fromEntries(
  Object.entries(values).map(([name, text]) => {
    const number = Number(text);
    if (!Number.isSafeInteger(number) || number < 0)
      throw new Error(`--${name} takes a number, not "${text}"`);
    return [name, number];
  }),
);
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const args = [vitest, 'run', '--project', 'journey', 'test/journey/chaos.test.ts'];
const child = spawn(process.execPath, args, {
  stdio: 'inherit',
  env: { ...process.env, CHAOS: JSON.stringify(size) },
});
const [code] = (await once(child, 'close')) as [number | null];
process.exitCode = code ?? 1;
