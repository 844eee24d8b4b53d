import { accessSync, constants, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { isEntryPoint } from '../entry-point.js';
import { waitForLock } from '../file-lock.js';
import { createProgress, errorText, type Progress } from '../terminal.js';
import { buildCli, checkGo } from './build.js';
import { checkCli, cliVersion } from './cli-version.js';
import { downloadCli } from './download.js';
import { type CliProbes, findCli, type FoundCli } from './find-cli.js';

/** A Temporal CLI that runs: found, downloaded or built. Throws NoTemporalCliError with the list of what was tried. */
export function ensureTemporalCli(env: NodeJS.ProcessEnv, progress: Progress): Promise<FoundCli> {
  return findCli(probesOf(env), progress);
}

function probesOf(env: NodeJS.ProcessEnv): CliProbes {
  const cacheFolder = join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'voice-checkout');
  const cachePath = join(cacheFolder, `temporal-${cliVersion}`);
  return {
    explicitPath: env['TEMPORAL_CLI'] || undefined,
    cachePath,
    onPath: () => executableOnPath('temporal', env['PATH'] ?? ''),
    exists: existsSync,
    check: checkCli,
    remove: async (path) => rmSync(path, { force: true, recursive: true }),
    checkGo,
    download: downloadCli,
    build: buildCli,
    exclusively: async (work, progress) => {
      mkdirSync(cacheFolder, { recursive: true });
      const lock = await waitForLock(`${cachePath}.lock`, ({ pid }) =>
        progress.live(`process ${pid} is getting the Temporal CLI already; waiting for it`),
      );
      try {
        return await work();
      } finally {
        lock.release();
      }
    },
  };
}

function executableOnPath(name: string, path: string): string | undefined {
  for (const folder of path.split(delimiter).filter((entry) => entry !== '')) {
    const candidate = join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      continue;
    }
  }
  return undefined;
}

if (isEntryPoint(import.meta.url)) {
  // Only the path goes to stdout: `cli=$(tsx local/temporal/ensure.ts)`.
  const progress = createProgress(process.stderr);
  try {
    const { path } = await ensureTemporalCli(process.env, progress);
    process.stdout.write(`${path}\n`);
  } catch (error) {
    progress.fail(errorText(error));
    process.exitCode = 1;
  }
}
