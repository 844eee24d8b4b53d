import { spawn } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import type { Progress } from '../terminal.js';
import {
  type Checked,
  checkCli,
  cliVersion,
  goModuleFolder,
  oldestGo,
  olderThan,
  runForOutput,
} from './cli-version.js';

const cliPackage = 'github.com/temporalio/cli/cmd/temporal';
/** The smallest module of the build: whether it can be had tells within seconds whether the others can. */
const smallestModule = 'github.com/temporalio/cli/cliext';
const probeMs = 4_000;

/** Whether a build can be begun at all: Go, new enough, and its modules within reach. */
export async function checkGo(): Promise<Checked<string>> {
  // Asked outside the module and without switching, so that an old Go does not begin to download a newer one.
  const version = await runForOutput('go', ['env', 'GOVERSION'], 3_000, {
    cwd: tmpdir(),
    env: { ...process.env, GOTOOLCHAIN: 'local' },
  });
  if (!version.ok) {
    const reason = version.reason.includes('ENOENT')
      ? 'Go is not installed'
      : `Go does not run: ${version.reason}`;
    return { ok: false, reason: `${reason} (needs ${oldestGo} or newer)` };
  }
  const number = /go(\d+(?:\.\d+)*)/.exec(version.value)?.[1] ?? '0';
  if (olderThan(number, oldestGo)) {
    return { ok: false, reason: `Go ${number} is too old (needs ${oldestGo} or newer)` };
  }
  const module = await runForOutput('go', ['mod', 'download', smallestModule], probeMs, {
    cwd: goModuleFolder,
  });
  if (!module.ok) return { ok: false, reason: `the Go modules cannot be fetched: ${module.reason}` };
  return { ok: true, value: number };
}

/** Builds the pinned CLI: minutes on a small machine, so a line shows the seconds and packages. Throws with the reason. */
export async function buildCli(target: string, progress: Progress): Promise<void> {
  const temporary = `${target}.${process.pid}.build`;
  const args = [
    ...['build', '-v', '-trimpath'],
    ...['-ldflags', `-s -w -X github.com/temporalio/cli/internal/temporalcli.Version=${cliVersion}`],
    ...['-o', temporary, cliPackage],
  ];
  try {
    await runGo(args, progress);
    const checked = await checkCli(temporary);
    if (!checked.ok) throw new Error(`the built binary ${checked.reason}`);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}

function runGo(args: readonly string[], progress: Progress): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, {
      cwd: goModuleFolder,
      env: { ...process.env, CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const begun = Date.now();
    let packages = 0;
    let modules = 0;
    const lastLines: string[] = [];
    const show = (): void => {
      const seconds = Math.round((Date.now() - begun) / 1000);
      const fetched = modules > 0 ? `, ${modules} modules fetched` : '';
      progress.live(
        `building Temporal CLI ${cliVersion}: ${seconds} s${fetched}, ${packages} packages compiled`,
      );
    };
    const timer = setInterval(show, 1_000);
    // Ctrl-C reaches Go through the terminal's process group; this covers a start that is ended by a signal to it alone.
    const stop = (): void => void child.kill('SIGTERM');
    process.once('exit', stop);
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.startsWith('go: downloading ')) modules += 1;
      else if (/^[\w.-]+(\/[\w.~-]+)*$/.test(line)) packages += 1;
      lastLines.push(line);
      if (lastLines.length > 5) lastLines.shift();
    });
    const finish = (error?: Error): void => {
      clearInterval(timer);
      process.removeListener('exit', stop);
      if (error) reject(error);
      else resolve();
    };
    child.once('error', finish);
    child.once('close', (code) => {
      finish(
        code === 0
          ? undefined
          : new Error(`go build ended with ${code}: ${lastLines.join(' | ').slice(0, 400)}`),
      );
    });
  });
}
