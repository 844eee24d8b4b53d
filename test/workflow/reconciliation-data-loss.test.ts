import { expect, inject } from 'vitest';
import { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { replayAll } from '../support/world/invariants.js';
import { payLate } from '../support/world/late-money.js';
import { reconcile, told } from '../support/world/reconcile.js';
import { RefundDesk } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';
import { startWorld, type World } from '../support/world/world.js';

const test = checkoutTest();

const onlyLink = { rails: ['paymentLink'] };

/** The same caller at the system that has lost everything. */
function again(caller: Caller, world: World): Caller {
  const twin = new Caller(world, { tenant: caller.tenant, phone: caller.phone ?? null });
  return Object.assign(twin, { ref: caller.ref, callId: caller.callId });
}

test('a Temporal that lost everything learns from Stripe what was paid, given back and left open', async ({
  newCaller,
  world: lost,
}) => {
  const sinceMs = Date.now() - 1_000;
  const [byWallet, onPage, opener, twice, approver, debited, heardOf, late] = [
    newCaller(),
    newCaller(),
    newCaller(),
    newCaller(),
    newCaller(),
    newCaller(),
    newCaller({ tenant: 'globex' }),
    newCaller({ tenant: 'brisk' }),
  ];
  const wallet = await byWallet.begin();
  await byWallet.reach(wallet, 'awaiting_wallet');
  await lost.standIns.approve(wallet, { grants: 'shared_payment_token' });
  await byWallet.reach(wallet, 'paid');

  const page = await onPage.begin({}, onlyLink);
  await onPage.reach(page, 'awaiting_link');
  await lost.standIns.pay(page);
  await onPage.reach(page, 'paid');
  const desk = new RefundDesk(onPage);
  const refund = await desk.request(page, { amount: 900 });
  await desk.reach(refund.refund_id, 'refunded');
  await desk.refundedShown(page, 900);

  const canceled = await twice.begin({}, onlyLink);
  await twice.reach(canceled, 'awaiting_link');
  await twice.cancel(canceled);
  await twice.reach(canceled, 'canceled');
  const second = await twice.begin({}, onlyLink);
  await twice.reach(second, 'awaiting_link');
  await lost.standIns.pay(second);
  await twice.reach(second, 'paid');

  /** One attempt in vain, and a second one that a bank debit is under way for. */
  const debit = async (caller: Caller) => {
    const inVain = await caller.begin({}, onlyLink);
    await caller.reach(inVain, 'awaiting_link');
    await caller.cancel(inVain);
    await caller.reach(inVain, 'canceled');
    const underWay = await caller.begin({}, onlyLink);
    await caller.reach(underWay, 'awaiting_link');
    await lost.standIns.pay(underWay, 'processing');
    await caller.reach(underWay, 'processing');
    return { inVain, underWay };
  };
  const debits = { acme: await debit(debited), globex: await debit(heardOf) };

  const expired = await late.begin({}, onlyLink);
  await late.reach(expired, 'expired');

  const open = await opener.begin({}, onlyLink);
  await opener.reach(open, 'awaiting_link');
  opener.leavesOpen.add(open);

  const approved = await approver.begin();
  await approver.reach(approved, 'awaiting_wallet');

  // Nothing of the old system works from here on.
  await Promise.all([...lost.workers].map((worker) => worker.stop()));
  // A second payment that a person gives back by hand is newer than the payment, and was not what it was paid with.
  await payLate(lost, page);
  const { id: copy } = await lost.standIns.session(page);
  const { payment_intent: beside } = await lost.stripe.checkout.sessions.retrieve(copy);
  await lost.stripe.refunds.create({ payment_intent: typeof beside === 'string' ? beside : '' });
  // Stripe is told that the webhook arrived; the run that it was for is lost, and its payment carries no mark.
  await lost.standIns.approve(approved, { grants: 'payment', bare: true });
  const workflowBundle = inject('workflowBundle');
  const world = await startWorld({
    temporalAddress: inject('temporalAddress'),
    workflowBundle,
    successorOf: lost,
  });
  try {
    const customers = {
      byWallet: again(byWallet, world),
      onPage: again(onPage, world),
      twice: again(twice, world),
      approver: again(approver, world),
      debited: again(debited, world),
      heardOf: again(heardOf, world),
    };
    expect((await customers.byWallet.get(wallet)).status).toBe(404);

    const result = await reconcile(world, 'acme', { sinceMs });
    expect(result.reported).toBe(0);
    expect(told(result, wallet)).toEqual(['payment_without_run repaired']);
    expect(told(result, page).sort()).toEqual([
      'payment_without_run repaired',
      'refund_without_run repaired',
    ]);
    expect(told(result, open)).toEqual(['live_page repaired']);
    expect(told(result, approved)).toEqual(['payment_without_run repaired']);
    expect(await reconcile(world, 'brisk', { sinceMs })).toMatchObject({ differences: [] });

    const paid = { state: 'paid', amount: 4_900, currency: 'usd', amount_captured: 4_900 };
    expect((await customers.byWallet.get(wallet)).body).toMatchObject({ ...paid, amount_refunded: 0 });
    expect((await customers.approver.get(approved)).body).toMatchObject(paid);
    expect((await customers.onPage.get(page)).body).toMatchObject({ ...paid, amount_refunded: 900 });
    expect(await customers.onPage.quote()).toMatchObject({
      status: 409,
      body: { code: 'already_paid', checkout_id: page },
    });
    expect(told(result, canceled)).toEqual(['attempt_lost repaired']);
    expect((await customers.twice.get(canceled)).body).toMatchObject({
      state: 'expired',
      amount_captured: 0,
    });
    expect(await customers.twice.quote()).toMatchObject({
      status: 409,
      body: { code: 'already_paid', checkout_id: second },
    });
    expect(await world.standIns.pay(open)).toBe(false);

    // What is under way may still pay it, and is not sold beside it.
    expect(told(result, debits.acme.inVain)).toEqual(['attempt_lost repaired']);
    expect(await customers.debited.begin({}, onlyLink)).toBe(debits.acme.underWay);
    await world.standIns.settle(debits.acme.underWay, 'succeeded');
    await customers.debited.reach(debits.acme.underWay, 'paid');
    // A webhook is faster than the pass: the attempt before is known to be lost all the same.
    await world.standIns.settle(debits.globex.underWay, 'succeeded');
    await until('the run to be there again', async () => {
      const { body } = await customers.heardOf.get(debits.globex.underWay);
      return body.state === 'paid';
    });
    expect((await customers.heardOf.get(debits.globex.inVain)).body).toMatchObject({ state: 'expired' });
    expect(await reconcile(world, 'globex', { sinceMs })).toMatchObject({ differences: [] });
    expect(await customers.heardOf.quote()).toMatchObject({
      status: 409,
      body: { code: 'already_paid', checkout_id: debits.globex.underWay },
    });

    // Money that comes after all that is no longer taken for what the lost attempt was paid with.
    await payLate(world, canceled);
    await until('the late money to go back', async () => {
      const { body } = await customers.twice.get(canceled);
      return body.late_payment?.state === 'refunded';
    });

    const afterwards = new RefundDesk(customers.onPage);
    const restored = await afterwards.reach(refund.refund_id, 'refunded');
    const { checkout_id, amount, currency, reason, request_hash, requested_by } = refund;
    expect(restored).toMatchObject({ checkout_id, amount, currency, reason, request_hash, requested_by });
    expect((await afterwards.ask(page, { amount: 4_100 })).body).toMatchObject({
      code: 'exceeds_refundable',
    });
    const rest = await afterwards.request(page, { amount: 4_000 });
    await afterwards.reach(rest.refund_id, 'refunded');
    await afterwards.refundedShown(page, 4_900);

    expect(await reconcile(world, 'acme', { sinceMs })).toMatchObject({ differences: [] });
    await replayAll(world, workflowBundle);
  } finally {
    await world.close();
    await lost.startWorker();
  }
  for (const caller of [byWallet, onPage, opener, twice, approver, debited, heardOf])
    caller.checkouts.clear();
});
