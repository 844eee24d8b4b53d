import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitForLock } from '../../local/file-lock.js';

const modulePath = 'github.com/stripe/stripe-mock';
const moduleFolder = join(import.meta.dirname, 'stripe-mock');

/** The version pinned in go.mod. */
function pinnedVersion(): string {
  const [, version] = /stripe-mock (v\S+)/.exec(readFileSync(join(moduleFolder, 'go.mod'), 'utf8')) ?? [];
  if (version === undefined) throw new Error('test/support/stripe-mock/go.mod pins no stripe-mock');
  return version;
}

/** Runs Go to its end; a failure says what a person can do, because a test that cannot run has not passed. */
function build(target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    const fail = (reason: string) =>
      reject(
        new Error(
          `stripe-mock could not be built (${reason}). Install Go with access to a module proxy, or set STRIPE_MOCK to a binary.`,
        ),
      );
    const child = spawn('go', ['build', '-trimpath', '-o', target, modulePath], {
      cwd: moduleFolder,
      env: { ...process.env, CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
    child.once('error', ({ message }) => fail(message));
    child.once('close', (code) =>
      code === 0 ? resolve() : fail(`go build ended with ${code}: ${lines.slice(-5).join(' | ')}`),
    );
  });
}

/** STRIPE_MOCK, or the pinned version from the cache, built there once for all processes. */
async function stripeMockBinary(): Promise<string> {
  const given = process.env['STRIPE_MOCK'];
  if (given !== undefined && given !== '') {
    if (!existsSync(given)) throw new Error('STRIPE_MOCK names no file');
    return given;
  }
  const target = join(homedir(), '.cache', 'voice-checkout', `stripe-mock-${pinnedVersion()}`);
  if (existsSync(target)) return target;
  const lock = await waitForLock(`${target}.lock`, () => undefined);
  try {
    if (existsSync(target)) return target;
    const temporary = `${target}.${process.pid}.build`;
    try {
      await build(temporary);
      renameSync(temporary, target);
    } finally {
      rmSync(temporary, { force: true });
    }
    return target;
  } finally {
    lock.release();
  }
}

export interface StripeMock {
  url: string;
  stop: () => Promise<void>;
}

/**
 * Stripe's own mock, which validates requests by the OpenAPI specification it embeds: that of the stable API, or that of
 * the preview versions.
 */
export async function startStripeMock(spec: 'stable' | 'preview'): Promise<StripeMock> {
  const binary = await stripeMockBinary();
  // Without an address for https it takes a fixed port for that.
  const args = ['-http-addr', '127.0.0.1:0', '-https-addr', '127.0.0.1:0'];
  const child: ChildProcess = spawn(binary, spec === 'preview' ? ['-beta', ...args] : args, {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const lines: string[] = [];
    const read = (line: string) => {
      lines.push(line);
      const [, address] = /HTTP at address: (\S+)/.exec(line) ?? [];
      if (address !== undefined) resolve(`http://${address}`);
    };
    if (child.stdout) createInterface({ input: child.stdout }).on('line', read);
    if (child.stderr) createInterface({ input: child.stderr }).on('line', read);
    child.once('error', reject);
    void ended.then(() => reject(new Error(`stripe-mock ended: ${lines.slice(-5).join(' | ')}`)));
  });
  return {
    url,
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}
