import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type Stripe from 'stripe';
import { describe, expect } from 'vitest';
import type { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { reconcile, startReconciliation, told } from '../support/world/reconcile.js';
import { connectedAccount } from '../support/world/tenants.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const test = checkoutTest();

const repository = fileURLToPath(new URL('../..', import.meta.url));

const onlyLink = { rails: ['paymentLink'] };
const listPayments = 'GET /v1/payment_intents';

const page: Stripe.Checkout.SessionCreateParams = {
  mode: 'payment',
  line_items: [
    { quantity: 1, price_data: { currency: 'usd', unit_amount: 700, product_data: { name: 'Shoes' } } },
  ],
  success_url: 'https://example.com/',
};

/** What another shop leaves on the account: a live payment, a paid one that is partly given back, an open page. */
async function otherShop({ stripe }: World, metadata: Record<string, string>): Promise<void> {
  await stripe.paymentIntents.create({ amount: 700, currency: 'usd', metadata });
  const paid = await stripe.paymentIntents.create({ amount: 700, currency: 'usd', metadata });
  await stripe.paymentIntents.confirm(paid.id, { payment_method: 'pm_card_visa' });
  await stripe.refunds.create({ payment_intent: paid.id, amount: 100, metadata });
  await stripe.checkout.sessions.create({ ...page, metadata, payment_intent_data: { metadata } });
}

async function paidOnPage(caller: Caller): Promise<string> {
  const id = await caller.begin({}, onlyLink);
  await caller.reach(id, 'awaiting_link');
  await caller.world.standIns.pay(id);
  await caller.reach(id, 'paid');
  return id;
}

describe("another shop's payments on the same account", () => {
  test('are never touched: without metadata, with a copy of ours and a wrong MAC, on another account', async ({
    customer,
    newCaller,
    world,
  }) => {
    const sinceMs = Date.now() - 1_000;
    const mine = await paidOnPage(customer);
    const theirs = newCaller({ tenant: 'globex' });
    const ofGlobex = await paidOnPage(theirs);
    const { metadata } = await world.standIns.session(mine);
    await otherShop(world, { order: '7' });
    await otherShop(world, { ...metadata, vc_checkout: `${mine}0` });
    await otherShop(world, { ...metadata, vc_checkout: `${mine}1`, vc_deployment: 'another' });
    // A true copy of our mark, but on an account that is not the tenant's.
    const on = { stripeAccount: connectedAccount };
    const copy = await world.stripe.paymentIntents.create({ amount: 700, currency: 'usd', metadata }, on);

    const before = await world.standIns.ledger();
    const result = await reconcile(world, 'acme', { sinceMs });
    const connected = await reconcile(world, 'connected', { sinceMs });
    expect(result).toMatchObject({ differences: [], repaired: 0, reported: 0 });
    expect(connected).toMatchObject({ differences: [], examined: { payments: 0 } });
    expect(result.examined).toMatchObject({ payments: 1, refunds: 0, pages: 0 });
    expect(await world.standIns.ledger()).toEqual(before);
    const changes = await world.standIns.requests({ route: 'POST /v1/payment_intents/:id/cancel' });
    expect(changes).toEqual([]);

    // What is another tenant's is repaired by its own reconciliation only.
    await world.handleOf('globex', ofGlobex).describe();
    const open = await theirs.begin({ description: 'Another plan' }, onlyLink);
    await theirs.reach(open, 'awaiting_link');
    await world.handleOf('globex', open).terminate('by mistake');
    expect(await reconcile(world, 'acme', { sinceMs })).toMatchObject({ differences: [] });
    expect(told(await reconcile(world, 'globex', { sinceMs }), open)).toEqual(['checkout_stopped repaired']);
    theirs.checkouts.delete(open);
    await world.stripe.paymentIntents.cancel(copy.id, {}, on);
  });
});

describe('an account with more than one page of payments', () => {
  test('is walked to its end, within the rate, and goes on where a killed worker left it', async ({
    customer,
    world,
  }) => {
    const sinceMs = Date.now() - 1_000;
    const id = await paidOnPage(customer);
    await world.handleOf('acme', id).describe();
    for (let count = 0; count < 130; count++) {
      await world.stripe.paymentIntents.create({ amount: 700, currency: 'usd' });
    }
    const seen = (await world.standIns.requests({ route: listPayments })).length;
    // Only the oldest of all payments is ours.
    expect((await reconcile(world, 'acme', { sinceMs })).examined.payments).toBe(1);
    const pagesOf = async () => (await world.standIns.requests({ route: listPayments })).slice(seen);
    const before = await pagesOf();
    expect(before.map(({ params }) => 'starting_after' in params)).toEqual([false, true, true]);

    await Promise.all([...world.workers].map((worker) => worker.stop()));
    const child = spawn(process.execPath, ['--import', 'tsx', 'workers/main.ts'], {
      cwd: repository,
      env: { PATH: process.env['PATH'], ...world.workerEnvironment, RECONCILE_EVERY_MS: 'off' },
      stdio: 'ignore',
    });
    await world.standIns.fault(
      { route: listPayments, kind: 'slow', ms: 0, times: 2 },
      { route: listPayments, kind: 'hold' },
    );
    const run = await startReconciliation(world, 'acme', { sinceMs });
    try {
      await until('the second page', async () => (await pagesOf()).length === before.length + 2, 40_000);
      await world.standIns.untilMet(listPayments);
    } finally {
      child.kill('SIGKILL');
      await world.startWorker();
    }
    expect(await run.result()).toMatchObject({ differences: [], examined: { payments: 1 } });
    const walked = (await pagesOf()).slice(before.length);
    expect(walked.filter(({ params }) => !('starting_after' in params))).toHaveLength(1);

    const asked = (await world.standIns.requests({})).filter(({ path }) => path.startsWith('/v1/'));
    const lists = asked.filter(({ method }) => method === 'GET').map(({ at }) => at);
    const most = Math.max(...lists.map((at) => lists.filter((one) => one >= at && one < at + 1_000).length));
    expect(most).toBeLessThanOrEqual(25);
  });
});
