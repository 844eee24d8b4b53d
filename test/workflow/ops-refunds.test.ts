import { describe, expect } from 'vitest';
import type { Answer } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';

const test = checkoutTest({ tenants: [refundTenant('acme'), refundTenant('globex')] });
const route = 'POST /v1/refunds';
const lookUp = 'GET /v1/refunds';
const stored = { route, kind: 'status', status: 500, after_effect: true };

interface OpsRefund extends Refund {
  explain: string;
  attention?: string;
  run_url?: string;
  stripe: { payment_intent: string; refund?: string };
}

const ops = (
  desk: RefundDesk,
  method: string,
  path: string,
  tenant = desk.tenant,
): Promise<Answer<OpsRefund>> => {
  const body = method === 'POST' ? {} : undefined;
  return desk.caller.request(method, `/ops/refunds/${path}`, body, desk.world.keyOf(tenant, 'ops'));
};
const retry = (desk: RefundDesk, { refund_id }: Refund) => ops(desk, 'POST', `${refund_id}/retry-now`);
const show = (desk: RefundDesk, { refund_id }: Refund) => ops(desk, 'GET', refund_id);

/** Stripe has the refund, but neither said so nor lets its list be read. */
async function unknownRefund(desk: RefundDesk): Promise<Refund> {
  const checkoutId = await desk.paid();
  await desk.world.standIns.fault(
    stored,
    // The look before it is let through succeeds.
    { route: lookUp, kind: 'slow', ms: 1 },
    { route: lookUp, kind: 'status', status: 503, times: 1_000 },
  );
  const refund = await desk.request(checkoutId, { amount: 1_000 });
  return desk.reach(refund.refund_id, 'needs_attention', 20_000);
}

describe('a refund that needs attention', () => {
  test('says so, why, and what ops can do; it is found at once when ops ask, and not made twice', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const refund = await unknownRefund(desk);
    const { status, body } = await show(desk, refund);
    expect([status, body.state, body.attention]).toEqual([200, 'needs_attention', 'outcome_unknown']);
    expect(body.explain).toContain('Lever: retry-now');
    expect(body.run_url).toContain(encodeURIComponent(`refund/acme/${refund.refund_id}`));
    expect(body.stripe.payment_intent).toBe((await desk.atStripe(refund.checkout_id)).charge.payment_intent);
    await world.standIns.clearFaults();
    world.webhooks.hold();
    const found = await retry(desk, refund);
    expect([found.status, found.body.attention]).toEqual([200, undefined]);
    expect(['submitted', 'refunded']).toContain(found.body.state);
    world.webhooks.release();
    const done = await desk.reach(refund.refund_id, 'refunded');
    const { refunds, amounts } = await desk.atStripe(refund.checkout_id);
    expect([amounts, (await show(desk, done)).body.stripe.refund]).toEqual([[1_000], refunds[0]?.id]);
    const over = await retry(desk, refund);
    expect([over.status, over.body.state, over.body.version]).toEqual([200, 'refunded', done.version]);
  });

  test('stays as it is while Stripe does not answer', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await unknownRefund(desk);
    const { status, body } = await retry(desk, refund);
    expect([status, body.state, body.version]).toEqual([200, 'needs_attention', refund.version]);
    await world.standIns.clearFaults();
    await retry(desk, refund);
    await desk.reach(refund.refund_id, 'refunded', 30_000);
  });
});

describe('retry-now', () => {
  test('decides nothing on a refund that waits for a person', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    const { status, body } = await retry(desk, held);
    expect([status, body.state, body.version]).toEqual([200, 'awaiting_approval', 1]);
    expect((await desk.atStripe(held.checkout_id)).amounts).toEqual([]);
    await desk.decide(held, 'deny');
  });

  test('is for the scope ops, and for the own tenant', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held();
    const path = `${held.refund_id}/retry-now`;
    for (const role of ['agent', 'approver', 'supervisor'] as const) {
      const key = desk.world.keyOf('acme', role);
      const answer = await customer.request('POST', `/ops/refunds/${path}`, {}, key);
      expect([answer.status, answer.body.code]).toEqual([403, 'scope_missing']);
    }
    for (const [method, where] of [
      ['POST', path],
      ['GET', held.refund_id],
    ] as const) {
      const { status, body } = await ops(desk, method, where, 'globex');
      expect([status, body.code]).toEqual([404, 'not_found']);
    }
    await desk.decide(held, 'deny');
  });
});
