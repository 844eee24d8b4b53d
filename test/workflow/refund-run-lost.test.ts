import { describe, expect } from 'vitest';
import { defaultPayloadConverter } from '@temporalio/common';
import { type CheckoutMemo, checkoutTaskQueue } from '../../contracts/checkout.js';
import { type RefundLedgerInput, refundLedgerWorkflowType } from '../../contracts/refund.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { loseRun } from '../support/world/lose-run.js';
import { reconcile, told } from '../support/world/reconcile.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';

const test = checkoutTest({ tenants: [refundTenant('acme')] });

const callId = 'the-same-call';

/** Temporal forgets the run of a refund; its customer's ledger stays. */
const lose = (desk: RefundDesk, refund: Refund) => loseRun(desk.world, desk.run(refund).workflowId);

async function ledgerOf(desk: RefundDesk, checkoutId: string) {
  const { memo } = await desk.world.handleOf(desk.tenant, checkoutId).describe();
  const { checkout } = memo as unknown as CheckoutMemo;
  return desk.world.ledgerOf(desk.tenant, checkout.customerKey);
}

describe('a refund whose run Temporal has lost', () => {
  test('while it waited holds nothing back, and may be asked for again', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(8_000);
    const held = await desk.request(checkoutId, { amount: 8_000, callId });
    await lose(desk, held);
    const again = await desk.ask(checkoutId, { amount: 8_000, callId });
    expect([again.status, again.body.state]).toEqual([202, 'awaiting_approval']);
    expect(again.body.refund_id).toBe(held.refund_id);
    await lose(desk, held);
    const other = await desk.request(checkoutId, { amount: 7_000 });
    await desk.decide(other, 'approve');
    await desk.reach(other.refund_id, 'refunded');
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([7_000]);
  });

  test('after it was made is found at Stripe by the next reconciliation', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const refund = await desk.request(checkoutId, { amount: 1_000, callId });
    const done = await desk.reach(refund.refund_id, 'refunded');
    await desk.refundedShown(checkoutId, 1_000);
    await lose(desk, refund);
    const sinceMs = Date.now() - 600_000;
    expect(told(await reconcile(world, 'acme', { sinceMs }), checkoutId)).toEqual([
      'refund_without_run repaired',
    ]);
    const { amount, currency, reason, request_hash, requested_by } = done;
    const restored = await desk.reach(refund.refund_id, 'refunded');
    expect(restored).toMatchObject({ amount, currency, reason, request_hash, requested_by });
    expect(told(await reconcile(world, 'acme', { sinceMs }), checkoutId)).toEqual([]);
    const again = await desk.ask(checkoutId, { amount: 1_000, callId });
    expect([again.status, again.body.refund_id]).toEqual([200, refund.refund_id]);
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000]);
    const [made] = (await desk.atStripe(checkoutId)).refunds;
    await world.standIns.failRefund(made?.id ?? '');
    await desk.reach(refund.refund_id, 'failed');
  });

  test('after it was made, together with its ledger, is found by who asks for it again', async ({
    customer,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const refund = await desk.request(checkoutId, { amount: 1_000, callId });
    await desk.reach(refund.refund_id, 'refunded');
    await (await ledgerOf(desk, checkoutId)).terminate('its data is lost');
    await lose(desk, refund);
    const again = await desk.ask(checkoutId, { amount: 1_000, callId });
    expect([again.status, again.body.refund_id, again.body.amount]).toEqual([200, refund.refund_id, 1_000]);
    await desk.reach(refund.refund_id, 'refunded');
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000]);
  });
});

describe('a customer’s ledger', () => {
  test('that goes on as a new run asks what the one before had still to ask', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(8_000);
    const held = await desk.request(checkoutId, { amount: 8_000 });
    await desk.decide(held, 'deny');
    await desk.reach(held.refund_id, 'denied');
    const ledger = await ledgerOf(desk, checkoutId);
    const { events } = await ledger.fetchHistory();
    const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    if (!payload) throw new Error('no input');
    const input = defaultPayloadConverter.fromPayload<RefundLedgerInput>(payload);
    const { payment_intent: paymentIntent } = (await desk.atStripe(checkoutId)).charge;
    await ledger.terminate('a new run');
    const { refund_id: refundId, amount, currency } = held;
    const counted = { refundId, checkoutId, paymentIntent, amount, currency, at: Date.now() };
    await world.client.workflow.start(refundLedgerWorkflowType, {
      workflowId: ledger.workflowId,
      taskQueue: checkoutTaskQueue,
      args: [{ ...input, entries: [{ ...counted, outcome: 'done' }], toAsk: [refundId] }],
    });
    const anew = await until('nothing of it is counted any more', async () => {
      const { status, body } = await desk.askAnew(checkoutId, { amount: 8_000 });
      return status === 202 && body;
    });
    expect(anew.state).toBe('awaiting_approval');
  });

  test('that is terminated is followed by one that knows what was let through, and what was given back', async ({
    customer,
  }) => {
    const desk = new RefundDesk(customer);
    const [first, second] = [await desk.paid(9_000), await desk.paid(9_000)];
    const given = await desk.request(second, { amount: 1_000 });
    await desk.reach(given.refund_id, 'refunded');
    await desk.refundedShown(second, 1_000);
    const held = await desk.request(first, { amount: 6_000 });
    await (await ledgerOf(desk, first)).terminate('by ops');

    // Small enough to go by itself, were it not for the one that waits.
    const more = await desk.request(first, { amount: 2_500 });
    expect([held.state, more.state]).toEqual(['awaiting_approval', 'awaiting_approval']);
    const third = await desk.askAnew(first, { amount: 501 });
    expect([third.status, third.body.code]).toEqual([409, 'exceeds_refundable']);
    await desk.refundedShown(second, 1_000);
    await desk.decide(held, 'approve');
    await desk.reach(held.refund_id, 'refunded');

    // A refund in the dashboard is what the next one begins with.
    await (await ledgerOf(desk, first)).terminate('by ops');
    const { charge } = await desk.atStripe(first);
    await desk.world.stripe.refunds.create({ charge: charge.id, amount: 200 });
    await desk.refundedShown(first, 6_200);
    await desk.refundedShown(second, 1_000);
  });

  test('that is terminated does not keep the next one from hearing that the bank has sent a refund back', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'refunded');
    await desk.refundedShown(checkoutId, 1_000);
    await (await ledgerOf(desk, checkoutId)).terminate('by ops');
    const [made] = (await desk.atStripe(checkoutId)).refunds;
    await world.standIns.failRefund(made?.id ?? '');
    await desk.reach(refund.refund_id, 'failed');
    await desk.refundedShown(checkoutId, 0);
  });

  test('believes nobody that something became of a refund', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(9_000);
    const held = await desk.request(checkoutId, { amount: 6_000 });
    const { charge } = await desk.atStripe(checkoutId);
    await desk.world.stripe.refunds.create({ charge: charge.id, amount: 3_000 });
    const ledger = await ledgerOf(desk, checkoutId);
    for (const outcome of ['at_stripe', 'done', 'void']) {
      await ledger.signal('refundSettled', { refundId: held.refund_id, outcome });
    }
    const more = await desk.askAnew(checkoutId, { amount: 1 });
    expect([more.status, more.body.code]).toEqual([409, 'not_refundable']);
  });
});
