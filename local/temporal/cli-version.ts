import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The version that is downloaded or built; go.mod in this folder pins the same one. */
export const cliVersion = '1.8.2';
/** Older servers lack what the workflows need (update-with-start, eager activities as a setting). */
const oldestCli = '1.8.0';
const oldestServer = '1.31.0';
/** Go that compiles the pinned module (its go.mod says so). */
export const oldestGo = '1.26.4';

export const goModuleFolder = fileURLToPath(new URL('.', import.meta.url));

export interface CliVersion {
  cli: string;
  server: string;
}

/** A value or the reason why there is none. */
export type Checked<T> = { ok: true; value: T } | { ok: false; reason: string };

/** Runs the binary: a half-written or foreign one is found here and not when the server fails to start. */
export async function checkCli(path: string): Promise<Checked<CliVersion>> {
  const output = await runForOutput(path, ['--version'], 5_000);
  if (!output.ok) return { ok: false, reason: `does not run: ${output.reason}` };
  return parseCliVersion(output.value);
}

export function parseCliVersion(text: string): Checked<CliVersion> {
  const match = /temporal version (\d+\.\d+\.\d+)\S* \(Server (\d+\.\d+\.\d+)/i.exec(text);
  const [, cli, server] = match ?? [];
  if (!cli || !server) return { ok: false, reason: 'is not a Temporal CLI (its --version is unknown)' };
  if (olderThan(cli, oldestCli) || olderThan(server, oldestServer)) {
    return {
      ok: false,
      reason: `is too old: ${cli} (server ${server}), needed are ${oldestCli} (server ${oldestServer})`,
    };
  }
  return { ok: true, value: { cli, server } };
}

export function olderThan(version: string, wanted: string): boolean {
  const left = version.split('.').map(Number);
  const right = wanted.split('.').map(Number);
  for (let i = 0; i < right.length; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

export function runForOutput(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Checked<string>> {
  return new Promise((resolve) => {
    const settings = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      encoding: 'utf8' as const,
      ...options,
    };
    execFile(command, args, settings, (error, stdout, stderr) => {
      if (!error) return resolve({ ok: true, value: stdout });
      const firstLine = stderr
        .split('\n')
        .map((line) => line.trim())
        .find((line) => line !== '');
      const ending = error.signal ? `ended by ${error.signal}` : `exit code ${error.code ?? 'unknown'}`;
      const reason = error.killed
        ? `no answer within ${timeoutMs / 1000} s`
        : (firstLine ?? (typeof error.code === 'string' ? error.code : ending));
      resolve({ ok: false, reason: reason.slice(0, 200) });
    });
  });
}
