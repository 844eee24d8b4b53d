import { describe, expect } from 'vitest';
import type { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';

const it = checkoutTest();

const authorize = 'POST /v1/link/agent_authorizations';
const withdraw = 'POST /v1/link/agent_authorizations/:id/cancel';
const createIntent = 'POST /v1/payment_intents';
const confirm = 'POST /v1/payment_intents/:id/confirm';
const cancelIntent = 'POST /v1/payment_intents/:id/cancel';
const createSession = 'POST /v1/checkout/sessions';
const expire = 'POST /v1/checkout/sessions/:id/expire';
const reads = [
  'GET /v1/link/agent_authorizations/:id',
  'GET /v1/payment_intents/:id',
  'GET /v1/checkout/sessions/:id',
];
const effects = [authorize, withdraw, createIntent, confirm, cancelIntent, createSession, expire];
const text = 'POST /2010-04-01/Accounts/:account/Messages.json';

const faults: [string, object][] = [
  ['answers 500', { kind: 'status', status: 500, times: 2 }],
  ['answers 429', { kind: 'status', status: 429 }],
  ['answers 409', { kind: 'status', status: 409 }],
  ['hangs up before it acts', { kind: 'before' }],
  ['hangs up after it acted', { kind: 'after_effect_drop' }],
];

const lostOrRefused = faults.filter(([name]) => /500|after it acted/.test(name));

/** Every request of an effect carried the same key and the same parameters, and there was more than one. */
async function expectRepeatsAlike(
  { world }: Caller,
  checkoutId: string,
  routes: readonly string[],
): Promise<void> {
  for (const route of routes) {
    const sent = await world.standIns.requests({ checkoutId, route });
    expect(sent.length, route).toBeGreaterThan(1);
    expect(new Set(sent.map(({ idempotency_key }) => idempotency_key)).size, route).toBe(1);
    expect(new Set(sent.map(({ params }) => JSON.stringify(params))).size, route).toBe(1);
  }
}

describe('when Stripe, at every step,', () => {
  it.for(faults)(
    '%s, a refused token and a paid link still make one charge',
    async ([, fault], { customer, world }) => {
      for (const route of [...effects, ...reads]) await world.standIns.fault({ route, ...fault });
      const { body: quote } = await customer.quote();
      const id = quote.checkout_id;
      await customer.start(quote);
      await customer.reach(id, 'awaiting_wallet');
      await world.standIns.approve(id, { grants: 'shared_payment_token', outcome: 'declined' });
      await customer.reach(id, 'awaiting_link');
      await world.standIns.pay(id);
      const { attempts } = await customer.account(id, 'paid');
      expect(attempts).toEqual(['linkWallet ended (declined)', 'paymentLink paid']);
      await expectRepeatsAlike(customer, id, [authorize, createIntent, confirm, cancelIntent, createSession]);
    },
  );

  it.for(lostOrRefused)(
    '%s, what nobody answers is shut all the same',
    async ([, fault], { newCaller, world }) => {
      for (const route of [...effects, ...reads]) await world.standIns.fault({ route, ...fault });
      const customer = newCaller({ tenant: 'restless' });
      const id = await customer.begin();
      await customer.reach(id, 'expired');
      await expectRepeatsAlike(customer, id, [authorize, withdraw, createSession, expire]);
    },
  );

  it.for(lostOrRefused)('%s, an accepted token is charged once', async ([, fault], { customer, world }) => {
    for (const route of [authorize, createIntent, confirm]) await world.standIns.fault({ route, ...fault });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token' });
    await customer.reach(id, 'paid');
    await expectRepeatsAlike(customer, id, [authorize, createIntent, confirm]);
  });
});

it('a wait that Stripe asks for is kept', async ({ customer, world }) => {
  await world.standIns.fault({ route: confirm, kind: 'status', status: 429, retry_after: 1 });
  const id = await customer.begin();
  await customer.reach(id, 'awaiting_wallet');
  await world.standIns.approve(id, { grants: 'shared_payment_token' });
  await customer.reach(id, 'paid');
  const [first, second] = await world.standIns.requests({ checkoutId: id, route: confirm });
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_000);
});

describe('credentials that are refused', () => {
  it('at a repetition prove nothing: no link is opened beside a request that may have arrived', async ({
    customer,
    world,
  }) => {
    await world.standIns.fault(
      { route: authorize, kind: 'after_effect_drop' },
      { route: authorize, kind: 'status', status: 401 },
    );
    const id = await customer.begin();
    await customer.reach(id, 'needs_attention');
    await world.standIns.approve(id);
    expect((await customer.account(id, 'paid')).story).not.toContain('link_opened sending_link paymentLink');
  });
});

describe('an error that Stripe stores for a key', () => {
  const stored = { kind: 'status', status: 500, after_effect: true };

  it('of the page leads to a second page with a key of its own', async ({ customer, world }) => {
    await world.standIns.fault({ route: createSession, ...stored });
    const id = await customer.begin({}, { rails: ['paymentLink'] });
    await customer.reach(id, 'awaiting_link');
    const sent = await world.standIns.requests({ checkoutId: id, route: createSession });
    const keys = sent.map(({ idempotency_key }) => idempotency_key ?? '');
    expect(keys.map((key) => key.slice(-1))).toEqual(['1', '1', '2']);
    const [message, ...more] = await world.standIns.messages(customer.phone ?? '');
    const { id: session } = await world.standIns.session(id);
    expect(message?.body).toContain(session);
    expect(more).toEqual([]);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
    // The page behind the stored error exists, but nobody was ever given its address; it ends by itself.
    customer.leavesOpen.add(id);
    const { live_instruments } = await world.standIns.ledger();
    const live = live_instruments.filter(({ metadata }) => metadata['vc_checkout'] === id);
    expect(live.map(({ type }) => type)).toEqual(['checkout_session']);
  });

  it('of the wallet request is no reason to ask a second time: the webhook names what was asked', async ({
    customer,
    world,
  }) => {
    await world.standIns.fault({ route: authorize, ...stored });
    const id = await customer.begin();
    await customer.reach(id, 'needs_attention');
    expect(await world.standIns.authorizations(id)).toHaveLength(1);
    await world.standIns.approve(id);
    await customer.reach(id, 'paid', 5_000);
  });

  it('of the wallet request leaves room for the webhook after somebody typed a name that is none', async ({
    customer,
    world,
  }) => {
    await world.standIns.fault({ route: authorize, ...stored });
    const id = await customer.begin();
    await customer.reach(id, 'needs_attention');
    const typed = { v: 1, id: 'typed', kind: 'authorization.approved', objectId: 'laa_typed' };
    await world.handleOf('acme', id).signal('paymentEventReceived', typed);
    await until('the name was read', async () => {
      const asked = await world.standIns.requests({ object: 'laa_typed' });
      return asked.some(({ method }) => method === 'GET');
    });
    await world.standIns.approve(id);
    await customer.reach(id, 'paid', 5_000);
  });

  it('of the wallet request does not keep a caller who denies it from the link', async ({
    customer,
    world,
  }) => {
    await world.standIns.fault({ route: authorize, ...stored });
    const id = await customer.begin();
    await customer.reach(id, 'needs_attention');
    await world.standIns.deny(id);
    await customer.reach(id, 'awaiting_link', 5_000);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it('of a charge is looked behind: the money that moved is found, and not taken twice', async ({
    customer,
    world,
  }) => {
    await world.standIns.fault({ route: confirm, ...stored });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token' });
    await customer.reach(id, 'paid');
    const sent = await world.standIns.requests({ checkoutId: id, route: confirm });
    expect(new Set(sent.map(({ idempotency_key }) => idempotency_key)).size).toBe(1);
  });

  it.for([
    ['withdrawing the request', withdraw],
    ['canceling the charge', cancelIntent],
  ])('of %s is no end: it is shut under a key of its own', async ([, route], { customer, world }) => {
    await world.standIns.fault({ route, ...stored });
    const { body: quote } = await customer.quote();
    const id = quote.checkout_id;
    await customer.start(quote);
    await customer.reach(id, 'awaiting_wallet');
    if (route === withdraw) await customer.switchTo(id, 'paymentLink');
    else await world.standIns.approve(id, { grants: 'shared_payment_token', outcome: 'declined' });
    await customer.reach(id, 'awaiting_link', 5_000);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it.for([true, false])(
    'of shutting the page is no end: whether it was paid is found (%s)',
    async (pays, { customer, world }) => {
      await world.standIns.fault({ route: expire, ...stored }, { webhook: 'lose', times: 100 });
      const id = await customer.begin({}, { rails: ['paymentLink'] });
      await customer.reach(id, 'awaiting_link');
      if (pays) await world.standIns.pay(id);
      await customer.cancel(id);
      await customer.reach(id, pays ? 'paid' : 'canceled', 5_000);
      await world.standIns.clearFaults();
    },
  );

  it('of a refused charge is looked behind, too', async ({ customer, world }) => {
    await world.standIns.fault({ route: confirm, ...stored });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token', outcome: 'declined' });
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });
});

describe('when Twilio', () => {
  it.for<[string, object]>([
    ['answers 500', { kind: 'status', status: 500 }],
    ['answers 500 although it sent', { kind: 'status', status: 500, after_effect: true }],
    ['hangs up after it sent', { kind: 'after_effect_drop' }],
    ['hangs up before', { kind: 'before' }],
  ])('%s, the caller gets one message', async ([, fault], { customer, world }) => {
    await world.standIns.fault({ route: text, ...fault });
    const id = await customer.begin({}, { rails: ['paymentLink'] });
    await customer.reach(id, 'awaiting_link');
    expect(await world.standIns.messages(customer.phone ?? '')).toHaveLength(1);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it('stays away, the page is shut and the checkout fails', async ({ customer, world }) => {
    await world.standIns.fault({ route: text, kind: 'status', status: 503, times: 20 });
    const id = await customer.begin({}, { rails: ['paymentLink'] });
    const { reason, attempts } = await customer.account(id, 'failed');
    expect([reason, attempts]).toEqual(['undeliverable', ['paymentLink ended (undeliverable)']]);
    expect((await world.standIns.session(id)).status).toBe('expired');
    const tries = await world.standIns.requests({ route: text });
    expect(tries.filter(({ params }) => params['To'] === customer.phone).length).toBeLessThanOrEqual(2);
  });
});
