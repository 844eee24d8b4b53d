import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';

const it = checkoutTest();

/** Reproducible order: the same seed shuffles alike. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const order = items.map((item, index) => {
    const key = Math.imul((index + 1) * 2_654_435_761 + seed * 40_503, 2_246_822_519) >>> 0;
    return { item, key };
  });
  return order.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

describe('webhooks', () => {
  it.for([1, 2, 3])(
    'sent three times each in any order lead to one payment (seed %i)',
    async (seed, { newCaller, world }) => {
      const [byWallet, byToken, byLink] = [newCaller(), newCaller(), newCaller()];
      const ids = [
        await byWallet.begin(),
        await byToken.begin(),
        await byLink.begin({}, { rails: ['paymentLink'] }),
      ] as const;
      await byWallet.reach(ids[0], 'awaiting_wallet');
      await byToken.reach(ids[1], 'awaiting_wallet');
      await byLink.reach(ids[2], 'awaiting_link');
      world.webhooks.hold();
      await world.standIns.approve(ids[0]);
      await world.standIns.approve(ids[1], { grants: 'shared_payment_token' });
      await world.standIns.pay(ids[2], 'declined');
      await world.standIns.pay(ids[2]);
      const from = world.webhooks.seen.length;
      await until('the last event', () =>
        world.webhooks.seen
          .slice(from - 20)
          .some(({ body }) => body.includes('checkout.session.completed') && body.includes(ids[2])),
      );
      const held = world.webhooks.release();
      const copies = shuffled(
        [...held, ...held, ...held].map((webhook) => ({ ...webhook })),
        seed,
      );
      for (const webhook of copies) expect(await world.webhooks.forward(webhook)).toBe(200);
      await byWallet.reach(ids[0], 'paid');
      await byToken.reach(ids[1], 'paid');
      await byLink.reach(ids[2], 'paid');
      for (const webhook of copies) expect(await world.webhooks.forward(webhook)).toBe(200);
      expect(new Set(copies.map(({ effect }) => effect))).toEqual(new Set(['duplicate', 'ignored']));
      const story = await byLink.story(ids[2]);
      expect(story.filter((line) => line.startsWith('paid'))).toHaveLength(1);
    },
  );

  it('that come before the id of their object is known are not lost', async ({ customer, world }) => {
    const route = 'POST /v1/link/agent_authorizations';
    await world.standIns.fault(
      { route, kind: 'after_effect_drop' },
      { route, kind: 'status', status: 503, times: 3 },
    );
    const { body: quote } = await customer.quote();
    const starting = customer.start(quote);
    const id = quote.checkout_id;
    expect(await world.standIns.approve(id)).toBe(true);
    await until('the approval to be signaled', () =>
      world.webhooks.seen.some(({ body, effect }) => effect === 'signaled' && body.includes(id)),
    );
    await starting;
    const paid = await customer.reach(id, 'paid', 5_000);
    expect(paid.attempts).toHaveLength(1);
    const asked = await world.standIns.requests({ checkoutId: id, route });
    expect(new Set(asked.map(({ idempotency_key }) => idempotency_key)).size).toBe(1);
  });

  it('with a wrong signature change nothing, and count when they come again rightly signed', async ({
    customer,
    world,
  }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.fault({ webhook: 'bad_signature', times: 2 });
    await world.standIns.approve(id);
    await customer.reach(id, 'paid', 5_000);
    const statuses = world.webhooks.seen.filter(({ body }) => body.includes(id)).map(({ status }) => status);
    expect(statuses).toContain(400);
    expect(statuses).toContain(200);
  });

  it('about a checkout that ended without money are acknowledged and ignored', async ({
    customer,
    world,
  }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    world.webhooks.hold();
    await world.standIns.deny(id);
    const denied = await until('the event', () => world.webhooks.seen.find(({ body }) => body.includes(id)));
    world.webhooks.release();
    await customer.cancel(id);
    await customer.reach(id, ({ state }) => state === 'awaiting_link' || state === 'canceled');
    const { body } = await customer.cancel(id);
    expect(['closing', 'canceled']).toContain(body.state);
    await customer.reach(id, 'canceled');
    expect(await world.webhooks.forward(denied)).toBe(200);
    expect(denied.effect).toBe('ignored');
  });
});
