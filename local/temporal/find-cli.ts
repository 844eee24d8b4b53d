import type { Progress } from '../terminal.js';
import { type Checked, type CliVersion, cliVersion, oldestGo } from './cli-version.js';

export interface FoundCli {
  path: string;
  version: CliVersion;
}

/** What finding needs of the world; tests bring their own. */
export interface CliProbes {
  /** Value of TEMPORAL_CLI. */
  explicitPath: string | undefined;
  cachePath: string;
  onPath(): string | undefined;
  exists(path: string): boolean;
  check(path: string): Promise<Checked<CliVersion>>;
  remove(path: string): Promise<void>;
  checkGo(): Promise<Checked<string>>;
  download(target: string, progress: Progress): Promise<void>;
  build(target: string, progress: Progress): Promise<void>;
  /** Runs `work` while no other process downloads or builds. */
  exclusively<T>(work: () => Promise<T>, progress: Progress): Promise<T>;
}

export interface Attempt {
  what: string;
  reason: string;
}

/** Nothing gave a server: says all that was tried, and what a person can do. */
export class NoTemporalCliError extends Error {
  constructor(readonly attempts: readonly Attempt[]) {
    super(
      [
        'No Temporal server could be had. Tried:',
        ...attempts.map(({ what, reason }, index) => `  ${index + 1}. ${what}: ${reason}`),
        'What helps (one of these):',
        `  - install the Temporal CLI, ${cliVersion} or newer: https://docs.temporal.io/cli, or set TEMPORAL_CLI to its path`,
        `  - install Go ${oldestGo} or newer, with access to a Go module proxy: the CLI is then built here`,
        '  - give this machine access to temporal.download',
        '  - set TEMPORAL_ADDRESS to a running server (add --remote when it is on another machine)',
      ].join('\n'),
    );
    this.name = 'NoTemporalCliError';
  }
}

/** TEMPORAL_CLI, PATH, cache, download, build: the first that gives a binary that runs. */
export async function findCli(probes: CliProbes, progress: Progress): Promise<FoundCli> {
  const attempts: Attempt[] = [];
  const failed = (what: string, reason: string): void => {
    attempts.push({ what, reason });
  };

  const explicit = probes.explicitPath;
  if (explicit) {
    const checked = probes.exists(explicit) ? await probes.check(explicit) : missing;
    if (checked.ok) return found(explicit, checked.value, 'TEMPORAL_CLI', progress);
    failed('TEMPORAL_CLI', checked.reason);
    progress.warn(`TEMPORAL_CLI is not used: it ${checked.reason}`);
  } else {
    failed('TEMPORAL_CLI', 'not set');
  }

  const onPath = probes.onPath();
  const fromPath = onPath ? await probes.check(onPath) : undefined;
  if (onPath && fromPath?.ok) return found(onPath, fromPath.value, 'found on PATH', progress);
  failed('temporal on PATH', fromPath?.ok === false ? fromPath.reason : 'not there');

  const cached = await fromCache(probes, progress);
  if (cached.ok) return cached.value;
  failed(`cache (${probes.cachePath})`, cached.reason);

  return probes.exclusively(async () => {
    // Another start may have put it there while this one waited for its turn.
    const now = await fromCache(probes, progress);
    if (now.ok) return now.value;
    for (const source of [fromDownload, fromBuild]) {
      const result = await source(probes, progress);
      if (result.ok) return result.value;
      failed(result.what, result.reason);
      progress.detail(`${result.what}: ${result.reason}`);
    }
    throw new NoTemporalCliError(attempts);
  }, progress);
}

const missing: Checked<CliVersion> = { ok: false, reason: 'names no file' };

async function fromCache(probes: CliProbes, progress: Progress): Promise<Checked<FoundCli>> {
  const path = probes.cachePath;
  if (!probes.exists(path)) return { ok: false, reason: 'empty' };
  const checked = await probes.check(path);
  if (checked.ok) return { ok: true, value: found(path, checked.value, 'from the cache', progress) };
  progress.warn(`the Temporal CLI in the cache ${checked.reason}; it is replaced`);
  await probes.remove(path);
  return { ok: false, reason: `a binary that ${checked.reason} was removed` };
}

type Sourced = { ok: true; value: FoundCli } | { ok: false; what: string; reason: string };

async function fromDownload(probes: CliProbes, progress: Progress): Promise<Sourced> {
  const what = 'download from temporal.download';
  progress.step(`Downloading Temporal CLI ${cliVersion}`);
  return produced(what, 'downloaded', probes, progress, () => probes.download(probes.cachePath, progress));
}

async function fromBuild(probes: CliProbes, progress: Progress): Promise<Sourced> {
  const what = 'build of the Go module';
  const go = await probes.checkGo();
  if (!go.ok) return { ok: false, what, reason: go.reason };
  progress.step(`Building Temporal CLI ${cliVersion} with Go ${go.value} (once; takes some minutes)`);
  return produced(what, 'built', probes, progress, () => probes.build(probes.cachePath, progress));
}

async function produced(
  what: string,
  origin: string,
  probes: CliProbes,
  progress: Progress,
  produce: () => Promise<void>,
): Promise<Sourced> {
  try {
    await produce();
  } catch (error) {
    return { ok: false, what, reason: reasonOf(error) };
  }
  const checked = await probes.check(probes.cachePath);
  if (!checked.ok) return { ok: false, what, reason: `the binary ${checked.reason}` };
  return { ok: true, value: found(probes.cachePath, checked.value, origin, progress) };
}

function found(path: string, version: CliVersion, origin: string, progress: Progress): FoundCli {
  progress.step(`Temporal CLI ${version.cli} (server ${version.server}), ${origin}`);
  return { path, version };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message || error.cause.name})` : '';
  return `${error.message}${cause}`;
}
