import { expect } from 'vitest';
import { unmatchedPaymentWorkflowId } from '../../contracts/unmatched-payment.js';
import type { Caller, Checkout } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { payLate } from '../support/world/late-money.js';
import { reconcile, told, whenOlder } from '../support/world/reconcile.js';
import { runScript } from '../support/system.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const test = checkoutTest({ webhookTenants: ['brisk'] });

interface Listed {
  checkouts: { checkout_id: string; state: string; attention?: string; late_payment?: object }[];
}

const late =
  (state: string) =>
  ({ late_payment }: Checkout) =>
    late_payment?.state === state;

function ops<Body>(caller: Caller, method: string, path: string, body?: object) {
  const key = caller.world.keyOf(caller.tenant, 'ops');
  return caller.request<Body>(method, `/ops/checkouts${path}`, body, key);
}

async function needingAttention(caller: Caller, more = ''): Promise<Listed['checkouts']> {
  return (await ops<Listed>(caller, 'GET', `?needs_attention=true${more}`)).body.checkouts;
}

/** Late money that was given back, and that the bank has returned; somebody then gives it back by hand, unheard. */
async function returnedAndGivenBack(caller: Caller, world: World): Promise<string> {
  const id = await caller.begin({}, { rails: ['paymentLink'] });
  await caller.reach(id, 'expired');
  await payLate(world, id);
  await caller.reach(id, late('refunded'));
  const { refunds } = await world.standIns.ledger();
  const refund = refunds.find(({ metadata }) => metadata['vc_checkout'] === id);
  await world.standIns.failRefund(refund?.id ?? '');
  await caller.reach(id, late('needs_attention'));
  await world.standIns.fault({ webhook: 'lose', times: 1_000 });
  const again = { payment_intent: refund?.payment_intent ?? '', metadata: refund?.metadata ?? {} };
  await world.stripe.refunds.create(again);
  return id;
}

/** Late money that Stripe refuses to give back, and a person has given back in the dashboard, without our mark. */
async function givenBackByHand(caller: Caller, world: World) {
  const id = await caller.begin({}, { rails: ['paymentLink'] });
  await caller.reach(id, 'expired');
  await world.standIns.fault({ route: 'POST /v1/refunds', kind: 'status', status: 400 });
  await payLate(world, id);
  await caller.reach(id, late('needs_attention'));
  const charge = await chargeOf(world, id);
  const refund = await world.stripe.refunds.create({ payment_intent: charge?.payment_intent ?? '' });
  await ops(caller, 'POST', `/${id}/retry-now`, {});
  await caller.reach(id, late('refunded'));
  return { id, refund };
}

async function chargeOf(world: World, id: string) {
  const { charges } = await world.standIns.ledger();
  return charges.find(({ metadata }) => metadata['vc_checkout'] === id);
}

test('ops find late money that waits for a person, read why, and have Stripe read again', async ({
  newCaller,
  world,
}) => {
  const caller = newCaller({ tenant: 'brisk' });
  const id = await returnedAndGivenBack(caller, world);
  const [row] = await until('the row', async () => {
    const rows = await needingAttention(caller);
    return rows.length > 0 && rows;
  });
  expect(row).toMatchObject({
    checkout_id: id,
    state: 'expired',
    attention: 'late_payment',
    late_payment: { state: 'needs_attention', amount: 4_900, currency: 'usd' },
  });
  expect(await needingAttention(caller, `&call_id=${caller.callId}`)).toHaveLength(1);
  expect(await needingAttention(caller, '&call_id=other')).toEqual([]);
  expect(await needingAttention(caller, '&state=declined')).toEqual([]);
  const seen = await ops<{ explain: string }>(caller, 'GET', `/${id}`);
  expect(seen.body.explain).toContain('needs a person: the bank returned the refund');

  const read = await ops(caller, 'POST', `/${id}/retry-now`, {});
  expect(read.status).toBe(200);
  await caller.reach(id, late('refunded'));
  await until('the row to go', async () => (await needingAttention(caller)).length === 0);
});

test('the tenant hears that a person gave the money back, though the run that tells it ends with that', async ({
  newCaller,
  world,
}) => {
  const caller = newCaller({ tenant: 'brisk' });
  const { id } = await givenBackByHand(caller, world);
  const told = await until('the last word', async () => {
    const states = (await world.standIns.received())
      .map(({ payload }) => payload.data as { checkout_id: string; late_payment?: { state: string } })
      .filter(({ checkout_id }) => checkout_id === id)
      .map(({ late_payment }) => late_payment?.state);
    return states.includes('refunded') && states;
  });
  expect(told).toContain('needs_attention');
  // What a person gives back carries no mark, by which the check after each test would know it.
  caller.checkouts.delete(id);
});

test('what a person gave back is looked into again when the bank returns it', async ({
  newCaller,
  world,
}) => {
  const caller = newCaller({ tenant: 'brisk' });
  const { id, refund } = await givenBackByHand(caller, world);
  const sinceMs = await whenOlder(refund);
  // Nothing of it bears our mark, so no webhook of it is ours.
  expect(await world.standIns.failRefund(refund.id)).toBe(true);
  expect((await chargeOf(world, id))?.amount_refunded).toBe(0);
  const found = await reconcile(world, 'brisk', { sinceMs });
  expect(told(found, id)).toEqual(['payment_unmatched repaired']);
  await until('the money to go back', async () => (await chargeOf(world, id))?.amount_refunded === 4_900);
  await caller.reach(id, late('refunded'));
  expect(told(await reconcile(world, 'brisk', { sinceMs }), id)).toEqual([]);
});

test('the command does the same, though the run that knew was terminated', async ({ newCaller, world }) => {
  const caller = newCaller({ tenant: 'brisk' });
  const id = await returnedAndGivenBack(caller, world);
  await world.client.workflow.getHandle(unmatchedPaymentWorkflowId('brisk', id)).terminate('by mistake');
  const command = (...args: string[]) =>
    runScript(['workers/ops.ts', ...args, '--tenant', 'brisk'], {
      PATH: process.env['PATH'],
      ...world.workerEnvironment,
    });
  const listed = await until(
    'the line',
    async () => {
      const { output } = await command('list');
      return output.includes(id) && output;
    },
    20_000,
  );
  expect(listed).toMatch(
    new RegExp(`^${id}  late_payment  the bank returned the refund .*  \\$49.00  20`, 'm'),
  );
  expect((await command('show', '--id', id)).output).toContain('needs a person');
  expect((await command('retry-now', '--id', id)).code).toBe(0);
  await caller.reach(id, late('refunded'));
  expect((await command('list')).output).not.toContain(id);
  expect(await command('retry-now', '--id', id)).toEqual({ code: 1, output: `${id} has ended\n` });
});
