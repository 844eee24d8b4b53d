import { describe, expect } from 'vitest';
import { reconciliationScheduleId, type ReconciliationResult } from '../../contracts/reconciliation.js';
import { setSchedules } from '../../workers/schedules.js';
import { runScript } from '../support/system.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const test = checkoutTest();

const hour = 3_600_000;

async function scheduled({ client }: World): Promise<string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) ids.push(scheduleId);
  return ids.sort();
}

const set = ({ client }: World, tenants: readonly string[], everyMs: number | 'off', deployment = 'test') =>
  setSchedules({ client, deployment, tenants: () => tenants, everyMs });

/** The results of the runs of a tenant's schedule, oldest first. */
async function results({ client }: World, tenant: string): Promise<ReconciliationResult[]> {
  const query = `TenantId = "${tenant}" AND WorkflowType = "reconciliation" AND ExecutionStatus = "Completed"`;
  const ids: { workflowId: string; at: number }[] = [];
  for await (const { workflowId, startTime } of client.workflow.list({ query }))
    ids.push({ workflowId, at: startTime.getTime() });
  ids.sort((one, other) => one.at - other.at);
  return Promise.all(
    ids.map(
      ({ workflowId }) => client.workflow.getHandle(workflowId).result() as Promise<ReconciliationResult>,
    ),
  );
}

/** Runs `npm run reconcile` to its end. */
const command = ({ workerEnvironment }: Pick<World, 'workerEnvironment'>, ...args: string[]) =>
  runScript(['workers/reconcile.ts', ...args], { PATH: process.env['PATH'], ...workerEnvironment });

describe('the schedules', () => {
  test('are one per tenant, however many workers set them, and follow the tenants file', async ({
    world,
  }) => {
    await Promise.all([1, 2, 3].map(() => set(world, ['acme', 'globex'], hour)));
    const ids = ['acme', 'globex'].map(reconciliationScheduleId);
    await until('both', async () => (await scheduled(world)).join() === ids.join());

    const acme = world.client.schedule.getHandle(reconciliationScheduleId('acme'));
    await acme.pause('ops are looking');
    await set(world, ['acme', 'globex'], 2 * hour);
    expect(await acme.describe()).toMatchObject({
      spec: { intervals: [{ every: 2 * hour }] },
      policies: { overlap: 'SKIP' },
      state: { paused: true, note: 'ops are looking' },
    });

    await set(world, ['globex'], hour, 'another');
    expect(await scheduled(world)).toEqual(ids);
    await set(world, ['globex'], hour);
    await until('one', async () => (await scheduled(world)).join() === ids[1]);
    await set(world, ['globex'], 'off');
    await until('none', async () => (await scheduled(world)).length === 0);
  });

  test('take turns: one Stripe account may serve many tenants', async ({ world }) => {
    const tenants = ['acme', 'brisk', 'globex'];
    await set(world, tenants, hour);
    const updated = () =>
      Promise.all(
        tenants.map(async (tenant) => {
          const found = await world.client.schedule.getHandle(reconciliationScheduleId(tenant)).describe();
          return { spec: found.spec.intervals, changedAt: found.info.lastUpdatedAt?.getTime() };
        }),
      );
    const before = await updated();
    expect(new Set(before.map(({ spec }) => spec?.[0]?.offset)).size).toBe(tenants.length);
    await set(world, tenants, hour);
    expect(await updated()).toEqual(before);
    await set(world, [], hour);
  });

  test('go on where the last run ended', async ({ world }) => {
    await set(world, ['brisk'], 1_000);
    const all = await until(
      'two runs',
      async () => {
        const seen = await results(world, 'brisk');
        return seen.length >= 2 && seen;
      },
      20_000,
    );
    await set(world, [], 1_000);
    const [first, second] = all;
    expect((first?.until ?? 0) - (first?.from ?? 0)).toBe(24 * hour);
    expect(second?.from).toBe((first?.resumeAt ?? 0) - 10 * 60_000);
    expect(all.every(({ differences }) => differences.length === 0)).toBe(true);
  });
});

describe('the command', () => {
  test('repairs what it can, prints it and says with its exit code whether something is left', async ({
    customer,
    world,
  }) => {
    await set(world, ['acme', 'globex'], hour);
    await until('both', async () => (await scheduled(world)).length === 2);
    expect(await command(world, '--since', '1h')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^nothing to repair since \S+: acme, globex\n$/) as string,
    });

    const stopped = await customer.begin({}, { rails: ['paymentLink'] });
    await customer.reach(stopped, 'awaiting_link');
    await world.handleOf('acme', stopped).terminate('by mistake');
    const repaired = await command(world, '--since', new Date(Date.now() - hour).toISOString());
    expect(repaired.output).toMatch(
      new RegExp(`^acme +checkout_stopped +checkout/acme/${stopped} +${stopped} +repaired +`, 'm'),
    );
    expect(repaired).toMatchObject({
      code: 0,
      output: expect.stringContaining('\n1 repaired, 0 left to do\n') as string,
    });
    customer.checkouts.delete(stopped);

    const stuck = await customer.begin({ description: 'Another plan' });
    await customer.reach(stuck, 'awaiting_wallet');
    await world.standIns.approve(stuck, { grants: 'nothing' });
    await customer.reach(stuck, 'needs_attention');
    // Two minutes old it is told; now it may still be under way.
    expect(await command(world, '--since', '1h', '--tenant', 'acme')).toMatchObject({ code: 0 });
    customer.leavesOpen.add(stuck);
  });

  test('says in one line that Temporal is away, however many tenants it asks for', async ({ world }) => {
    const away = { workerEnvironment: { ...world.workerEnvironment, TEMPORAL_ADDRESS: '127.0.0.1:1' } };
    const tenants = ['acme', 'brisk', 'globex'].flatMap((tenant) => ['--tenant', tenant]);
    const { code, output } = await command(away, '--since', '1h', ...tenants);
    expect([code, output]).toEqual([1, expect.stringMatching(/^Temporal could not be asked: .*\n$/)]);
  });

  test.each([
    [[]],
    [['--since', 'yesterday']],
    [['--since', '2999-01-01T00:00:00Z']],
    [['--since', '1h', '--tenant', 'No Tenant']],
    [['--until', '1h']],
  ])('explains itself when it is called with %j', async (args) => {
    const { code, output } = await command({ workerEnvironment: {} }, ...args);
    expect(code).toBe(2);
    expect(output).toContain('npm run reconcile -- --since <time>');
  });
});
