import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect } from 'vitest';
import { paymentEventReceived } from '../../contracts/payment-event.js';
import {
  lateRefundId,
  unmatchedPaymentStart,
  unmatchedPaymentWorkflowId,
  unmatchedPaymentWorkflowType,
} from '../../contracts/unmatched-payment.js';
import type { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { payLate } from '../support/world/late-money.js';
import { reconcile, told as differences } from '../support/world/reconcile.js';
import { tenants } from '../support/world/tenants.js';
import { RefundDesk } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const test = checkoutTest({ tenants, webhookTenants: ['brisk', 'obliging'] });

const onlyLink = { rails: ['paymentLink'] };

/** A checkout whose deadline passed, with its page shut. */
async function expired(caller: Caller): Promise<string> {
  const id = await caller.begin({}, onlyLink);
  await caller.reach(id, 'expired');
  return id;
}

const late =
  (state: string) =>
  ({ late_payment }: { late_payment?: { state: string } | undefined }) =>
    late_payment?.state === state;

const lateRun = (caller: Caller, id: string) =>
  caller.world.client.workflow.getHandle(unmatchedPaymentWorkflowId(caller.tenant, id));

async function refundsOf(world: World, checkoutId: string) {
  const { refunds } = await world.standIns.ledger();
  return refunds.filter(({ metadata }) => metadata['vc_checkout'] === checkoutId);
}

/** What webhooks told the checkout's run. */
async function told(caller: Caller, id: string): Promise<string[]> {
  const signals = (await caller.history(id)).flatMap(
    ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.input?.payloads?.[0] ?? [],
  );
  return signals.map((payload) => defaultPayloadConverter.fromPayload<{ kind: string }>(payload).kind);
}

describe('money that comes after the end', () => {
  test('goes back where the policy says refund; caller, tenant and ops are told', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'brisk' });
    const id = await expired(caller);
    const before = (await caller.get(id)).body;
    await payLate(world, id);
    const after = await caller.reach(id, late('refunded'));
    expect(after).toMatchObject({
      state: 'expired',
      amount_captured: 0,
      late_payment: { because: 'policy' },
    });
    expect(after.say).toBe('Your payment of $49.00 came too late, and it was returned to you.');
    expect(after.version).toBeGreaterThan(before.version);
    const [refund, ...more] = await refundsOf(world, id);
    expect(more).toEqual([]);
    expect(refund).toMatchObject({ amount: 4_900, status: 'succeeded' });
    await until('the text', async () =>
      (await world.standIns.messages(caller.phone ?? '')).some(({ body }) =>
        body.includes('came too late and is being returned to you'),
      ),
    );
    expect(await lateRun(caller, id).query('explain')).toContain("the tenant's policy says so");
    const told = await until('the webhooks', async () => {
      const about = (await world.standIns.received()).filter(
        ({ type, payload }) => type === 'checkout.late_payment' && payload.data['checkout_id'] === id,
      );
      return about.length === 2 && about;
    });
    expect(told.map(({ payload }) => payload.data['late_payment'])).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ state: 'refunding', amount: 4_900 }),
        expect.objectContaining({ state: 'refunded', amount: 4_900 }),
      ]),
    );
  });

  test('is kept where the policy says honour, blocks a second purchase and can be given back', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const id = await expired(caller);
    await payLate(world, id);
    const honoured = await caller.reach(id, late('honoured'));
    expect(honoured).toMatchObject({ state: 'expired', amount_captured: 4_900, amount_refunded: 0 });
    expect(honoured.say).toMatch(/^Your payment of \$49.00 for Growth plan has arrived/);
    expect(await caller.quote()).toMatchObject({
      status: 409,
      body: { code: 'already_paid', checkout_id: id },
    });
    const desk = new RefundDesk(caller);
    await desk.reach((await desk.request(id, { amount: 900 })).refund_id, 'refunded');
    await caller.reach(id, ({ amount_refunded }) => amount_refunded === 900);

    // Ended and started anew by hand, its run finds a part given back: what was captured is the same.
    const run = unmatchedPaymentStart(caller.tenant, id);
    await world.client.workflow.getHandle(run.workflowId).terminate('by ops');
    const objectId = (await desk.atStripe(id)).charge.payment_intent;
    await world.client.workflow.signalWithStart(unmatchedPaymentWorkflowType, {
      ...run,
      signal: paymentEventReceived,
      signalArgs: [{ v: 1, id: 'evt_by_hand', kind: 'payment.succeeded', objectId }],
    });
    const again = await until('the new run', async () => {
      const { body } = await caller.get(id);
      return body.late_payment?.state === 'honoured' && body;
    });
    expect(again).toMatchObject({ amount_captured: 4_900, amount_refunded: 900 });
  });

  test('is no longer said to be kept when a request that was under way gives it back', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const id = await expired(caller);
    await payLate(world, id);
    await caller.reach(id, late('honoured'));
    const { charges } = await world.standIns.ledger();
    const paymentIntent =
      charges.find(({ metadata }) => metadata['vc_checkout'] === id)?.payment_intent ?? '';
    // As a run sent it that ops reset, and that judged otherwise.
    const refundId = lateRefundId(paymentIntent);
    const metadata = world.ownership.mark({ tenantId: caller.tenant, checkoutId: id, refundId });
    await world.stripe.refunds.create({ payment_intent: paymentIntent, metadata });
    expect(await caller.reach(id, late('refunded'))).toMatchObject({ amount_captured: 0 });
    expect((await caller.quote()).status).toBe(201);
  });

  test('goes back whatever the policy when the purchase was tried again meanwhile', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const id = await expired(caller);
    const second = await caller.begin({}, { rails: ['linkWallet'] });
    expect(second).not.toBe(id);
    await payLate(world, id);
    await caller.reach(id, late('refunded'));
    await world.standIns.approve(second);
    await caller.reach(second, 'paid');
  });

  test('goes back when it is not what was agreed to', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const id = await expired(caller);
    await payLate(world, id, 9_900);
    const after = await caller.reach(id, late('refunded'));
    expect(after.late_payment).toMatchObject({ because: 'amount_differs', amount: 9_900 });
  });

  test('is honoured once: the next payment of the same checkout goes back', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const id = await expired(caller);
    await payLate(world, id);
    await caller.reach(id, late('honoured'));
    await payLate(world, id);
    await until('the refund', async () => (await refundsOf(world, id)).length === 1);
    expect((await caller.get(id)).body).toMatchObject({ late_payment: { state: 'honoured' } });
  });

  test('that comes a second time for a paid checkout goes back, and the first stays paid', async ({
    customer,
    world,
  }) => {
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
    await payLate(world, id);
    const after = await customer.reach(id, late('refunded'));
    expect(after).toMatchObject({
      state: 'paid',
      amount_captured: 4_900,
      amount_refunded: 0,
      late_payment: { because: 'second_payment' },
    });
    expect(after.say).toMatch(/is confirmed\. .* A second payment was returned to you\.$/);
  });

  test('that is under way is waited for', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'brisk' });
    const id = await expired(caller);
    await payLate(world, id, undefined, 'processing');
    await until('the run', () =>
      lateRun(caller, id)
        .describe()
        .then(
          () => true,
          () => false,
        ),
    );
    expect((await caller.get(id)).body.late_payment).toBeUndefined();
    await world.standIns.settle(id, 'succeeded');
    // A debit goes back as slowly as it came.
    await caller.reach(id, late('refunding'));
    const [refund] = await until('the refund', async () => {
      const refunds = await refundsOf(world, id);
      return refunds.length > 0 && refunds;
    });
    expect(await world.standIns.settleRefund(refund?.id ?? '', 'succeeded')).toBe(true);
    await caller.reach(id, late('refunded'));
  });

  test('is given back once, though the worker loses every answer and Stripe stores an error', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'brisk' });
    const id = await expired(caller);
    const route = 'POST /v1/refunds';
    await world.standIns.fault(
      { route, kind: 'after_effect_drop', times: 3 },
      { route, kind: 'status', status: 500, after_effect: true },
    );
    await payLate(world, id);
    await caller.reach(id, late('refunded'));
    expect(await refundsOf(world, id)).toHaveLength(1);
  });

  test('is said to go back once Stripe has taken the refund, and not when it refuses', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'brisk' });
    const id = await expired(caller);
    await world.standIns.fault({ route: 'POST /v1/refunds', kind: 'status', status: 400, times: 1 });
    await payLate(world, id);
    await caller.reach(id, late('needs_attention'));
    expect(await lateRun(caller, id).query('explain')).toContain('Stripe refused the refund');
    const texts = async () =>
      (await world.standIns.messages(caller.phone ?? '')).filter(({ body }) =>
        body.includes('being returned'),
      );
    // The next payment's text comes after anything that was on its way.
    await payLate(world, id);
    await until('the text', async () => (await texts()).length > 0);
    expect(await refundsOf(world, id)).toHaveLength(1);
    expect(await texts()).toHaveLength(1);
    const { charges } = await world.standIns.ledger();
    const kept = charges.find((one) => one.metadata['vc_checkout'] === id && one.amount_refunded === 0);
    await world.stripe.refunds.create({ payment_intent: kept?.payment_intent ?? '' });
    // Given back, but not by us: what the checks at the end of a test cannot know.
    caller.checkouts.delete(id);
  });

  test('that the bank returns is brought before a person', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'brisk' });
    const id = await expired(caller);
    await payLate(world, id);
    await caller.reach(id, late('refunded'));
    const [refund] = await refundsOf(world, id);
    await world.standIns.failRefund(refund?.id ?? '');
    const after = await caller.reach(id, late('needs_attention'));
    expect(after.say).toBe("I'm still checking on that payment, please don't pay again.");
    expect(await lateRun(caller, id).query('explain')).toContain('the bank returned the refund');
    // Given back in the dashboard, and no webhook tells of it: the next pass sees it.
    await world.standIns.fault({ webhook: 'lose', times: 1_000 });
    await world.stripe.refunds.create({ payment_intent: refund?.payment_intent ?? '' });
    expect(differences(await reconcile(world, 'brisk', { sinceMs: Date.now() - 60_000 }), id)).toEqual([
      'late_payment_needs_attention repaired',
    ]);
    await caller.reach(id, late('refunded'));
  });
});

describe('a run that somebody stopped', () => {
  test('is brought back by the payment that comes for it', async ({ customer, world }) => {
    const id = await customer.begin({}, onlyLink);
    const { version } = await customer.reach(id, 'awaiting_link');
    await world.handleOf('acme', id).terminate('by mistake');
    await world.standIns.pay(id);
    const paid = await customer.reach(id, 'paid');
    expect(paid.version).toBeGreaterThan(version);
    expect(paid).toMatchObject({ amount_captured: 4_900 });
    expect(paid.late_payment).toBeUndefined();
    customer.checkouts.delete(id);
  });

  test('is brought back by an approval, whose payment is adopted', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.handleOf('acme', id).terminate('by mistake');
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    customer.checkouts.delete(id);
  });

  test('is brought back with the second payment that it had been told of', async ({ customer, world }) => {
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'awaiting_link');
    const own = await world.standIns.session(id);
    await payLate(world, id);
    const news = ['payment.succeeded', 'session.completed'];
    await until('the run to be told', async () => (await told(customer, id)).sort().join() === news.join());
    await world.handleOf('acme', id).terminate('by mistake');
    expect(await world.standIns.payPage(own.id)).toBe(true);
    await customer.reach(id, 'paid');
    const after = await customer.reach(id, late('refunded'));
    expect(after).toMatchObject({ state: 'paid', late_payment: { because: 'second_payment' } });
    expect(await refundsOf(world, id)).toHaveLength(1);
    customer.checkouts.delete(id);
  });
});

describe('what anyone can type into Temporal', () => {
  test('moves no money: a payment that is in order, of somebody else, or of no form', async ({
    customer,
    newCaller,
    world,
  }) => {
    const other = newCaller();
    const [mine, theirs] = [await customer.begin(), await other.begin()];
    await world.standIns.approve(mine);
    await world.standIns.approve(theirs);
    await customer.reach(mine, 'paid');
    await other.reach(theirs, 'paid');
    const { charges } = await world.standIns.ledger();
    const intentOf = (id: string) =>
      charges.find(({ metadata }) => metadata['vc_checkout'] === id)?.payment_intent ?? '';
    const signals = [intentOf(mine), intentOf(theirs), 'pi_unknown'].map((objectId, index) => ({
      v: 1,
      id: `typed_${index}`,
      kind: 'payment.succeeded',
      objectId,
    }));
    for (const signal of [...signals, 'nonsense']) {
      // A run of its own for each: one that has nothing to do ends.
      const run = await world.client.workflow.signalWithStart('unmatchedPayment', {
        workflowId: unmatchedPaymentWorkflowId('acme', mine),
        taskQueue: 'checkout',
        args: [{ v: 1, tenantId: 'acme', checkoutId: mine }],
        signal: 'paymentEventReceived',
        signalArgs: [signal],
      });
      expect(await run.result()).toEqual({ version: 0, payments: [] });
    }
    expect(await refundsOf(world, mine)).toEqual([]);
    expect(await refundsOf(world, theirs)).toEqual([]);
  });
});
