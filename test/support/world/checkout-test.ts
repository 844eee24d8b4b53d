import { inject, test } from 'vitest';
import { Caller, type CallerOptions } from './caller.js';
import { expectAtRest, replayAll } from './invariants.js';
import { startWorld, type World, type WorldOptions } from './world.js';

interface Fixtures {
  /** Makes a caller whose checkouts are proved to be at rest when the test is over. */
  newCaller: (options?: CallerOptions) => Caller;
  /** A caller of the tenant `acme` who can be texted. */
  customer: Caller;
}

/**
 * A test function for one file: with a world of its own, started with the first test. Its end replays every history that
 * was made in it. Faults at the stand-ins concern a whole world, so tests that use them do not run concurrently.
 */
export function checkoutTest(options: Pick<WorldOptions, 'tenants' | 'workers' | 'webhookTenants'> = {}) {
  return test.extend<Fixtures & { world: World }>({
    world: [
      // eslint-disable-next-line no-empty-pattern -- Vitest reads the names of the fixtures from this pattern
      async ({}, use) => {
        const workflowBundle = inject('workflowBundle');
        const world = await startWorld({
          temporalAddress: inject('temporalAddress'),
          workflowBundle,
          ...options,
        });
        try {
          await use(world);
          await replayAll(world, workflowBundle);
        } finally {
          await world.close();
        }
      },
      { scope: 'file' },
    ],
    newCaller: async ({ world, task }, use) => {
      const callers: Caller[] = [];
      await use((callerOptions) => {
        const caller = new Caller(world, callerOptions);
        callers.push(caller);
        return caller;
      });
      if (!task.concurrent) await world.standIns.clearFaults();
      // A test that failed half-way leaves open what it would have ended: its own message says more.
      if ((task.result?.errors?.length ?? 0) > 0) return;
      for (const caller of callers) await expectAtRest(caller);
    },
    customer: async ({ newCaller }, use) => {
      await use(newCaller());
    },
  });
}
