import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const test = checkoutTest({
  tenants: [refundTenant('acme'), refundTenant('connected', {}, { stripe: { account: 'acct_connected' } })],
});
const route = 'POST /v1/refunds';
/** Lets through the look before a refund is let through: the faults after it meet the later looks. */
const firstLook = { route: 'GET /v1/refunds', kind: 'slow', ms: 1 };

/** The requests that were to make a refund, oldest first. */
async function sent(world: World, refund: Refund) {
  const requests = await world.standIns.requests({ route });
  return requests.filter(({ params }) => Object.values(params).includes(refund.refund_id));
}

describe('giving money back at Stripe happens once, with one key,', () => {
  test.for([
    ['Stripe answers 500 and has not acted', { kind: 'status', status: 500 }],
    ['Stripe answers 503 for a while', { kind: 'status', status: 503, times: 5 }],
    ['Stripe asks for patience', { kind: 'status', status: 429, retry_after: 1 }],
    ['the connection breaks before', { kind: 'before', times: 3 }],
    ['the answer is lost', { kind: 'after_effect_drop', times: 3 }],
    ['the answer takes longer than an attempt may', { kind: 'slow', ms: 10_500 }],
  ] as const)('where %s', async ([, fault], { customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    await world.standIns.fault({ route, ...fault });
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'refunded', 30_000);
    const { amounts, refunded } = await desk.atStripe(checkoutId);
    expect([amounts, refunded]).toEqual([[1_000], 1_000]);
    const requests = await sent(world, refund);
    expect(requests.length).toBeGreaterThan(1);
    expect(new Set(requests.map(({ idempotency_key }) => idempotency_key))).toEqual(
      new Set([`test:refund/acme/${refund.refund_id}:refund.create:1`]),
    );
  });

  test('where it acted and stored an error for the key: found in its list', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    await world.standIns.fault({ route, kind: 'status', status: 500, after_effect: true });
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'refunded');
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000]);
    expect(new Set((await sent(world, refund)).map(({ idempotency_key: key }) => key)).size).toBe(1);
  });

  test('where the worker changes in between', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    await world.standIns.fault({ route, kind: 'after_effect_drop', times: 4 });
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    const before = [...world.workers];
    await world.startWorker();
    await Promise.all(before.map((worker) => worker.stop()));
    await desk.reach(refund.refund_id, 'refunded', 30_000);
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000]);
  });

  test('where its list cannot be read for a while, too', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    await world.standIns.fault({ route, kind: 'status', status: 500, after_effect: true }, firstLook, {
      route: 'GET /v1/refunds',
      kind: 'status',
      status: 503,
      times: 3,
    });
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    const done = await desk.reach(refund.refund_id, 'refunded', 30_000);
    expect(done.failure_reason).toBeUndefined();
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000]);
  });
});

describe('a refund that Stripe has and whose answer is still out', () => {
  test('needs attention while nobody can tell, and none once somebody can', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    await world.standIns.fault({ route, kind: 'status', status: 500, after_effect: true }, firstLook, {
      route: 'GET /v1/refunds',
      kind: 'status',
      status: 503,
      times: 1_000,
    });
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    const unknown = await desk.reach(refund.refund_id, 'needs_attention', 20_000);
    expect(unknown).toMatchObject({
      terminal: false,
      next: { action: 'handoff' },
      say: "I'm still checking on that refund.",
      failure_reason: 'outcome_unknown',
    });
    await world.standIns.clearFaults();
    const known = await desk.reach(refund.refund_id, 'refunded', 30_000);
    expect(known.failure_reason).toBeUndefined();
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000]);
    expect(new Set((await sent(world, refund)).map(({ idempotency_key: key }) => key)).size).toBe(1);
  });

  test('holds back what it may have taken, and no more once it is known', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_000);
    await world.standIns.fault(
      { route, kind: 'after_effect_drop', times: 2 },
      { route, kind: 'status', status: 503, times: 4 },
    );
    const first = await desk.request(checkoutId, { amount: 2_500 });
    await until('Stripe has it', async () => (await desk.atStripe(checkoutId)).refunded === 2_500);
    const early = await desk.askAnew(checkoutId, { amount: 1_501 });
    expect(early.status).toBe(409);
    await desk.reach(first.refund_id, 'refunded', 30_000);
    const second = await desk.request(checkoutId, { amount: 1_500 });
    await desk.reach(second.refund_id, 'refunded', 30_000);
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_500, 2_500]);
  });
});

test('a payment that is disputed is not given back: the bank is taking it already', async ({
  customer,
  world,
}) => {
  const desk = new RefundDesk(customer);
  const checkoutId = await desk.paid();
  const { charge } = await desk.atStripe(checkoutId);
  expect(await world.standIns.dispute(charge.id)).toBe(true);
  for (const amount of [1_000, 4_900]) {
    const { status, body } = await desk.askAnew(checkoutId, { amount });
    expect([status, body.code]).toEqual([409, 'not_refundable']);
  }
  expect((await customer.get(checkoutId)).body).toMatchObject({ amount_refunded: 0, refunds: [] });
  expect((await desk.atStripe(checkoutId)).amounts).toEqual([]);
});

describe('a refund that Stripe refuses', () => {
  test('is rejected, and its money may be asked for again', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(8_000);
    // Somebody gives everything back in the Dashboard between the request and its approval.
    const held = await desk.request(checkoutId, { amount: 8_000, reason: 'fraudulent' });
    const { charge } = await desk.atStripe(checkoutId);
    await world.stripe.refunds.create({ charge: charge.id });
    await desk.decide(held, 'approve');
    const rejected = await desk.reach(held.refund_id, 'rejected');
    expect(rejected).toMatchObject({
      terminal: true,
      say: 'The refund could not be made.',
      failure_reason: 'charge_already_refunded',
    });
    expect(await desk.explain(held)).toContain('Stripe refused the refund of $80.00');
    expect((await desk.atStripe(checkoutId)).refunded).toBe(8_000);
    const more = await desk.askAnew(checkoutId, { amount: 100 });
    expect([more.status, more.body.code]).toEqual([409, 'not_refundable']);
  });

  test('because the payment is disputed meanwhile is rejected', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    const { charge } = await desk.atStripe(held.checkout_id);
    expect(await world.standIns.dispute(charge.id)).toBe(true);
    await desk.decide(held, 'approve');
    const rejected = await desk.reach(held.refund_id, 'rejected');
    expect(rejected).toMatchObject({ terminal: true, failure_reason: 'charge_disputed' });
    expect((await desk.atStripe(held.checkout_id)).amounts).toEqual([]);
  });

  test('for any other reason it gives is rejected, too', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    await world.standIns.fault({ route, kind: 'status', status: 400 });
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'rejected');
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([]);
    const again = await desk.request(checkoutId, { amount: 4_900 });
    await desk.reach(again.refund_id, 'refunded');
  });
});

describe('a refund that the bank returns days later', () => {
  test('has failed: the money is the tenant’s again, and may be given back anew', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const refund = await desk.request(checkoutId, { amount: 4_900 });
    const done = await desk.reach(refund.refund_id, 'refunded');
    const shown = await desk.refundedShown(checkoutId, 4_900);
    const { refunds } = await desk.atStripe(checkoutId);
    expect(await world.standIns.failRefund(refunds[0]?.id ?? '')).toBe(true);
    const failed = await desk.reach(refund.refund_id, 'failed');
    expect(failed).toMatchObject({
      terminal: true,
      version: done.version + 1,
      say: 'The refund of $49.00 did not go through. A colleague will look into it.',
      failure_reason: 'lost_or_stolen_card',
    });
    const back = await desk.refundedShown(checkoutId, 0);
    expect(back.version).toBeGreaterThan(shown.version);
    expect(await desk.explain(refund)).toContain('the money is still with the tenant');
    const anew = await desk.request(checkoutId, { amount: 4_900 });
    await desk.reach(anew.refund_id, 'refunded');
    await desk.refundedShown(checkoutId, 4_900);
  });

  test('has failed once, however often and in whatever shape Stripe says so', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    await world.standIns.fault({ webhook: 'duplicate', times: 6 }, { webhook: 'bad_signature', times: 1 });
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'refunded');
    const { refunds } = await desk.atStripe(checkoutId);
    await world.standIns.failRefund(refunds[0]?.id ?? '');
    const failed = await desk.reach(refund.refund_id, 'failed');
    expect(failed.version).toBe(4);
  });
});

describe('a tenant with its own Stripe account', () => {
  test('has its refunds made there', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'connected' }));
    const checkoutId = await desk.paid();
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'refunded');
    const { refunds, charge } = await desk.atStripe(checkoutId);
    expect([charge.account, refunds[0]?.account]).toEqual(['acct_connected', 'acct_connected']);
    expect((await sent(world, refund)).map(({ account }) => account)).toEqual(['acct_connected']);
    await desk.refundedShown(checkoutId, 1_000);
    await world.standIns.failRefund(refunds[0]?.id ?? '');
    await desk.reach(refund.refund_id, 'failed');
    await desk.refundedShown(checkoutId, 0);
  });
});

describe('a refund that the bank sends back while Stripe does not answer', () => {
  test('is read again as soon as Stripe answers, not only with the next look of the week', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'refunded');
    const { refunds } = await desk.atStripe(checkoutId);
    await world.standIns.fault({ route: 'GET /v1/refunds/:id', kind: 'status', status: 503, times: 10 });
    await world.standIns.failRefund(refunds[0]?.id ?? '');
    await desk.reach(refund.refund_id, 'failed', 40_000);
    await desk.refundedShown(checkoutId, 0);
  });
});

describe('a refund made in the Dashboard', () => {
  test('is shown by the checkout, and counts for what is left', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const before = (await customer.get(checkoutId)).body;
    const { charge } = await desk.atStripe(checkoutId);
    await world.stripe.refunds.create({ charge: charge.id, amount: 3_000 });
    const shown = await desk.refundedShown(checkoutId, 3_000);
    expect(shown.version).toBeGreaterThan(before.version);
    const more = await desk.askAnew(checkoutId, { amount: 1_901 });
    expect([more.status, more.body.code]).toEqual([409, 'exceeds_refundable']);
    const rest = await desk.request(checkoutId);
    expect(rest.amount).toBe(1_900);
    await desk.reach(rest.refund_id, 'refunded');
    await desk.refundedShown(checkoutId, 4_900);
  });

  test('is shown also when it was made before the checkout knew that it is paid', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await customer.begin();
    await customer.reach(checkoutId, 'awaiting_wallet');
    await world.standIns.fault({ route: 'GET /v1/link/agent_authorizations/:id', kind: 'slow', ms: 3_000 });
    await world.standIns.approve(checkoutId);
    const { charge } = await desk.atStripe(checkoutId);
    await world.stripe.refunds.create({ charge: charge.id, amount: 700 });
    expect((await customer.get(checkoutId)).body.state).not.toBe('paid');
    await desk.refundedShown(checkoutId, 700);
  });

  test('is seen by the next request also when its webhook is lost', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const { charge } = await desk.atStripe(checkoutId);
    await world.standIns.fault({ webhook: 'lose', times: 3 });
    await world.stripe.refunds.create({ charge: charge.id, amount: 4_000 });
    const more = await desk.askAnew(checkoutId, { amount: 901 });
    expect([more.status, more.body.code]).toEqual([409, 'exceeds_refundable']);
    const rest = await desk.request(checkoutId, { amount: 900 });
    await desk.reach(rest.refund_id, 'refunded');
    await desk.refundedShown(checkoutId, 4_900);
  });
});
