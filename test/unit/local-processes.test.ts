import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { tryLock } from '../../local/file-lock.js';
import { choosePorts, freePort, portIsFree } from '../../local/ports.js';
import { identityOf, isAlive, type ProcessIdentity } from '../../local/process-identity.js';
import {
  abandonedStart,
  AlreadyRunningError,
  claimDataFolder,
  endOrphans,
  findOrphans,
  recordRun,
  runningStart,
} from '../../local/run-record.js';
import { parseStartOptions, UsageError } from '../../local/start-options.js';
import { Supervisor } from '../../local/supervisor.js';
import { silentProgress } from '../../local/terminal.js';

const folder = (): string => mkdtempSync(join(tmpdir(), 'local-processes-'));
const children: ChildProcess[] = [];

async function realProcess(): Promise<{ child: ChildProcess; identity: ProcessIdentity }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  const identity = identityOf(child.pid ?? 0);
  if (!identity) throw new Error('no identity');
  return { child, identity };
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('processes that a killed start left behind', () => {
  it('are found by pid and start time, and ended', async () => {
    const data = folder();
    const { child, identity } = await realProcess();
    recordRun(data, [{ name: 'temporal', ...identity }]);
    expect(findOrphans(data)).toEqual([{ name: 'temporal', ...identity }]);
    const exited = once(child, 'exit');
    expect(await endOrphans(findOrphans(data), 2_000)).toEqual([]);
    await exited;
    expect(findOrphans(data)).toEqual([]);
  });

  it('are not confused with a stranger that has got the same pid', async () => {
    const data = folder();
    const { identity } = await realProcess();
    recordRun(data, [{ name: 'temporal', pid: identity.pid, started: 'another time' }]);
    expect(findOrphans(data)).toEqual([]);
    expect(isAlive(identity)).toBe(true);
  });

  it('are none when the record is damaged', () => {
    const data = folder();
    writeFileSync(join(data, 'run.json'), '{"children":[{"pid":"1"},');
    expect(findOrphans(data)).toEqual([]);
  });
});

describe('a start whose npm was killed', () => {
  it('is found as abandoned, and not before', async () => {
    const data = folder();
    const launcher = await realProcess();
    const lock = claimDataFolder(data);
    onTestFinished(() => lock.release());
    writeFileSync(join(data, 'run.json'), JSON.stringify({ launchers: [launcher.identity], children: [] }));
    expect(abandonedStart(data)).toBeUndefined();
    const exited = once(launcher.child, 'exit');
    launcher.child.kill('SIGKILL');
    await exited;
    expect(abandonedStart(data)?.pid).toBe(process.pid);
  });
});

describe('the lock of a data folder', () => {
  it('refuses a second start while the first is alive, and names it', () => {
    const data = folder();
    const lock = claimDataFolder(data);
    expect(() => claimDataFolder(data)).toThrow(AlreadyRunningError);
    expect(() => claimDataFolder(data)).toThrow(String(process.pid));
    expect(runningStart(data)?.pid).toBe(process.pid);
    lock.release();
    expect(runningStart(data)).toBeUndefined();
  });

  it('is taken over from a start that died', async () => {
    const data = folder();
    const { child, identity } = await realProcess();
    writeFileSync(join(data, 'run.lock'), JSON.stringify(identity));
    expect(() => claimDataFolder(data)).toThrow(AlreadyRunningError);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    claimDataFolder(data).release();
  });

  it('is taken over when its file is damaged', () => {
    const path = join(folder(), 'lock');
    writeFileSync(path, '');
    expect('held' in tryLock(path)).toBe(true);
  });
});

describe('ports', () => {
  it('of mail is any free one, kept, and replaced only when busy', async () => {
    const file = join(folder(), 'ports.json');
    const replaced: number[] = [];
    const note = (_name: string, busy: number): void => void replaced.push(busy);
    const { smtp } = await choosePorts(file, ['smtp'], note);
    expect(smtp).toBeGreaterThan(0);
    expect((await choosePorts(file, ['smtp'], note)).smtp).toBe(smtp);
    expect(replaced).toEqual([]);
    const other = await choosePorts(file, ['smtp'], note, async (port) => port !== smtp);
    expect([other.smtp === smtp, replaced]).toEqual([false, [smtp]]);
  });

  it('stay the same from start to start', async () => {
    const file = join(folder(), 'ports.json');
    const all = ['temporal', 'ui', 'api', 'local'] as const;
    const free = async (port: number): Promise<boolean> => port !== 3000;
    const replaced: string[] = [];
    const first = await choosePorts(file, all, (name, busy) => replaced.push(`${name} ${busy}`), free);
    expect(replaced).toEqual(['api 3000']);
    expect(first).toMatchObject({ temporal: 7233, ui: 8233, local: 3001 });
    // Port 3000 is free again, but links in sent messages name the other one.
    const second = await choosePorts(
      file,
      all,
      () => replaced.push('again'),
      async () => true,
    );
    expect(second).toEqual(first);
    expect(replaced).toHaveLength(1);
  });

  it('are never given twice', async () => {
    const file = join(folder(), 'ports.json');
    writeFileSync(file, '{"api":3001,"local":3001}');
    const ports = await choosePorts(
      file,
      ['api', 'local'],
      () => undefined,
      async () => true,
    );
    expect(ports.api).not.toBe(ports.local);
  });

  it('are chosen outside those that connections and Temporal’s inner services are given', async () => {
    const ports = await Promise.all(Array.from({ length: 200 }, () => freePort()));
    expect(new Set(ports).size).toBe(200);
    expect(Math.max(...ports)).toBeLessThan(32_768);
  });

  it('are busy when someone listens on any interface', async () => {
    const port = await freePort();
    expect(await portIsFree(port)).toBe(true);
    const server = createServer().listen(port);
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    expect(await portIsFree(port)).toBe(false);
  });
});

describe('supervised children', () => {
  const spec = (script: string) => ({
    name: 'child',
    command: process.execPath,
    args: ['-e', script],
    env: {},
    cwd: tmpdir(),
    ipc: true,
    graceMs: 300,
  });

  it('are started again after a kill, and stay away after a stop', async () => {
    const changed = vi.fn();
    const supervisor = new Supervisor(folder(), silentProgress, changed);
    supervisor.start(spec('setInterval(() => {}, 1000)'));
    const first = supervisor.pid('child') ?? 0;
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => expect(supervisor.pid('child') ?? first).not.toBe(first), { timeout: 5_000 });
    const second = supervisor.running()[0];
    await supervisor.stop([]);
    expect(second && isAlive(second)).toBe(false);
    expect(supervisor.running()).toEqual([]);
    expect(changed).toHaveBeenCalledTimes(2);
  });

  it('are killed when they ignore the request to end', async () => {
    const logs = folder();
    const supervisor = new Supervisor(logs, silentProgress, () => undefined);
    supervisor.start(spec("process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)"));
    const child = supervisor.running()[0];
    await vi.waitFor(() => expect(readFileSync(join(logs, 'child.log'), 'utf8')).toBe('up\n'), {
      timeout: 5_000,
    });
    await supervisor.stop([]);
    expect(child && isAlive(child)).toBe(false);
  });

  it('fail with the end of their log when they never come up', async () => {
    const supervisor = new Supervisor(folder(), silentProgress, () => undefined);
    supervisor.start(spec("console.error('STRIPE_SECRET_KEY is missing'); process.exit(1)"));
    await vi.waitFor(() => expect(supervisor.failure('child')).toContain('STRIPE_SECRET_KEY is missing'), {
      timeout: 10_000,
    });
    await supervisor.stop([]);
  });
});

describe('the options of npm start', () => {
  it('are read', () => {
    expect(parseStartOptions(['--no-demo', '--workers', '3', '--data', '/d'])).toEqual({
      demo: false,
      workers: 3,
      dataFolder: '/d',
      remote: false,
      help: false,
    });
  });

  it.each([['--bogus'], ['--workers', 'many'], ['--data', ''], ['extra']])('refuse %s %s', (...args) => {
    expect(() => parseStartOptions(args.filter((arg) => typeof arg === 'string'))).toThrow(UsageError);
  });
});
