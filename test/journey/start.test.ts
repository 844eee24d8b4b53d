import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type DevFile, readDevFile } from '../../local/dev-file.js';
import { freePort } from '../../local/ports.js';
import { identityOf, isAlive, type ProcessIdentity } from '../../local/process-identity.js';
import { writeJson } from '../../local/files.js';
import { httpReady } from '../../local/readiness.js';

const repository = new URL('../..', import.meta.url).pathname;
const tsx = join(repository, 'node_modules/tsx/dist/cli.mjs');
const upMs = 60_000;
const started: Started[] = [];

interface Started {
  process: ChildProcess;
  output: () => string;
  exitCode: Promise<number | null>;
}

function run(script: string, args: readonly string[], env: NodeJS.ProcessEnv = userEnvironment()): Started {
  const child = spawn(process.execPath, [tsx, script, ...args], { cwd: repository, env, stdio: 'pipe' });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exitCode = once(child, 'close').then(([code]: unknown[]) => (typeof code === 'number' ? code : null));
  const result = { process: child, output: () => output, exitCode };
  started.push(result);
  return result;
}

/** Without what this test run itself was given: Vitest's and the vendors' variables. */
function userEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'TMPDIR', 'XDG_CACHE_HOME', 'TEMPORAL_CLI', 'NODE_EXTRA_CA_CERTS'];
  const set = names.map((name): [string, string | undefined] => [name, process.env[name]]);
  return Object.fromEntries(set.filter(([, value]) => value !== undefined));
}

/** A folder with ports of its own, so that a system that runs beside the tests is not disturbed. */
async function dataFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'start-'));
  const [temporal, ui, api, local] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  writeJson(join(folder, 'ports.json'), { temporal, ui, api, local });
  return folder;
}

async function up(data: string, start: Started): Promise<DevFile> {
  return vi.waitFor(
    () => {
      if (start.process.exitCode !== null) throw new Error(`start ended:\n${start.output()}`);
      const dev = readDevFile(data);
      if (!dev) throw new Error(`not up:\n${start.output()}`);
      return dev;
    },
    { timeout: upMs, interval: 50 },
  );
}

function processesOf({ pids }: DevFile): ProcessIdentity[] {
  const all = [pids.start, pids.temporal, pids.api, pids.local, ...pids.workers];
  return all.map((pid) => {
    const identity = pid === undefined ? undefined : identityOf(pid);
    if (!identity) throw new Error(`no process ${pid}`);
    return identity;
  });
}

async function interrupt(start: Started): Promise<number | null> {
  start.process.kill('SIGINT');
  return start.exitCode;
}

afterEach(async () => {
  for (const start of started.splice(0)) {
    if (start.process.exitCode === null && start.process.signalCode === null) await interrupt(start);
  }
});

describe('npm start', () => {
  it('brings everything up, writes dev.json for its owner only, and Ctrl-C leaves no process', async () => {
    const data = await dataFolder();
    const start = run('local/start.ts', ['--no-demo', '--data', data, '--workers', '2']);
    const dev = await up(data, start);
    expect(statSync(join(data, 'dev.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(data, 'secrets.json')).mode & 0o777).toBe(0o600);
    expect(dev).toMatchObject({ tenant: 'acme', other_tenant: { tenant: 'globex' } });
    expect(dev.pids.workers).toHaveLength(2);
    expect(await httpReady(`${dev.api_url}/readyz`)).toBe(true);
    expect(await httpReady(`${dev.local_url}/_local/ledger`)).toBe(true);
    expect(await httpReady(dev.ui_url)).toBe(true);
    const processes = processesOf(dev);
    expect(await interrupt(start)).toBe(0);
    expect(processes.filter(isAlive)).toEqual([]);
    expect(existsSync(join(data, 'dev.json'))).toBe(false);
  });

  it('starts a killed child again and writes its new pid', async () => {
    const data = await dataFolder();
    const start = run('local/start.ts', ['--no-demo', '--data', data]);
    const before = await up(data, start);
    for (const name of ['api', 'temporal'] as const) process.kill(before.pids[name] ?? 0, 'SIGKILL');
    await vi.waitFor(
      async () => {
        const after = readDevFile(data);
        expect(after?.pids.api).not.toBe(before.pids.api);
        expect(after?.pids.temporal).not.toBe(before.pids.temporal);
        expect(await httpReady(`${before.api_url}/readyz`)).toBe(true);
      },
      { timeout: 20_000, interval: 100 },
    );
  });

  it('goes on after a kill -9, with the same ports and keys, and says what it ended', async () => {
    const data = await dataFolder();
    const first = run('local/start.ts', ['--no-demo', '--data', data]);
    const before = await up(data, first);
    const orphans = processesOf(before);
    process.kill(before.pids.start, 'SIGKILL');
    await first.exitCode;
    const second = run('local/start.ts', ['--no-demo', '--data', data]);
    const after = await vi.waitFor(
      () => {
        const dev = readDevFile(data);
        if (!dev || dev.pids.start === before.pids.start) throw new Error(second.output());
        return dev;
      },
      { timeout: upMs, interval: 50 },
    );
    expect(orphans.filter(isAlive)).toEqual([]);
    expect(second.output()).toContain('An earlier start was killed; its processes are ended');
    expect({ ...after, pids: before.pids }).toEqual(before);
  });

  it('takes over from a start whose npm was killed', async () => {
    const data = await dataFolder();
    const first = run('local/start.ts', ['--no-demo', '--data', data]);
    const before = await up(data, first);
    const processes = processesOf(before);
    // The process that `run` holds is the launcher; the start itself runs below it.
    first.process.kill('SIGKILL');
    const second = run('local/start.ts', ['--no-demo', '--data', data]);
    await vi.waitFor(
      () => expect(readDevFile(data)?.pids.start ?? before.pids.start).not.toBe(before.pids.start),
      {
        timeout: upMs,
        interval: 50,
      },
    );
    expect(second.output()).toContain('it is ended');
    expect(processes.filter(isAlive)).toEqual([]);
  });

  it('refuses to run twice on one folder and names the process that does', async () => {
    const data = await dataFolder();
    const first = run('local/start.ts', ['--no-demo', '--data', data]);
    const dev = await up(data, first);
    const second = run('local/start.ts', ['--no-demo', '--data', data]);
    expect(await second.exitCode).toBe(1);
    expect(second.output()).toContain(`process ${dev.pids.start}`);
    expect(isAlive({ pid: dev.pids.start, started: identityOf(dev.pids.start)?.started ?? '' })).toBe(true);
  });

  it('takes another port where one is busy', async () => {
    const data = await dataFolder();
    const [temporal, ui, api, local] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    writeJson(join(data, 'ports.json'), { temporal, ui, api, local });
    const stranger = createServer().listen(api, '127.0.0.1');
    onTestFinished(() => void stranger.close());
    await once(stranger, 'listening');
    const start = run('local/start.ts', ['--no-demo', '--data', data]);
    const dev = await up(data, start);
    expect(new URL(dev.api_url).port).not.toBe(String(api));
    expect(start.output()).toContain(`port ${api} (api) is busy`);
  });

  it('plays two paid calls with npm run demo, against what is up and also by itself', async () => {
    const data = await dataFolder();
    const start = run('local/start.ts', ['--no-demo', '--data', data]);
    await up(data, start);
    const against = run('local/demo.ts', ['--data', data]);
    expect(await against.exitCode, against.output()).toBe(0);
    expect(await interrupt(start)).toBe(0);
    const alone = run('local/demo.ts', ['--data', data]);
    expect(await alone.exitCode, alone.output()).toBe(0);
    expect(alone.output()).toContain('both calls paid');
  });
});

describe('npm start that cannot run', () => {
  it('lists within 10 s what was tried and what helps when there is no way to get a server', async () => {
    const home = mkdtempSync(join(tmpdir(), 'nothing-'));
    const bin = join(home, 'bin');
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, 'node'));
    const begun = Date.now();
    const env = { HOME: home, PATH: bin, NODE_OPTIONS: `--import=${blockedNetwork}` };
    const start = run('local/start.ts', ['--no-demo', '--data', join(home, 'data')], env);
    expect(await start.exitCode).toBe(1);
    expect(Date.now() - begun).toBeLessThan(10_000);
    for (const tried of [
      'TEMPORAL_CLI',
      'PATH',
      'cache',
      'temporal.download',
      'Go is not installed',
      'What helps',
    ]) {
      expect(start.output()).toContain(tried);
    }
  });

  it('lists every configuration problem and prints no value', async () => {
    const env = {
      ...userEnvironment(),
      STRIPE_SECRET_KEY: 'sk_live_do_not_print',
      TWILIO_ACCOUNT_SID: 'do_not_print',
    };
    const start = run('local/start.ts', ['--data', await dataFolder()], env);
    expect(await start.exitCode).toBe(1);
    expect(start.output()).toContain('STRIPE_SECRET_KEY is a live key');
    expect(start.output()).toContain('TWILIO_ACCOUNT_SID');
    expect(start.output()).not.toContain('do_not_print');
  });

  it('ends with 2 for an unknown option', async () => {
    expect(await run('local/start.ts', ['--bogus']).exitCode).toBe(2);
  });
});

/** Makes every fetch fail as without a network, so that the test says the same on a machine that has one. */
const blockedNetwork = `data:text/javascript,${encodeURIComponent(
  "globalThis.fetch = () => Promise.reject(new TypeError('fetch failed: no network'))",
)}`;
