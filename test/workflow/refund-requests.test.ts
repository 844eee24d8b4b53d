import { describe, expect } from 'vitest';
import { refundWorkflowType } from '../../contracts/refund.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { RefundDesk, refundTenant } from '../support/world/refund-desk.js';

const test = checkoutTest({
  tenants: [
    refundTenant('acme', { threshold: { usd: 5_000, jpy: 5_000 } }),
    refundTenant('globex'),
    refundTenant('lavish', { threshold: { usd: 90_000 } }),
  ],
});

describe('a refund below the threshold', () => {
  test('is made at once, and the checkout shows it', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const before = (await customer.get(checkoutId)).body;
    const { status, body } = await desk.ask(checkoutId, { amount: 2_000, words: 'I do not need it' });
    expect({ status, terminal: body.terminal }).toEqual({ status: 202, terminal: false });
    expect(body.approval).toBeUndefined();
    const refund = await desk.reach(body.refund_id, 'refunded');
    expect(refund).toEqual({
      refund_id: body.refund_id,
      checkout_id: checkoutId,
      state: 'refunded',
      terminal: true,
      version: 3,
      livemode: false,
      say: 'Your refund of $20.00 is on its way to your card.',
      next: { action: 'done' },
      amount: 2_000,
      currency: 'usd',
      reason: 'requested_by_customer',
      request_hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      requested_by: world.keyName('acme', 'agent'),
    });
    const after = await desk.refundedShown(checkoutId, 2_000);
    expect(after).toMatchObject({ state: 'paid', amount_captured: 4_900, say: before.say });
    expect(after.version).toBeGreaterThan(before.version);
    const { refunds, amounts } = await desk.atStripe(checkoutId);
    expect(amounts).toEqual([2_000]);
    expect(refunds[0]?.metadata).toMatchObject({ vc_checkout: checkoutId, vc_refund: refund.refund_id });
  });

  test('may be one of several, until everything was given back', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_000);
    for (const amount of [1_000, 500, 2_500]) {
      const { refund_id } = await desk.request(checkoutId, { amount });
      await desk.reach(refund_id, 'refunded');
    }
    await desk.refundedShown(checkoutId, 4_000);
    const more = await desk.askAnew(checkoutId, { amount: 1 });
    expect([more.status, more.body.code]).toEqual([409, 'not_refundable']);
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([500, 1_000, 2_500]);
  });

  test('is of the whole payment when no amount is named', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const { refund_id, amount } = await desk.request(checkoutId);
    expect(amount).toBe(4_900);
    await desk.reach(refund_id, 'refunded');
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([4_900]);
    await desk.refundedShown(checkoutId, 4_900);
    const again = await desk.askAnew(checkoutId);
    expect([again.status, again.body.code]).toEqual([409, 'not_refundable']);
  });

  test('is of what is left when no amount is named, also at once after another one', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const first = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(first.refund_id, 'refunded');
    const rest = await desk.askAnew(checkoutId);
    expect([rest.status, rest.body.amount]).toEqual([202, 3_900]);
    await desk.reach(rest.body.refund_id, 'refunded');
    expect((await desk.atStripe(checkoutId)).refunded).toBe(4_900);
  });

  test('is of what is left beside a refund that waits for a person', async ({ newCaller }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'acme' }));
    const checkoutId = await desk.paid(9_000);
    await desk.request(checkoutId, { amount: 6_000 });
    const rest = await desk.askAnew(checkoutId);
    expect([rest.status, rest.body.amount]).toEqual([202, 3_000]);
  });

  test('works for a currency without decimals', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900, 'jpy');
    const { refund_id } = await desk.request(checkoutId, { amount: 700 });
    expect((await desk.reach(refund_id, 'refunded')).say).toBe(
      'Your refund of ¥700 is on its way to your card.',
    );
  });
});

describe('a refund that is asked for again', () => {
  test('is the same one, with its current state', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const first = await desk.ask(checkoutId, { amount: 1_000 });
    await desk.reach(first.body.refund_id, 'refunded');
    const again = await desk.ask(checkoutId, { amount: 1_000, words: 'said otherwise' });
    expect([again.status, again.replayed, again.body.state]).toEqual([200, true, 'refunded']);
    expect(again.body.refund_id).toBe(first.body.refund_id);
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000]);
  });

  test('ten times at once is one refund, and every answer shows it', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => desk.ask(checkoutId, { amount: 1_000 })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(9).fill(200), 202]);
    expect(new Set(answers.map(({ body }) => body.refund_id)).size).toBe(1);
    await desk.reach(answers[0]?.body.refund_id ?? '', 'refunded');
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000]);
  });

  test('is a second one only with `after`, which is itself safe to repeat', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const first = await desk.ask(checkoutId, { amount: 1_000 });
    await desk.reach(first.body.refund_id, 'refunded');
    const after = first.body.refund_id;
    const second = await desk.ask(checkoutId, { amount: 1_000, after });
    expect(second.status).toBe(202);
    expect(second.body.refund_id).not.toBe(after);
    await desk.reach(second.body.refund_id, 'refunded');
    const repeat = await desk.ask(checkoutId, { amount: 1_000, after });
    expect([repeat.status, repeat.body.refund_id]).toEqual([200, second.body.refund_id]);
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000, 1_000]);
  });

  test('after a refund nobody knows is refused', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const { status, body } = await desk.ask(checkoutId, { amount: 1_000, after: `rf_${'0'.repeat(30)}` });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });
});

describe('a refund is refused', () => {
  test('when it exceeds the payment', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const { status, body } = await desk.ask(checkoutId, { amount: 4_901 });
    expect([status, body.code]).toEqual([409, 'exceeds_refundable']);
  });

  test('when it and another one that waits for a person together exceed the payment', async ({
    customer,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(9_000);
    const first = await desk.request(checkoutId, { amount: 6_000 });
    expect(first.state).toBe('awaiting_approval');
    const second = await desk.askAnew(checkoutId, { amount: 3_001 });
    expect([second.status, second.body.code]).toEqual([409, 'exceeds_refundable']);
    expect((await desk.decide(first, 'deny')).status).toBe(200);
    await desk.reach(first.refund_id, 'denied');
    expect((await desk.request(checkoutId, { amount: 9_000 })).state).toBe('awaiting_approval');
  });

  test('when Stripe takes no such amount: three decimals, of which the last is not 0', async ({
    customer,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(20_000, 'kwd');
    const { status, body } = await desk.ask(checkoutId, { amount: 1_234 });
    expect([status, body.code]).toEqual([422, 'amount_invalid']);
    expect((await desk.ask(checkoutId, { amount: 1_230 })).status).toBe(202);
  });

  test('while nothing was paid', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const open = await customer.begin();
    const early = await desk.ask(open, { amount: 100 });
    expect([early.status, early.body.code]).toEqual([409, 'not_refundable']);
    await customer.cancel(open);
    await customer.reach(open, 'canceled');
    const late = await desk.ask(open, { amount: 100 });
    expect([late.status, late.body.code]).toEqual([409, 'not_refundable']);
  });

  test('of a checkout nobody knows, and of another tenant alike', async ({ customer, newCaller, world }) => {
    const checkoutId = await new RefundDesk(customer).paid();
    const stranger = new RefundDesk(newCaller({ tenant: 'globex' }));
    const foreign = await stranger.ask(checkoutId, { amount: 100 });
    const unknown = await stranger.ask(`co_${'0'.repeat(30)}_1`, { amount: 100 });
    for (const { status, body } of [foreign, unknown]) {
      expect([status, body.code]).toEqual([404, 'not_found']);
    }
    const { refund_id } = await new RefundDesk(customer).request(checkoutId, { amount: 100 });
    const read = await stranger.get(refund_id);
    expect([read.status, read.body.code]).toEqual([404, 'not_found']);
    const runs = world.client.workflow.list({ query: `WorkflowType = '${refundWorkflowType}'` });
    for await (const { workflowId } of runs) expect(workflowId).toMatch(/^refund\/acme\//);
  });

  test('of an amount that is none', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    for (const amount of [0, -1, 1.5]) {
      const { status } = await desk.ask(checkoutId, { amount });
      expect([400, 422]).toContain(status);
    }
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([]);
  });
});

describe('refunds of one payment', () => {
  test.for([1, 2, 3])('never exceed it, twenty at once (round %i)', async (_round, { newCaller }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'lavish' }));
    const checkoutId = await desk.paid(10_000);
    const wishes = Array.from({ length: 20 }, (_, index) => 900 + 50 * index);
    const answers = await Promise.all(wishes.map((amount) => desk.askUntilKnown(checkoutId, { amount })));
    const taken = answers.filter(({ status }) => status === 202);
    const refused = answers.filter(({ status }) => status !== 202);
    for (const { status, body } of refused) {
      expect([status, ['exceeds_refundable', 'not_refundable'].includes(body.code ?? '')]).toEqual([
        409,
        true,
      ]);
    }
    for (const { body } of taken) await desk.reach(body.refund_id, 'refunded');
    const { charge, refunded, amounts } = await desk.atStripe(checkoutId);
    expect(refunded).toBeLessThanOrEqual(charge.amount);
    expect(refunded).toBe(taken.reduce((sum, { body }) => sum + body.amount, 0));
    expect(amounts).toHaveLength(taken.length);
    // As many as fit were let through: what is left is less than any that was refused.
    for (const wish of wishes) {
      if (!amounts.includes(wish)) expect(charge.amount - refunded).toBeLessThan(wish);
    }
    await desk.refundedShown(checkoutId, refunded);
  });
});

describe('refunds of one customer', () => {
  test('over several payments never pass the threshold without a person', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkouts = await Promise.all([1, 2, 3, 4].map(() => desk.paid(4_000)));
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        desk.askUntilKnown(checkouts[index % 4] ?? '', { amount: 900 }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(12).fill(202));
    const automatic = answers.filter(({ body }) => body.approval === undefined);
    const held = answers.filter(({ body }) => body.state === 'awaiting_approval');
    expect(automatic).toHaveLength(5);
    expect(held).toHaveLength(7);
    for (const { body } of held)
      expect(body.approval?.required_because).toMatch(/^(customer|payment)_total$/);
    for (const { body } of automatic) await desk.reach(body.refund_id, 'refunded');
    const amounts = await Promise.all(checkouts.map(async (id) => (await desk.atStripe(id)).refunded));
    expect(amounts.reduce((sum, one) => sum + one, 0)).toBe(4_500);
  });
});
