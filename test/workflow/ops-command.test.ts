import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';
import { runScript } from '../support/system.js';

const test = checkoutTest({ tenants: [refundTenant('acme'), refundTenant('globex')] });

/** Runs `npm run ops --` to its end. */
const ops = (world: World, ...args: string[]) =>
  runScript(['workers/ops.ts', ...args], { PATH: process.env['PATH'], ...world.workerEnvironment });

describe('npm run ops', () => {
  test('finds what needs attention, says why it waits, reads Stripe anew and ends it', async ({
    customer,
    world,
  }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const on = (command: string, ...more: string[]) =>
      ops(world, command, '--tenant', 'acme', '--id', id, ...more);
    const early = await on('resolve', '--by', 'dana');
    expect(early).toEqual({
      code: 1,
      output: `${id}: it does not need attention: there is nothing here that Stripe does not prove\n`,
    });
    await world.standIns.approve(id, { grants: 'nothing' });
    const { version } = await customer.reach(id, 'needs_attention');
    const listed = await until(
      'the run in the list',
      async () => {
        const { code, output } = await ops(world, 'list', '--tenant', 'acme');
        return code === 0 && output.includes(id) && output;
      },
      20_000,
    );
    expect(listed).toMatch(
      new RegExp(`^${id}  needs_attention  approval_without_payment  \\$49.00  Growth plan  20`, 'm'),
    );
    expect((await ops(world, 'list', '--tenant', 'globex', '--all')).output).toBe('none\n');
    const shown = await on('show');
    expect([shown.code, shown.output.split('\n')[0]]).toEqual([
      0,
      `checkout/acme/${id}: needs_attention, version ${version}`,
    ]);
    expect(shown.output).toContain('Levers: retry-now');
    const read = await on('retry-now');
    expect([read.code, read.output.split('\n')[0]]).toEqual([0, shown.output.split('\n')[0]]);
    const ended = await on('resolve', '--by', 'dana', '--note', 'nothing on the statement');
    expect(ended.code).toBe(0);
    expect(ended.output).toContain(`checkout/acme/${id}: expired`);
    expect(ended.output).toContain('on the word of dana (command line) at ');
    expect(ended.output).toContain('nothing on the statement');
    const events = await customer.events(id);
    expect(events.find(({ type }) => type === 'resolved')).toMatchObject({ by: 'dana (command line)' });
    const again = await on('resolve', '--by', 'dana');
    expect(again).toEqual({ code: 1, output: `${id} has ended\n` });
  });

  test('says what a run published where no worker answers', async ({ customer, newCaller, world }) => {
    const desk = new RefundDesk(newCaller());
    const held = await desk.held();
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await Promise.all([...world.workers].map((worker) => worker.stop()));
    try {
      const checkout = await ops(world, 'show', '--tenant', 'acme', '--id', id);
      expect([checkout.code, checkout.output]).toEqual([
        0,
        expect.stringContaining('Waiting for the caller to approve $49.00'),
      ]);
      const refund = await ops(world, 'show', '--tenant', 'acme', '--id', held.refund_id);
      expect([refund.code, refund.output]).toEqual([
        0,
        expect.stringContaining('A person must approve giving back $80.00'),
      ]);
      const byHttp = async (path: string) =>
        (await customer.request<{ explain: string }>('GET', path, undefined, world.keyOf('acme', 'ops')))
          .body;
      expect((await byHttp(`/ops/checkouts/${id}`)).explain).toContain('Waiting for the caller to approve');
      expect((await byHttp(`/ops/refunds/${held.refund_id}`)).explain).toContain('A person must approve');
    } finally {
      await world.startWorker();
    }
    await desk.decide(held, 'deny');
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  test('reads a refund anew, and knows nothing of other tenants’ runs', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    const of = (tenant: string, command: string) =>
      ops(world, command, '--tenant', tenant, '--id', held.refund_id);
    const own = await of('acme', 'retry-now');
    expect([own.code, own.output.split('\n')[0]]).toEqual([
      0,
      `refund/acme/${held.refund_id}: awaiting_approval, version 1`,
    ]);
    for (const command of ['show', 'retry-now']) {
      expect(await of('globex', command)).toEqual({
        code: 1,
        output: `there is no ${held.refund_id} of globex, or not any more\n`,
      });
    }
    await desk.decide(held, 'deny');
  });

  test('cannot do anything while Temporal is away', async ({ world }) => {
    const env = { PATH: process.env['PATH'], ...world.workerEnvironment, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const { code, output } = await runScript(['workers/ops.ts', 'list', '--tenant', 'acme'], env);
    expect([code, output]).toEqual([1, expect.stringMatching(/^Temporal could not be asked: /)]);
  });
});

describe('called with something else, npm run ops explains itself', () => {
  test('and ends with 2', async () => {
    const args = ['workers/ops.ts', 'list', '--tenant', '../acme'];
    const { code, output } = await runScript(args, { PATH: process.env['PATH'] });
    expect([code, output]).toEqual([2, expect.stringContaining('npm run ops -- list --tenant')]);
  });

  test('and with 0 when that was asked for', async () => {
    const { code, output } = await runScript(['workers/ops.ts', '--help'], { PATH: process.env['PATH'] });
    expect([code, output]).toEqual([0, expect.stringContaining('Exit code: 0 done')]);
  });
});
