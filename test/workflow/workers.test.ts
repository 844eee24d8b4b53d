import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';

const it = checkoutTest({ workers: 2 });

describe('workers', () => {
  it('share the work, and each step is done once', async ({ newCaller, world }) => {
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const customer = newCaller();
        const id = await customer.begin();
        await customer.reach(id, 'awaiting_wallet');
        await world.standIns.approve(id, { grants: 'shared_payment_token' });
        await customer.reach(id, 'paid');
        for (const route of ['POST /v1/payment_intents', 'POST /v1/payment_intents/:id/confirm']) {
          expect(await world.standIns.requests({ checkoutId: id, route })).toHaveLength(1);
        }
      }),
    );
  });

  it('take over from one another in the middle of a wait', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await Promise.all([...world.workers].map((worker) => worker.stop()));
    await world.standIns.deny(id);
    const next = await world.startWorker();
    await customer.reach(id, 'awaiting_link');
    await next.stop();
    await world.standIns.pay(id);
    await world.startWorker();
    await customer.reach(id, 'paid');
  });

  it('finish the step they are in before they go', async ({ customer, world }) => {
    const confirm = 'POST /v1/payment_intents/:id/confirm';
    await world.standIns.fault({ route: confirm, kind: 'hold' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token' });
    await customer.reach(id, 'charging');
    const leaving = [...world.workers];
    await world.startWorker();
    const gone = Promise.all(leaving.map((worker) => worker.stop()));
    await world.standIns.release(confirm);
    await gone;
    await customer.reach(id, 'paid');
    expect(await world.standIns.requests({ checkoutId: id, route: confirm })).toHaveLength(1);
  });
});
