import { describe, expect, it } from 'vitest';
import { parseCliVersion } from '../../local/temporal/cli-version.js';
import { type CliProbes, findCli, NoTemporalCliError } from '../../local/temporal/find-cli.js';
import { createProgress, silentProgress } from '../../local/terminal.js';

const good = { ok: true, value: { cli: '1.8.2', server: '1.31.2' } } as const;
const broken = { ok: false, reason: 'does not run: ended by SIGSEGV' } as const;

/** A world in which nothing is there; a test adds what it needs. */
function world(changes: Partial<CliProbes> = {}): {
  probes: CliProbes;
  files: Map<string, typeof good | typeof broken>;
} {
  const files = new Map<string, typeof good | typeof broken>();
  const probes: CliProbes = {
    explicitPath: undefined,
    cachePath: '/cache/temporal',
    onPath: () => undefined,
    exists: (path) => files.has(path),
    check: async (path) => files.get(path) ?? broken,
    remove: async (path) => void files.delete(path),
    checkGo: async () => ({ ok: false, reason: 'Go is not installed' }),
    download: async () => Promise.reject(new Error('no network')),
    build: async () => Promise.reject(new Error('not expected')),
    exclusively: (work) => work(),
    ...changes,
  };
  return { probes, files };
}

describe('finding a Temporal CLI', () => {
  it('takes TEMPORAL_CLI before PATH and cache', async () => {
    const { probes, files } = world({ explicitPath: '/mine', onPath: () => '/usr/bin/temporal' });
    for (const path of ['/mine', '/usr/bin/temporal', '/cache/temporal']) files.set(path, good);
    expect((await findCli(probes, silentProgress)).path).toBe('/mine');
  });

  it('takes the one on PATH before the cache, unless it is too old', async () => {
    const { probes, files } = world({ onPath: () => '/usr/bin/temporal' });
    files.set('/usr/bin/temporal', good).set('/cache/temporal', good);
    expect((await findCli(probes, silentProgress)).path).toBe('/usr/bin/temporal');
    files.set('/usr/bin/temporal', broken);
    expect((await findCli(probes, silentProgress)).path).toBe('/cache/temporal');
  });

  it('downloads before it builds', async () => {
    const { probes, files } = world({ download: async (target) => void files.set(target, good) });
    expect((await findCli(probes, silentProgress)).path).toBe('/cache/temporal');
  });

  it('builds where it cannot download', async () => {
    const { probes, files } = world({
      checkGo: async () => ({ ok: true, value: '1.26.8' }),
      build: async (target) => void files.set(target, good),
    });
    expect((await findCli(probes, silentProgress)).path).toBe('/cache/temporal');
  });

  it('removes a broken binary from the cache and gets a new one', async () => {
    const { probes, files } = world({ download: async (target) => void files.set(target, good) });
    files.set('/cache/temporal', broken);
    const lines: string[] = [];
    await findCli(probes, createProgress({ write: (text) => lines.push(text) }));
    expect(files.get('/cache/temporal')).toBe(good);
    expect(lines.join('')).toContain(
      'the Temporal CLI in the cache does not run: ended by SIGSEGV; it is replaced',
    );
  });

  it('uses what another start put into the cache while it waited for the lock', async () => {
    const { probes, files } = world();
    probes.exclusively = (work) => {
      files.set('/cache/temporal', good);
      return work();
    };
    expect((await findCli(probes, silentProgress)).path).toBe('/cache/temporal');
  });

  it('lists everything that was tried, each with its reason, when nothing gives a server', async () => {
    const { probes } = world({ explicitPath: '/nowhere', onPath: () => '/usr/bin/temporal' });
    const error = await findCli(probes, silentProgress).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(NoTemporalCliError);
    const { attempts, message } = error as NoTemporalCliError;
    expect(attempts.map(({ what, reason }) => `${what}: ${reason}`)).toEqual([
      'TEMPORAL_CLI: names no file',
      'temporal on PATH: does not run: ended by SIGSEGV',
      'cache (/cache/temporal): empty',
      'download from temporal.download: no network',
      'build of the Go module: Go is not installed',
    ]);
    expect(message).toContain('What helps');
  });
});

describe('the version of a Temporal CLI', () => {
  it('is read from what --version prints', () => {
    expect(parseCliVersion('temporal version 1.8.2 (Server 1.31.2, UI 2.50.1)')).toEqual(good);
  });

  it('is refused when the CLI or its server is too old', () => {
    expect(parseCliVersion('temporal version 1.7.9 (Server 1.31.2, UI 2.50.1)').ok).toBe(false);
    expect(parseCliVersion('temporal version 1.8.0 (Server 1.30.9, UI 2.50.1)').ok).toBe(false);
    expect(parseCliVersion('temporal version 1.10.0 (Server 1.32.0, UI 2.60.0)').ok).toBe(true);
  });

  it('is refused when another program answers', () => {
    expect(parseCliVersion('temporal 3, a video filter').ok).toBe(false);
  });
});
