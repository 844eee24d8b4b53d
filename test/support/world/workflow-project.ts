import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildWorkflowBundle } from '../../../workers/bundle.js';
import { startTemporalServer } from './temporal-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    temporalAddress: string;
    /** Path of today's workflow bundle: built once for all files. */
    workflowBundle: string;
  }
}

/** One Temporal server and one workflow bundle for all files of the workflow project. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'workflow-bundle-'));
  const workflowBundle = join(folder, 'workflow-bundle.js');
  const [server, code] = await Promise.all([startTemporalServer(), buildWorkflowBundle()]);
  writeFileSync(workflowBundle, code);
  project.provide('temporalAddress', server.address);
  project.provide('workflowBundle', workflowBundle);
  return async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
