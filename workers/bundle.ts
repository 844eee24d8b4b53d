import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

/** Source next to this file when run from TypeScript, compiled output when built. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

const inWorkflows = (name: string) =>
  fileURLToPath(new URL(`../workflows/${name}.${extension}`, import.meta.url));

const workflowsPath = inWorkflows('index');

/**
 * Modules that are evaluated once per worker instead of once per cached run: all, because none keeps state of a run outside
 * of functions and objects made for it. The SDK freezes what they export.
 */
async function sharedModules(): Promise<string[]> {
  const folders = ['contracts', 'domain', 'workflows'].map((name) =>
    fileURLToPath(new URL(`../${name}/`, import.meta.url)),
  );
  const files = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(folder, { recursive: true })).sort().map((file) => join(folder, file)),
    ),
  );
  return files.flat().filter((file) => file.endsWith(`.${extension}`) && !file.endsWith('.d.ts'));
}

/** The bundle that workers run and replay tests check. */
export async function buildWorkflowBundle(): Promise<string> {
  const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error };
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    payloadConverterPath: inWorkflows('payload-converter'),
    preloadModules: await sharedModules(),
    logger: quiet,
  });
  return code;
}

const invoked = process.argv[1];
if (invoked !== undefined && import.meta.url === pathToFileURL(invoked).href) {
  const target = resolve(process.argv[2] ?? 'dist/workflow-bundle.js');
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, await buildWorkflowBundle());
}
