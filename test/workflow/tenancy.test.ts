import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { connectedAccount } from '../support/world/tenants.js';
import type { TappedWebhook } from '../support/world/webhook-tap.js';
import type { World } from '../support/world/world.js';

const it = checkoutTest();

/** What Stripe sends when an approval brings a payment. */
const ofAnApproval = [
  'payment_intent.created',
  'link.agent_authorization.approved',
  'charge.succeeded',
  'payment_intent.succeeded',
];

/** Everything that Stripe sends about an approval, held back until the last of it is there. */
async function heldApproval({ standIns, webhooks }: World, checkoutId: string): Promise<TappedWebhook[]> {
  webhooks.hold();
  await standIns.approve(checkoutId);
  for (const type of ofAnApproval) await webhooks.heldBack(type, checkoutId);
  return webhooks.release();
}

describe('tenants', () => {
  it("do not see each other's checkouts on any route", async ({ customer, newCaller, world }) => {
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    const stranger = newCaller({ tenant: 'globex' });
    const answers = [
      await stranger.get(id),
      await stranger.get(id, { since: 1, wait_ms: 5_000 }),
      await stranger.cancel(id),
      await stranger.switchTo(id, 'paymentLink'),
      await stranger.request('GET', `/checkouts/${id}/events`),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
      answers.map(() => [404, 'not_found']),
    );
    expect((await customer.get(id)).body).toEqual(before);
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
  });

  it("cannot use each other's quotes", async ({ customer, newCaller }) => {
    const { body: quote } = await customer.quote();
    const { status, body } = await newCaller({ tenant: 'globex' }).start(quote);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  it('give the same purchase checkouts of their own', async ({ customer, world }) => {
    const stranger = Object.assign(Object.create(customer) as typeof customer, { tenant: 'globex' });
    const ids = [(await customer.quote()).body.checkout_id, (await stranger.quote()).body.checkout_id];
    expect(new Set(ids).size).toBe(2);
    expect((await world.standIns.ledger()).charges.filter(({ id }) => ids.includes(id))).toEqual([]);
  });
});

describe('a tenant with a connected account', () => {
  it('has every object on that account, and its events by the connect endpoint only', async ({
    newCaller,
    world,
  }) => {
    const customer = newCaller({ tenant: 'connected' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token', outcome: 'declined' });
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
    expect((await world.standIns.authorization(id)).account).toBe(connectedAccount);
    expect((await world.standIns.session(id)).account).toBe(connectedAccount);
    const { charges } = await world.standIns.ledger();
    const ours = charges.filter(({ metadata }) => metadata['vc_checkout'] === id);
    expect(ours.map(({ account }) => account)).toEqual([connectedAccount]);
    const requests = await world.standIns.requests({ checkoutId: id });
    const accounts = requests.filter(({ path }) => path.startsWith('/v1/')).map(({ account }) => account);
    expect(new Set(accounts)).toEqual(new Set([connectedAccount]));
    const events = world.webhooks.seen.filter(
      ({ path, body }) => path.includes('stripe') && body.includes(id),
    );
    expect(new Set(events.map(({ path }) => path))).toEqual(new Set(['/webhooks/stripe/connect']));
  });

  it('is not moved by its events at the other endpoint', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'connected' });
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    const held = await heldApproval(world, id);
    const money = held.filter(({ body }) =>
      /agent_authorization.approved|payment_intent.succeeded/.test(body),
    );
    expect(money).toHaveLength(2);
    for (const webhook of money) {
      const astray = { ...webhook, path: '/webhooks/stripe' };
      expect(await world.webhooks.forward(astray)).toBe(200);
      expect(astray.effect).toBe('ignored');
    }
    expect((await customer.get(id)).body).toEqual(before);
    for (const webhook of money) await world.webhooks.forward(webhook);
    await customer.reach(id, 'paid');
  });

  it("another tenant's checkout is not moved by an event of that account", async ({ customer, world }) => {
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    const held = await heldApproval(world, id);
    const astray = held
      .filter(({ body }) => body.includes(id))
      .map((webhook) => ({
        ...webhook,
        path: '/webhooks/stripe/connect',
      }));
    for (const webhook of astray) await world.webhooks.forward(webhook);
    expect(astray.map(({ effect }) => effect)).toEqual(astray.map(() => 'ignored'));
    expect((await customer.get(id)).body).toEqual(before);
    for (const webhook of held) await world.webhooks.forward(webhook);
    await customer.reach(id, 'paid');
  });
});
