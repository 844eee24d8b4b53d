import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Planted } from './planted.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
/** All that a schedule runs. */
const parts = [
  ...[
    'activities',
    'api',
    'contracts',
    'domain',
    'local/simulators',
    'providers',
    'runtime',
    'workers',
    'workflows',
  ],
  ...['test/simulation', 'test/support/simulation', 'test/support/test-tenants.ts', 'tenants.sample.json'],
  ...['package.json', 'tsconfig.json'],
];

/** The files that a bug changes, with it; throws where the code that it changes does not stand exactly once. */
export function withBug({ name, edits }: Planted): { file: string; text: string }[] {
  const changed = new Map<string, string>();
  for (const { file, before, after } of edits) {
    const text = changed.get(file) ?? readFileSync(join(repository, file), 'utf8');
    if (text.split(before).length !== 2)
      throw new Error(`${name}: ${file} does not hold the code to change once`);
    changed.set(
      file,
      text.replace(before, () => after),
    );
  }
  return [...changed].map(([file, text]) => ({ file, text }));
}

/** The seed that finds the bug, and what it says; undefined when none of so many does. */
export async function hunt(
  bug: Planted,
  seeds: number,
): Promise<{ seed: number; message: string } | undefined> {
  const copy = mkdtempSync(join(tmpdir(), 'planted-'));
  try {
    for (const part of parts) cpSync(join(repository, part), join(copy, part), { recursive: true });
    symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
    for (const { file, text } of withBug(bug)) writeFileSync(join(copy, file), text);
    const schedules = ['--first', '--cores', '1', '--seeds', String(seeds)];
    const output = await run(copy, ['test/simulation/main.ts', ...schedules]);
    const [, seed, message] = /^seed (\d+): (.*)$/m.exec(output) ?? [];
    if (seed !== undefined) return { seed: Number(seed), message: message ?? '' };
    // A child that broke down has found nothing.
    if (!output.includes(' schedules, ')) throw new Error(`${bug.name}: ${output.slice(-2_000)}`);
    return undefined;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function run(cwd: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}
