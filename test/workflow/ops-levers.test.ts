import { describe, expect } from 'vitest';
import type { CheckoutState } from '../../domain/checkout-state.js';
import type { Answer, Caller, Checkout } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const it = checkoutTest();

interface OpsCheckout extends Checkout {
  explain: string;
  attention?: string;
  call_id: string;
  run_url?: string;
  declines: { rail: string; code: string }[];
  stripe: { agent_authorization?: string; checkout_session?: string; payment_intent?: string };
  resolution?: { by: string; at: string; note?: string };
}

const ops = (caller: Caller, method: string, path: string, body?: object): Promise<Answer<OpsCheckout>> =>
  caller.request(method, `/ops/checkouts/${path}`, body, caller.world.keyOf(caller.tenant, 'ops'));
const show = (caller: Caller, id: string) => ops(caller, 'GET', id);
const retry = (caller: Caller, id: string) => ops(caller, 'POST', `${id}/retry-now`, {});
const resolve = (caller: Caller, id: string, body: object = {}) => ops(caller, 'POST', `${id}/resolve`, body);
const stored = { kind: 'status', status: 500, after_effect: true, times: 1 };
const away = (route: string) => ({ route, kind: 'status', status: 503, times: 1_000 });
const authorize = 'POST /v1/link/agent_authorizations';
const confirm = 'POST /v1/payment_intents/:id/confirm';

async function paymentIntentOf(caller: Caller, id: string): Promise<string | undefined> {
  const state = await caller.world.handleOf(caller.tenant, id).query<CheckoutState>('status');
  return state.instrument?.paymentIntent;
}

/** Every cause of `needs_attention`, and how a checkout comes to it. */
const causes: Record<string, (caller: Caller, id: string, world: World) => Promise<unknown>> = {
  approval_without_payment: async (caller, id, { standIns }) => {
    await caller.reach(id, 'awaiting_wallet');
    await standIns.approve(id, { grants: 'nothing' });
  },
  /** The answer to the wallet request was lost and no webhook came: nobody knows its id. */
  outcome_unknown: async () => undefined,
  /** Somebody takes our mark off a payment that is under way. */
  object_not_ours: async (caller, id, { standIns, stripe }) => {
    await caller.reach(id, 'awaiting_wallet');
    await standIns.approve(id, { outcome: 'processing' });
    await caller.reach(id, 'processing');
    await stripe.paymentIntents.update((await paymentIntentOf(caller, id)) ?? '', {
      metadata: { vc_mac: 'x' },
    });
    await retry(caller, id);
  },
  /** Somebody lowers the amount between the payment's creation and its confirmation. */
  amount_differs: async (caller, id, { standIns, stripe }) => {
    await caller.reach(id, 'awaiting_wallet');
    await standIns.approve(id, { grants: 'shared_payment_token' });
    const intent = await until('the payment is created', () => paymentIntentOf(caller, id));
    await stripe.paymentIntents.update(intent, { amount: 4_800 });
    await standIns.release(confirm);
  },
};

async function needsAttention(caller: Caller, world: World, cause: string): Promise<string> {
  caller.leavesOpen.clear();
  if (cause === 'outcome_unknown') await world.standIns.fault({ route: authorize, ...stored });
  if (cause === 'amount_differs') await world.standIns.fault({ route: confirm, kind: 'hold' });
  const id = await caller.begin();
  await causes[cause]!(caller, id, world);
  await caller.reach(id, 'needs_attention');
  return id;
}

/** Money that the checkout does not count as its payment: the general invariant would call it a charge too many. */
const forget = (caller: Caller, id: string) => caller.checkouts.delete(id);

describe('a checkout that needs attention', () => {
  it.for(Object.keys(causes))('says so, why, and what ops can do: %s', async (cause, { customer, world }) => {
    const id = await needsAttention(customer, world, cause);
    const { status, body } = await until('the run rests', async () => {
      const shown = await show(customer, id);
      return shown.body.explain.includes('Stripe is read next') && shown;
    });
    expect([status, body.state, body.attention]).toEqual([200, 'needs_attention', cause]);
    expect(body.explain).toContain('Levers: retry-now reads Stripe at once; resolve');
    expect(body.call_id).toBe(customer.callId);
    expect(body.run_url).toBe(
      `http://127.0.0.1:8233/namespaces/${world.namespace}/workflows/checkout%2Facme%2F${id}`,
    );
    forget(customer, id);
  });

  it.for(Object.keys(causes))(
    'shows the same after a reading that proves nothing: %s',
    async (cause, { customer, world }) => {
      const id = await needsAttention(customer, world, cause);
      const before = (await show(customer, id)).body;
      for (let times = 0; times < 3; times++) {
        const { status, body } = await retry(customer, id);
        expect([status, body.state, body.version, body.attention]).toEqual([
          200,
          'needs_attention',
          before.version,
          cause,
        ]);
      }
      forget(customer, id);
    },
  );

  it.for(['approval_without_payment', 'outcome_unknown'])(
    'ends without a payment on the word of ops, who are recorded: %s',
    async (cause, { customer, world }) => {
      const id = await needsAttention(customer, world, cause);
      const { status, body, replayed } = await resolve(customer, id, { note: 'The caller sees no charge.' });
      const by = world.keyName('acme', 'ops');
      expect([status, replayed, body.state, body.reason]).toEqual([200, false, 'expired', 'no_response']);
      expect(body).toMatchObject({
        terminal: true,
        rails_left: [],
        resolution: { by, note: 'The caller sees no charge.' },
      });
      expect(body.explain).toContain(`on the word of ${by} at `);
      expect(body.explain).toContain('not on a proof from Stripe: The caller sees no charge.');
      const events = await customer.events(id);
      expect(events.find(({ type }) => type === 'resolved')).toMatchObject({ by, state: 'closing' });
      expect(events.at(-1)).toMatchObject({ type: 'ended', state: 'expired' });
      // An approval nobody can use is what the stand-in keeps of a request that was never answered.
      if (cause === 'outcome_unknown') customer.leavesOpen.add(id);
      const again = await resolve(customer, id, { note: 'The caller sees no charge.' });
      expect([again.status, again.replayed, again.body]).toEqual([200, true, body]);
      const anew = await customer.quote();
      expect(anew.body.checkout_id).toBe(id.replace(/_1$/, '_2'));
    },
  );

  it('ends on the word of ops where a payment under way lost our mark and took no money', async ({
    customer,
    world,
  }) => {
    const id = await needsAttention(customer, world, 'object_not_ours');
    const { status, body } = await resolve(customer, id);
    expect([status, body.state]).toEqual([200, 'expired']);
    forget(customer, id);
  });

  it('does not end while money of it was not given back, and does once it was', async ({
    customer,
    world,
  }) => {
    const id = await needsAttention(customer, world, 'amount_differs');
    const { body: shown } = await show(customer, id);
    const refused = await resolve(customer, id);
    expect([refused.status, refused.body.code, refused.body.checkout_id]).toEqual([
      409,
      'money_captured',
      id,
    ]);
    expect((await show(customer, id)).body).toMatchObject({
      state: 'needs_attention',
      version: shown.version,
    });
    const payment_intent = shown.stripe.payment_intent ?? '';
    await world.stripe.refunds.create({ payment_intent, amount: 4_700 });
    expect((await resolve(customer, id)).body.code).toBe('money_captured');
    await world.stripe.refunds.create({ payment_intent });
    const { status, body } = await resolve(customer, id);
    expect([status, body.state, body.amount_captured]).toEqual([200, 'expired', 0]);
    forget(customer, id);
  });

  it('does not end while money that lost our mark was not given back', async ({ customer, world }) => {
    const id = await needsAttention(customer, world, 'object_not_ours');
    const { body } = await show(customer, id);
    const settle = `/_local/payment_intents/${body.stripe.payment_intent}/settle`;
    await fetch(world.standIns.url + settle, { method: 'POST', body: '{"outcome":"succeeded"}' });
    const refused = await resolve(customer, id);
    expect([refused.status, refused.body.code]).toEqual([409, 'money_captured']);
    expect((await show(customer, id)).body.state).toBe('needs_attention');
    forget(customer, id);
  });

  it.for(['retry-now', 'resolve'])(
    'is paid when Stripe proves it, whatever ops say: %s',
    async (lever, { customer, world }) => {
      // Without webhooks, so that only the lever looks; the poll comes after 10 s.
      const id = await needsAttention(customer, world, 'object_not_ours');
      const { body } = await show(customer, id);
      const intent = body.stripe.payment_intent ?? '';
      const { metadata } = await world.stripe.paymentIntents.retrieve(intent);
      world.webhooks.hold();
      const charged = `/_local/payment_intents/${intent}/settle`;
      await fetch(world.standIns.url + charged, { method: 'POST', body: '{"outcome":"succeeded"}' });
      const mark = (await world.standIns.authorization(id)).metadata['vc_mac'] ?? '';
      await world.stripe.paymentIntents.update(intent, { metadata: { ...metadata, vc_mac: mark } });
      const { status, body: after } =
        lever === 'resolve' ? await resolve(customer, id) : await retry(customer, id);
      world.webhooks.release();
      expect([status, after.state, after.resolution]).toEqual([200, 'paid', undefined]);
      const late = await resolve(customer, id);
      expect([late.status, late.body.code]).toEqual([409, 'no_attention_needed']);
    },
  );

  it('is not resolved while Stripe does not answer, and nothing of it is remembered', async ({
    customer,
    world,
  }) => {
    const id = await needsAttention(customer, world, 'approval_without_payment');
    await world.standIns.fault(
      away('POST /v1/link/agent_authorizations/:id/cancel'),
      away('GET /v1/link/agent_authorizations/:id'),
    );
    const refused = await resolve(customer, id);
    expect([refused.status, refused.body.code]).toEqual([503, 'unavailable']);
    await world.standIns.clearFaults();
    const still = await until(
      'Stripe was read again',
      async () => {
        const { body } = await retry(customer, id);
        return body.explain.includes('Stripe is read next') && body;
      },
      45_000,
    );
    expect([still.state, still.resolution]).toEqual(['needs_attention', undefined]);
    expect((await resolve(customer, id)).body.state).toBe('expired');
  });

  it('ends once, however many say so at once', async ({ customer, world }) => {
    const id = await needsAttention(customer, world, 'approval_without_payment');
    const answers = await Promise.all(
      ['first', 'second', 'third'].map((note) => resolve(customer, id, { note })),
    );
    expect(answers.map(({ status, body }) => [status, body.state])).toEqual(
      answers.map(() => [200, 'expired']),
    );
    const events = await customer.events(id);
    expect(events.filter(({ type }) => type === 'resolved')).toHaveLength(1);
  });
});

describe('a checkout that was refused', () => {
  it('shows ops Stripe’s codes, and the agent none', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token', outcome: 'insufficient_funds' });
    const { version } = await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id, 'declined');
    const seen = await customer.reach(id, (checkout) => checkout.version > version);
    expect(JSON.stringify(seen)).not.toMatch(/insufficient_funds|generic_decline/);
    const { body } = await show(customer, id);
    expect(body.declines.map(({ rail, code }) => [rail, code])).toEqual([
      ['linkWallet', 'insufficient_funds'],
      ['paymentLink', 'generic_decline'],
    ]);
    expect(body.explain).toContain('linkWallet: ended (declined, insufficient_funds)');
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });
});

describe('retry-now', () => {
  it('finds a payment whose webhook was lost, at once', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    world.webhooks.hold();
    await world.standIns.approve(id);
    const { status, body } = await retry(customer, id);
    world.webhooks.release();
    expect([status, body.state]).toEqual([200, 'paid']);
    const repeated = await retry(customer, id);
    expect([repeated.status, repeated.body.state]).toEqual([200, 'paid']);
  });

  it('changes nothing where nothing happened, and adds no version', async ({ customer }) => {
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    expect((await retry(customer, id)).body.version).toBe(before.version);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });
});

describe('the levers', () => {
  it('are for the scope ops, and for the own tenant', async ({ customer, newCaller, world }) => {
    const id = await needsAttention(customer, world, 'approval_without_payment');
    const stranger = newCaller({ tenant: 'globex' });
    for (const [method, path] of [
      ['GET', id],
      ['POST', `${id}/retry-now`],
      ['POST', `${id}/resolve`],
    ] as const) {
      const agent = await customer.request(
        method,
        `/ops/checkouts/${path}`,
        method === 'POST' ? {} : undefined,
      );
      expect([agent.status, agent.body.code]).toEqual([403, 'scope_missing']);
      const other = await ops(stranger, method, path, method === 'POST' ? {} : undefined);
      expect([other.status, other.body.code]).toEqual([404, 'not_found']);
    }
    expect((await show(customer, id)).body.state).toBe('needs_attention');
    await resolve(customer, id);
  });

  it('resolve nothing that waits for the caller', async ({ customer }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const { status, body } = await resolve(customer, id);
    expect([status, body.code]).toEqual([409, 'no_attention_needed']);
    expect((await show(customer, id)).body.state).toBe('awaiting_wallet');
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  it.for<[string, unknown[]]>([
    ['nothing', []],
    ['null', [null]],
    ['nobody', [{ by: '' }]],
    ['a number', [{ by: 5 }]],
    ['a note without end', [{ by: 'dana', note: 'x'.repeat(501) }]],
    ['a card number', [{ by: 'dana', note: 'paid with 4242 4242 4242 4242' }]],
  ])('take from the Temporal UI no word that is %s', async ([, args], { customer, world }) => {
    const id = await needsAttention(customer, world, 'approval_without_payment');
    const update = world.handleOf('acme', id).executeUpdate('resolveCheckout', { args } as never);
    await expect(update).rejects.toMatchObject({ cause: { type: 'invalid_request' } });
    expect((await show(customer, id)).body.state).toBe('needs_attention');
    await resolve(customer, id);
  });
});
