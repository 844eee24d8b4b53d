import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';

const it = checkoutTest();

describe('webhooks', () => {
  it('that are lost cost at most the poll', { timeout: 30_000 }, async ({ newCaller, world }) => {
    const [byWallet, byLink] = [newCaller(), newCaller()];
    await world.standIns.fault({ webhook: 'lose', times: 50 });
    const waits = [
      [byWallet, await byWallet.begin(), 'awaiting_wallet'],
      [byLink, await byLink.begin({}, { rails: ['paymentLink'] }), 'awaiting_link'],
    ] as const;
    await Promise.all(
      waits.map(async ([customer, id, state]) => {
        await customer.reach(id, state);
        const began = Date.now();
        await (state === 'awaiting_wallet' ? world.standIns.approve(id) : world.standIns.pay(id));
        await customer.reach(id, 'paid');
        expect(Date.now() - began).toBeLessThanOrEqual(11_000);
      }),
    );
  });
});
