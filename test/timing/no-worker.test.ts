import { expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';

const it = checkoutTest({ workers: 0 });

it('a checkout that no worker has seen is accepted in time, and paid once there is one', async ({
  customer,
  world,
}) => {
  const { body: quote } = await customer.quote();
  const started = await customer.start(quote);
  expect([started.status, started.body.state]).toEqual([202, 'starting']);
  expect(started.ms).toBeLessThan(1_500);
  expect(started.body.say).toBe("I'm still confirming, please don't pay again.");
  const again = await customer.start(quote);
  expect([again.status, again.replayed, again.body.state]).toEqual([200, true, 'starting']);
  const { status, body } = await customer.get(quote.checkout_id);
  expect([status, body.state]).toEqual([200, 'starting']);
  expect(await customer.story(quote.checkout_id)).toEqual(['started starting']);
  await world.startWorker();
  await customer.reach(quote.checkout_id, 'awaiting_wallet');
  await world.standIns.approve(quote.checkout_id);
  await customer.reach(quote.checkout_id, 'paid');
});
