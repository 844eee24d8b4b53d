import { defineConfig } from 'vitest/config';

/** What is measured in seconds by a caller, or by a killed process, is not tested beside what takes every core. */
const order = ['offline', 'workflow', 'timing', 'journey'];

const temporal = ['test/support/world/workflow-project.ts'];

const project = (name: string, timeoutMs: number, extra: object = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    pool: 'forks' as const,
    testTimeout: timeoutMs,
    hookTimeout: Math.max(timeoutMs, 60_000),
    sequence: { groupOrder: Math.max(0, order.indexOf(name)) },
    ...extra,
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 20_000),
      project('provider', 30_000),
      project('api', 30_000),
      project('replay', 60_000),
      // Planted bugs are hunted two at a time, each in a process of its own.
      project('simulation', 60_000, { maxConcurrency: 2 }),
      // One real server serves all files of a project. A file mostly waits, so two cores carry three at a time.
      project('workflow', 60_000, { maxWorkers: 3, globalSetup: temporal }),
      project('timing', 60_000, { fileParallelism: false, globalSetup: temporal }),
      project('journey', 120_000, { fileParallelism: false }),
    ],
  },
});
