import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { reconcile, told, whenOlder } from '../support/world/reconcile.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';

const test = checkoutTest({ tenants: [refundTenant('acme'), refundTenant('globex')] });

const create = 'POST /v1/refunds';
const lookUp = 'GET /v1/refunds';
const away = (route: string) => ({ route, kind: 'status', status: 503, times: 1_000 });

/** A pass that also looks at what is younger than Stripe's seconds. */
const pass = async ({ world }: RefundDesk, refund: Refund) =>
  told(await reconcile(world, 'acme', { sinceMs: Date.now() - 600_000 }), refund.checkout_id);

const stop = (desk: RefundDesk, refund: Refund) => desk.run(refund).terminate('by mistake');

/** How often, and under how many keys, the refund was sent to Stripe. */
async function sent({ world }: RefundDesk, { checkout_id }: Refund) {
  const requests = await world.standIns.requests({ route: create, checkoutId: checkout_id });
  return new Set(requests.map(({ idempotency_key: key }) => key)).size;
}

/** The money went back once, everybody says so, and a second pass finds nothing to do. */
async function expectGivenBack(desk: RefundDesk, refund: Refund): Promise<void> {
  await desk.reach(refund.refund_id, 'refunded');
  expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([refund.amount]);
  await desk.refundedShown(refund.checkout_id, refund.amount);
  expect(await pass(desk, refund)).toEqual([]);
}

test('what somebody gave back in the dashboard is captured again when the bank returns it', async ({
  customer,
  world,
}) => {
  const desk = new RefundDesk(customer);
  const checkoutId = await desk.paid();
  const { charges } = await world.standIns.ledger();
  const payment =
    charges.find(({ metadata }) => metadata['vc_checkout'] === checkoutId)?.payment_intent ?? '';
  const byHand = await world.stripe.refunds.create({ payment_intent: payment, amount: 700 });
  await desk.refundedShown(checkoutId, 700);
  const sinceMs = await whenOlder(byHand);
  expect(await world.standIns.failRefund(byHand.id)).toBe(true);
  expect(told(await reconcile(world, 'acme', { sinceMs }), checkoutId)).toEqual(['refunded_sum repaired']);
  await desk.refundedShown(checkoutId, 0);
  expect(told(await reconcile(world, 'acme', { sinceMs }), checkoutId)).toEqual([]);
});

describe('a refund whose run somebody terminated', () => {
  test('while it waited for a person waits again, and nothing leaves without a decision', async ({
    customer,
  }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    await stop(desk, held);
    expect(await pass(desk, held)).toEqual(['refund_stopped repaired']);
    expect((await desk.get(held.refund_id)).body).toMatchObject({
      state: 'awaiting_approval',
      version: held.version,
      approval: { expires_at: held.approval?.expires_at },
    });
    expect((await desk.atStripe(held.checkout_id)).amounts).toEqual([]);
    expect((await desk.decide(held, 'approve', { role: 'agent' })).status).toBe(403);
    expect((await desk.decide(held, 'approve')).status).toBe(200);
    await expectGivenBack(desk, held);
  });

  test('while it waited says that it cannot be reached to who decides meanwhile', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    await stop(desk, held);
    const early = await desk.decide(held, 'approve');
    expect([early.status, early.body.code]).toEqual([503, 'unavailable']);
    expect(await pass(desk, held)).toEqual(['refund_stopped repaired']);
    expect((await desk.decide(held, 'approve')).status).toBe(200);
    await expectGivenBack(desk, held);
  });

  test('while it waited takes a decision that was signed before', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    const signedDecision = await desk.sign(held);
    await stop(desk, held);
    expect(await pass(desk, held)).toEqual(['refund_stopped repaired']);
    await desk.signal(held, { signedDecision });
    await expectGivenBack(desk, held);
  });

  test('after a person approved it is sent with that approval and under its old key', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    await world.standIns.fault(away(create));
    expect((await desk.decide(held, 'approve')).body.state).toBe('submitting');
    await until('a try', async () => (await sent(desk, held)) > 0);
    await stop(desk, held);
    await world.standIns.clearFaults();
    expect(await pass(desk, held)).toEqual(['refund_stopped repaired']);
    await expectGivenBack(desk, held);
    expect(await sent(desk, held)).toBe(1);
  });

  test('twice keeps the approval it was given first', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    await world.standIns.fault(away(create));
    await desk.decide(held, 'approve');
    await stop(desk, held);
    expect(await pass(desk, held)).toEqual(['refund_stopped repaired']);
    await stop(desk, held);
    await world.standIns.clearFaults();
    expect(await pass(desk, held)).toEqual(['refund_stopped repaired']);
    await expectGivenBack(desk, held);
    expect(await sent(desk, held)).toBe(1);
  });

  test('when Stripe had made it is not made again, and its ledger counts it once', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const made = { route: create, kind: 'status', status: 500, after_effect: true };
    const firstLook = { route: lookUp, kind: 'slow', ms: 1 };
    await world.standIns.fault(made, firstLook, away(lookUp));
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'needs_attention', 20_000);
    await stop(desk, refund);
    await world.standIns.clearFaults();
    expect(await pass(desk, refund)).toEqual(['refund_stopped repaired']);
    await expectGivenBack(desk, refund);
    expect(await sent(desk, refund)).toBe(1);
    const rest = await desk.request(checkoutId);
    expect(rest.amount).toBe(3_900);
    await desk.reach(rest.refund_id, 'refunded');
  });

  test('once it was refunded is watched again: the bank may still return it', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.request(await desk.paid(), { amount: 900 });
    await desk.reach(refund.refund_id, 'refunded');
    await desk.refundedShown(refund.checkout_id, 900);
    await stop(desk, refund);
    expect(await pass(desk, refund)).toEqual(['refund_stopped repaired']);
    await expectGivenBack(desk, refund);
    const [made] = (await desk.atStripe(refund.checkout_id)).refunds;
    await world.standIns.failRefund(made?.id ?? '');
    await desk.reach(refund.refund_id, 'failed');
    await desk.refundedShown(refund.checkout_id, 0);
  });

  test('after it was denied stays as it is', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    await desk.decide(held, 'deny');
    await desk.reach(held.refund_id, 'denied');
    await desk.run(held).result();
    expect(await pass(desk, held)).toEqual([]);
    expect((await desk.atStripe(held.checkout_id)).amounts).toEqual([]);
  });
});
