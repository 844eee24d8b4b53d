import { describe, expect } from 'vitest';
import type { CheckoutMemo } from '../../contracts/checkout.js';
import { refundLedgerWorkflowType } from '../../contracts/refund.js';
import { refundLedgerStart } from '../../contracts/refund-ledger-start.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { RefundDesk, refundTenant } from '../support/world/refund-desk.js';

const test = checkoutTest({ tenants: [refundTenant('acme')] });

interface Line {
  seq: number;
  type: string;
  state: string;
  refund_id?: string;
  amount?: number;
  reason?: string;
}

describe('a checkout', () => {
  test('shows its refunds and what became of them', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(9_000);
    const before = (await customer.get(checkoutId)).body;
    expect(before.refunds).toEqual([]);
    const small = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(small.refund_id, 'refunded');
    const held = await desk.request(checkoutId, { amount: 5_000 });
    const { body } = await customer.get(checkoutId);
    expect(body.refunds).toMatchObject([
      { refund_id: small.refund_id, state: 'refunded', terminal: true, amount: 1_000 },
      { refund_id: held.refund_id, state: 'awaiting_approval', terminal: false, amount: 5_000 },
    ]);
    expect(body.version).toBeGreaterThan(before.version);
    expect(body.say).toBe(before.say);
    await desk.decide(held, 'deny');
    await customer.reach(checkoutId, ({ refunds }) => refunds.at(-1)?.state === 'denied');
  });

  test('says on the next call that a refund came back, until another one stands in for it', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const { say: paid } = (await customer.get(checkoutId)).body;
    const refund = await desk.request(checkoutId, { amount: 2_000 });
    await desk.reach(refund.refund_id, 'refunded');
    const shown = await desk.refundedShown(checkoutId, 2_000);
    expect(shown.say).toBe(paid);
    const { refunds } = await desk.atStripe(checkoutId);
    await world.standIns.failRefund(refunds[0]?.id ?? '');
    const failed = await customer.reach(checkoutId, ({ refunds: [one] }) => one?.state === 'failed');
    expect(failed.version).toBeGreaterThan(shown.version);
    expect(failed).toMatchObject({
      state: 'paid',
      terminal: true,
      say: `${paid} The refund of $20.00 did not go through. A colleague will look into it.`,
    });
    const anew = await desk.request(checkoutId, { amount: 2_000 });
    await desk.reach(anew.refund_id, 'refunded');
    expect((await customer.get(checkoutId)).body.say).toBe(paid);
  });

  test('shows what was given back of its own payment, not of another that its ledger knows', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const { checkout } = (await world.handleOf('acme', checkoutId).describe())
      .memo as unknown as CheckoutMemo;
    const paymentIntent = 'pi_another';
    await world.client.workflow.start(
      refundLedgerWorkflowType,
      refundLedgerStart('acme', checkout.customerKey, {
        refunded: { [checkoutId]: { amount: 4_900, changes: 1, paymentIntent } },
        refunds: {
          [checkoutId]: [
            { refundId: `rf_${'0'.repeat(30)}`, at: 1, paymentIntent, amount: 4_900, currency: 'usd' },
          ],
        },
      }),
    );
    expect((await customer.get(checkoutId)).body).toMatchObject({ amount_refunded: 0, refunds: [] });
    const refund = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(refund.refund_id, 'refunded');
    expect(await desk.refundedShown(checkoutId, 1_000)).toMatchObject({
      refunds: [{ refund_id: refund.refund_id }],
    });
  });

  test('tells its refunds step by step in its events, after its own', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const list = async (after: number) =>
      (
        await customer.request<{ events: Line[]; next: number }>(
          'GET',
          `/checkouts/${checkoutId}/events?after=${after}`,
        )
      ).body;
    const own = await list(0);
    const refund = await desk.request(checkoutId, { amount: 2_000 });
    await desk.reach(refund.refund_id, 'refunded');
    const { refunds } = await desk.atStripe(checkoutId);
    await world.standIns.failRefund(refunds[0]?.id ?? '');
    await desk.reach(refund.refund_id, 'failed');
    const { events, next } = await list(own.next);
    const line = { state: 'paid', refund_id: refund.refund_id, amount: 2_000 };
    expect(events).toMatchObject([
      { seq: own.next + 1, type: 'refund_requested', ...line },
      { type: 'refund_submitted', ...line },
      { type: 'refund_refunded', ...line },
      { seq: own.next + 4, type: 'refund_failed', reason: 'lost_or_stolen_card', ...line },
    ]);
    expect(next).toBe(own.next + 4);
    expect((await list(next)).events).toEqual([]);
    expect((await list(0)).events.slice(0, own.events.length)).toEqual(own.events);
  });
});
