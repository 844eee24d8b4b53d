import { expect, inject } from 'vitest';
import { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { replayAll } from '../support/world/invariants.js';
import { until } from '../support/world/until.js';
import { startWorld } from '../support/world/world.js';

const test = checkoutTest();

test('an approval brings its checkout back that Temporal has lost, though its payment does not carry our mark', async ({
  customer,
  world: lost,
}) => {
  const id = await customer.begin();
  await customer.reach(id, 'awaiting_wallet');
  // Nothing of the old system works from here on.
  await Promise.all([...lost.workers].map((worker) => worker.stop()));
  const workflowBundle = inject('workflowBundle');
  const world = await startWorld({
    temporalAddress: inject('temporalAddress'),
    workflowBundle,
    successorOf: lost,
  });
  try {
    const caller = new Caller(world, { tenant: customer.tenant, phone: customer.phone ?? null });
    expect((await caller.get(id)).status).toBe(404);
    await world.standIns.approve(id, { grants: 'payment', bare: true });
    await until('the checkout', async () => (await caller.get(id)).status === 200);
    expect(await caller.reach(id, 'paid')).toMatchObject({ amount: 4_900, amount_captured: 4_900 });

    // Its charge carries the mark too, so that money given back in the dashboard is seen.
    const { charges } = await world.standIns.ledger();
    const charge = charges.find(({ metadata }) => metadata['vc_checkout'] === id);
    await world.stripe.refunds.create({ charge: charge?.id ?? '', amount: 700 });
    await until('the refund', async () => (await caller.get(id)).body.amount_refunded === 700);
    await replayAll(world, workflowBundle);
  } finally {
    await world.close();
    await lost.startWorker();
  }
  customer.checkouts.clear();
});
