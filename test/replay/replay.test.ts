import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildWorkflowBundle } from '../../workers/bundle.js';
import { paths } from './paths.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(repository, 'test/replay/histories');
const namesIn = (part: string) =>
  readdirSync(join(folder, part))
    .filter((file) => file.endsWith('.json'))
    .map((file) => join(part, file.replace(/\.json$/, '')));
/** Recorded by code of before: what runs may still be doing. */
const earlier = namesIn('earlier');
const names = [...namesIn(''), ...earlier];

const historyOf = (name: string): unknown => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));

async function replay(code: string, name: string): Promise<void> {
  await Worker.runReplayHistory({ workflowBundle: { code } }, historyOf(name), `checkout/${name}`);
}

/** Today's workflow code with one edit, bundled from a copy. */
async function bundleWith(file: string, before: string, after: string): Promise<string> {
  const copy = mkdtempSync(join(tmpdir(), 'planted-'));
  try {
    for (const part of ['workflows', 'contracts', 'domain', 'package.json']) {
      cpSync(join(repository, part), join(copy, part), { recursive: true });
    }
    symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
    const path = join(copy, file);
    const text = readFileSync(path, 'utf8');
    expect(text.split(before), `${file} holds the code to change once`).toHaveLength(2);
    writeFileSync(path, text.replace(before, after));
    const { code } = await bundleWorkflowCode({
      workflowsPath: join(copy, 'workflows/index.ts'),
      payloadConverterPath: join(copy, 'workflows/payload-converter.ts'),
      logger: new DefaultLogger('ERROR'),
    });
    return code;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

let today = '';
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  today = await buildWorkflowBundle();
});

describe('the recorded histories', () => {
  it('cover every path', () => {
    expect(namesIn('').sort()).toEqual(Object.keys(paths).sort());
  });

  it.for(names)('replay with the code of today: %s', async (name) => {
    await replay(today, name);
  });

  it('name no machine, and no phone but fictitious ones', () => {
    for (const name of names) {
      const text = readFileSync(join(folder, `${name}.json`), 'utf8');
      const payloads = [...text.matchAll(/"data": "([A-Za-z0-9+/=]+)"/g)].map(([, data = '']) =>
        Buffer.from(data, 'base64').toString(),
      );
      const phones = payloads.join('\n').match(/\+\d{8,15}/g) ?? [];
      expect(phones.filter((phone) => !phone.startsWith('+1555'))).toEqual([]);
      const identities = [...text.matchAll(/"identity": "([^"]*)"/g)].map(([, identity]) => identity);
      expect(new Set(identities)).toEqual(new Set(['recorded']));
    }
  });
});

describe('a change that open checkouts would not survive', () => {
  it.for<[string, string, string, string, string]>([
    [
      'a look at Stripe before the wait instead of after it',
      'wallet-paid',
      'workflows/steps/collect-payment.ts',
      'const wake = await awaitPaymentEvent(',
      'await look();\n    const wake = await awaitPaymentEvent(',
    ],
    [
      'a link that is sent before the next rail is read',
      'wallet-denied-then-link',
      'workflows/rails/payment-link.ts',
      'const page = await openPage(run, step);',
      "await readMessage({ ...ref, message: 'SM0' }).catch(() => undefined);\n  const page = await openPage(run, step);",
    ],
  ])('is caught: %s', async ([, name, file, before, after]) => {
    const planted = await bundleWith(file, before, after);
    await expect(replay(planted, name)).rejects.toMatchObject({ name: 'DeterminismViolationError' });
  });

  it('is not seen where it is no change', async () => {
    const same = await bundleWith('workflows/checkout.ts', 'const run = new', 'const run = /* same */ new');
    await replay(same, 'wallet-paid');
  });
});
