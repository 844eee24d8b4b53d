import { describe, expect } from 'vitest';
import type { CheckoutMemo } from '../../contracts/checkout.js';
import type { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { openStrayPage, payLate } from '../support/world/late-money.js';
import { reconcile, told } from '../support/world/reconcile.js';
import { until } from '../support/world/until.js';
import { RefundDesk } from '../support/world/refund-desk.js';
import type { World } from '../support/world/world.js';

const test = checkoutTest();

const onlyLink = { rails: ['paymentLink'] };

/** From now on no webhook of Stripe's arrives. */
const loseWebhooks = (world: World) => world.standIns.fault({ webhook: 'lose', times: 1_000 });

/** Stripe's times are seconds. */
const justNow = () => Date.now() - 1_000;

async function onPage(caller: Caller): Promise<string> {
  const id = await caller.begin({}, onlyLink);
  await caller.reach(id, 'awaiting_link');
  return id;
}

async function paidOnPage(caller: Caller): Promise<string> {
  const id = await onPage(caller);
  await caller.world.standIns.pay(id);
  await caller.reach(id, 'paid');
  return id;
}

/** A second reconciliation finds nothing to do. */
async function expectQuiet(world: World, sinceMs: number, tenant = 'acme') {
  const before = await world.standIns.ledger();
  expect(await reconcile(world, tenant, { sinceMs })).toMatchObject({
    repaired: 0,
    reported: 0,
    differences: [],
  });
  expect(await world.standIns.ledger()).toEqual(before);
}

describe('webhooks that were lost', () => {
  test('cost nothing: the open checkout is told of its payment', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await onPage(customer);
    await loseWebhooks(world);
    await world.standIns.pay(id);
    const result = await reconcile(world, 'acme', { sinceMs });
    expect(told(result, id)).toEqual(['payment_not_noticed repaired']);
    expect((await customer.get(id)).body).toMatchObject({ state: 'paid', amount_captured: 4_900 });
    await expectQuiet(world, sinceMs);
  });

  test('do not hide an approval', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await loseWebhooks(world);
    await world.standIns.approve(id, { grants: 'shared_payment_token' });
    expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['approval_not_noticed repaired']);
    await customer.reach(id, 'paid');
    await expectQuiet(world, sinceMs);
  });

  test('do not hide money that came twice, or late', async ({ customer, newCaller, world }) => {
    const sinceMs = justNow();
    const brisk = newCaller({ tenant: 'brisk' });
    const late = await brisk.begin({}, onlyLink);
    await brisk.reach(late, 'expired');
    const twice = await paidOnPage(customer);
    await loseWebhooks(world);
    await payLate(world, late);
    await payLate(world, twice);
    expect(told(await reconcile(world, 'acme', { sinceMs }))).toEqual(['payment_unmatched repaired']);
    expect(told(await reconcile(world, 'brisk', { sinceMs }))).toEqual(['payment_unmatched repaired']);
    await customer.reach(twice, ({ late_payment: payment }) => payment?.state === 'refunded');
    await brisk.reach(late, ({ late_payment: payment }) => payment?.state === 'refunded');
    await expectQuiet(world, sinceMs);
    await expectQuiet(world, sinceMs, 'brisk');
  });

  test('do not hide that a refund came back', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await paidOnPage(customer);
    // From before the refund: one of its own webhooks, still on its way, would wake the run.
    await loseWebhooks(world);
    const desk = new RefundDesk(customer);
    const refund = await desk.request(id, { amount: 900 });
    await desk.reach(refund.refund_id, 'refunded');
    await desk.refundedShown(id, 900);
    const { refunds } = await world.standIns.ledger();
    const made = refunds.find(({ metadata }) => metadata['vc_refund'] === refund.refund_id);
    await world.standIns.failRefund(made?.id ?? '');
    expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['refund_not_noticed repaired']);
    await desk.reach(refund.refund_id, 'failed');
    await desk.refundedShown(id, 0);
    await expectQuiet(world, sinceMs);
  });

  test('do not hide that somebody else gave money back', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await paidOnPage(customer);
    const { charges } = await world.standIns.ledger();
    const charge = charges.find(({ metadata }) => metadata['vc_checkout'] === id);
    await loseWebhooks(world);
    await world.stripe.refunds.create({ payment_intent: charge?.payment_intent ?? '', amount: 300 });
    expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['refunded_sum repaired']);
    expect((await customer.get(id)).body.amount_refunded).toBe(300);
    await expectQuiet(world, sinceMs);
  });
});

describe('a checkout that somebody terminated', () => {
  const stop = (world: World, id: string) => world.handleOf('acme', id).terminate('by mistake');

  test('is started again, and its page is shut', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await onPage(customer);
    await stop(world, id);
    const result = await reconcile(world, 'acme', { sinceMs });
    expect(told(result, id)).toEqual(['checkout_stopped repaired']);
    await customer.reach(id, 'expired');
    expect(await world.standIns.pay(id)).toBe(false);
    customer.checkouts.delete(id);
    await expectQuiet(world, sinceMs);
  });

  test('is started again though it had opened nothing yet', async ({ customer, world }) => {
    const sinceMs = justNow();
    const route = 'POST /v1/checkout/sessions';
    await world.standIns.fault({ route, kind: 'status', status: 503, times: 1_000 });
    const id = await customer.begin({}, onlyLink);
    await stop(world, id);
    await world.standIns.clearFaults();
    expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['checkout_stopped repaired']);
    await customer.reach(id, 'expired');
    customer.checkouts.delete(id);
    await expectQuiet(world, sinceMs);
  });

  const authorize = 'POST /v1/link/agent_authorizations';

  test.for([
    ['approves', 'paid', { kind: 'status', status: 500, after_effect: true }],
    ['denies', 'expired', { kind: 'after_effect_drop', times: 1_000 }],
  ] as const)(
    'is not said to be unpaid while nobody knows what became of its wallet request, which the caller then %s',
    async ([does, end, fault], { customer, world }) => {
      const sinceMs = justNow();
      await world.standIns.fault({ route: authorize, ...fault });
      const id = await customer.begin();
      await until('the wallet was asked', async () => (await world.standIns.authorizations(id)).length > 0);
      if (does === 'approves') await customer.reach(id, 'needs_attention');
      await stop(world, id);
      await world.standIns.clearFaults();
      expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual([
        'checkout_stopped reported',
        'checkout_needs_attention reported',
      ]);
      expect((await customer.get(id)).body.state).toBe('needs_attention');
      await (does === 'approves' ? world.standIns.approve(id) : world.standIns.deny(id));
      await customer.reach(id, end);
      customer.checkouts.delete(id);
      await expectQuiet(world, sinceMs);
    },
  );

  test('does not forget the bank debit under way when other money brings it back', async ({
    customer,
    world,
  }) => {
    const sinceMs = justNow();
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    // Else it is news of the debit itself that brings it back.
    await world.standIns.fault({ webhook: 'lose', type: 'payment_intent.processing', times: 1 });
    await world.standIns.approve(id, { grants: 'shared_payment_token', outcome: 'processing' });
    await customer.reach(id, 'processing');
    const { memo } = (await world.handleOf('acme', id).describe()) as unknown as { memo: CheckoutMemo };
    const own = memo.state.instrument?.paymentIntent ?? '';
    await stop(world, id);
    const { metadata } = await world.stripe.paymentIntents.retrieve(own);
    const copy = await world.stripe.paymentIntents.create({ amount: 4_800, currency: 'usd', metadata });
    await world.stripe.paymentIntents.confirm(copy.id, { payment_method: 'pm_card_visa' });
    await until('a run again', async () => {
      const { status } = await world.handleOf('acme', id).describe();
      return status.name !== 'TERMINATED';
    });
    await customer.reach(id, 'processing');
    await world.standIns.settlePayment(own, 'succeeded');
    await customer.reach(
      id,
      ({ state, late_payment }) => state === 'paid' && late_payment?.state === 'refunded',
    );
    customer.checkouts.delete(id);
    await expectQuiet(world, sinceMs);
  });

  test('is paid by the request that a webhook had named to it, though it could not read it', async ({
    customer,
    world,
  }) => {
    const sinceMs = justNow();
    await world.standIns.fault({ route: authorize, kind: 'status', status: 500, after_effect: true });
    const id = await customer.begin();
    await customer.reach(id, 'needs_attention');
    const route = 'GET /v1/link/agent_authorizations/:id';
    await world.standIns.fault({ route, kind: 'status', status: 503, times: 1_000 });
    await world.standIns.approve(id);
    const [asked] = await world.standIns.authorizations(id);
    await until('the run was told', async () => {
      const requests = await world.standIns.requests({ object: asked?.id ?? '' });
      return requests.some(({ method }) => method === 'GET');
    });
    await stop(world, id);
    await world.standIns.clearFaults();
    // Too young for the walk over approvals.
    await reconcile(world, 'acme', { sinceMs, graceMs: 120_000 });
    await customer.reach(id, 'paid', 20_000);
    customer.checkouts.delete(id);
    await expectQuiet(world, sinceMs);
  });

  test('is started again, and its wallet request is withdrawn', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await stop(world, id);
    expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['checkout_stopped repaired']);
    expect(await world.standIns.approve(id)).toBe(false);
    await customer.reach(id, 'expired');
    customer.checkouts.delete(id);
    await expectQuiet(world, sinceMs);
  });

  test('is paid when its page was paid meanwhile', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await onPage(customer);
    await stop(world, id);
    await loseWebhooks(world);
    await world.standIns.pay(id);
    expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['payment_without_run repaired']);
    await customer.reach(id, 'paid');
    customer.checkouts.delete(id);
    await expectQuiet(world, sinceMs);
  });

  test('is paid when its request was approved meanwhile', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await stop(world, id);
    await loseWebhooks(world);
    await world.standIns.approve(id);
    const [first] = told(await reconcile(world, 'acme', { sinceMs }), id);
    expect(first).toMatch(/ repaired$/);
    await customer.reach(id, 'paid');
    customer.checkouts.delete(id);
    await expectQuiet(world, sinceMs);
  });
});

test('money beside a payment under way is told of once, and looked after when that has come to its end', async ({
  customer,
  world,
}) => {
  const sinceMs = justNow();
  const id = await onPage(customer);
  await world.standIns.pay(id, 'processing');
  await customer.reach(id, 'processing');
  const { payment_intent: own } = await world.standIns.session(id);
  await loseWebhooks(world);
  await payLate(world, id);
  expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['payment_not_noticed repaired']);
  await expectQuiet(world, sinceMs);
  await world.standIns.clearFaults();
  await world.standIns.settlePayment(own ?? '', 'succeeded');
  await customer.reach(id, ({ late_payment: payment }) => payment?.state === 'refunded');
  const { events } = await world.handleOf('acme', id).fetchHistory();
  const byPasses = (events ?? [])
    .flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => signal?.input?.payloads ?? [])
    .map(({ data }) => Buffer.from(data ?? []).toString())
    .filter((event) => event.includes('"reconcile:'));
  expect(byPasses).toHaveLength(1);
  await expectQuiet(world, sinceMs);
});

describe('a page that nobody needs', () => {
  test('is shut once its checkout is over', async ({ customer, world }) => {
    const sinceMs = justNow();
    const id = await paidOnPage(customer);
    await openStrayPage(world, id);
    expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['live_page repaired']);
    await expectQuiet(world, sinceMs);
  });

  test('is left alone while it is young: its checkout may be about to learn of it', async ({
    customer,
    world,
  }) => {
    const id = await onPage(customer);
    await openStrayPage(world, id);
    const sinceMs = Date.now() - 60_000;
    expect(told(await reconcile(world, 'acme', { sinceMs, graceMs: 10_000 }), id)).toEqual([]);
    expect(told(await reconcile(world, 'acme', { sinceMs }), id)).toEqual(['live_page repaired']);
    expect((await customer.get(id)).body.state).toBe('awaiting_link');
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });
});

test('what only a person can settle is reported, again and again', async ({ customer, world }) => {
  const sinceMs = Date.now() - 3_600_000;
  const id = await customer.begin();
  await customer.reach(id, 'awaiting_wallet');
  await world.standIns.approve(id, { grants: 'nothing' });
  await customer.reach(id, 'needs_attention');
  for (let times = 0; times < 2; times++) {
    const result = await reconcile(world, 'acme', { sinceMs });
    expect(told(result, id)).toEqual(['checkout_needs_attention reported']);
    expect(result.resumeAt).toBeLessThan(result.until);
  }
  customer.leavesOpen.add(id);
});
