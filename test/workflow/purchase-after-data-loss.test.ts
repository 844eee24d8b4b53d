import { expect, inject } from 'vitest';
import type { CheckoutMemo } from '../../contracts/checkout.js';
import { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { replayAll } from '../support/world/invariants.js';
import { payLate } from '../support/world/late-money.js';
import { until } from '../support/world/until.js';
import { startWorld, type World } from '../support/world/world.js';

const test = checkoutTest();

const onlyLink = { rails: ['paymentLink'] };

type EightCallers = [Caller, Caller, Caller, Caller, Caller, Caller, Caller, Caller];

/** What a checkout says that it was paid with. */
async function paymentOf(world: World, checkoutId: string): Promise<string | undefined> {
  const { memo } = await world.handleOf('acme', checkoutId).describe();
  return (memo as unknown as CheckoutMemo).state.instrument?.paymentIntent;
}

/** The same caller in another call, at the system that has lost everything. */
function again(caller: Caller, world: World): Caller {
  const twin = new Caller(world, { tenant: caller.tenant, phone: caller.phone ?? null });
  return Object.assign(twin, { ref: caller.ref });
}

test('a purchase that is made again after a data loss shuts what the lost run had opened, and takes the money for it', async ({
  newCaller,
  world: lost,
}) => {
  const [onPage, denied, asked, twice, dearer, dearerUnheard, approved, copied] = Array.from(
    { length: 8 },
    () => newCaller(),
  ) as EightCallers;
  const page = await onPage.begin({}, onlyLink);
  await onPage.reach(page, 'awaiting_link');

  const both = await denied.begin();
  await denied.reach(both, 'awaiting_wallet');
  await lost.standIns.deny(both);
  await denied.reach(both, 'awaiting_link');

  const wallet = await asked.begin();
  await asked.reach(wallet, 'awaiting_wallet');

  const cheap = await dearer.begin({ amount: 4_800 });
  await dearer.reach(cheap, 'awaiting_wallet');
  const cheapToo = await dearerUnheard.begin({ amount: 4_800 });
  await dearerUnheard.reach(cheapToo, 'awaiting_wallet');

  const pages = await twice.begin({}, onlyLink);
  await twice.reach(pages, 'awaiting_link');

  const answered = await approved.begin();
  await approved.reach(answered, 'awaiting_wallet');

  const original = await copied.begin({}, onlyLink);
  await copied.reach(original, 'awaiting_link');
  expect(await lost.standIns.pay(original)).toBe(true);
  await copied.reach(original, 'paid');
  const own = await paymentOf(lost, original);
  await payLate(lost, original);
  await until('the copy to go back', async () => {
    const { body } = await copied.get(original);
    return body.late_payment?.state === 'refunded';
  });

  const session = async (id: string) => (await lost.standIns.session(id)).id;
  const old = { page: await session(page), both: await session(both), pages: await session(pages) };
  // Nothing of the old system works from here on.
  await Promise.all([...lost.workers].map((worker) => worker.stop()));
  await payLate(lost, pages);
  // Stripe is told that the webhook arrived; the run that it was for is lost, and its payment carries no mark.
  await lost.standIns.approve(answered, { grants: 'payment', bare: true });
  const workflowBundle = inject('workflowBundle');
  const temporalAddress = inject('temporalAddress');
  const world = await startWorld({ temporalAddress, workflowBundle, successorOf: lost });
  try {
    const isShut = async (id: string) => (await world.stripe.checkout.sessions.retrieve(id)).status;
    const callers = [
      again(onPage, world),
      again(denied, world),
      again(asked, world),
      again(twice, world),
      again(dearer, world),
      again(approved, world),
      again(copied, world),
      again(dearerUnheard, world),
    ] as const;

    expect(await callers[0].begin({}, onlyLink)).toBe(page);
    await callers[0].reach(page, 'awaiting_link');
    expect(await isShut(old.page)).toBe('expired');
    expect(await session(page)).not.toBe(old.page);
    expect(await world.standIns.pay(page)).toBe(true);
    await callers[0].reach(page, 'paid');

    // A page was open, so the wallet had been answered: it may be asked again.
    expect(await callers[1].begin()).toBe(both);
    await callers[1].reach(both, 'awaiting_wallet');
    expect(await isShut(old.both)).toBe('expired');
    expect(await world.standIns.approve(both, { grants: 'payment' })).toBe(true);
    await callers[1].reach(both, 'paid');

    // A request that nobody can find: nothing else is opened beside it, and its answer counts.
    expect(await callers[2].begin()).toBe(wallet);
    await callers[2].reach(wallet, 'needs_attention');
    expect(await world.standIns.authorizations(wallet)).toHaveLength(1);
    expect(await world.standIns.approve(wallet, { grants: 'payment' })).toBe(true);
    await callers[2].reach(wallet, 'paid');

    // What was approved is what was agreed to in the call before: not this price, so it goes back.
    const approvesTheOldPrice = async (caller: Caller, id: string) => {
      expect(await caller.begin()).toBe(id);
      await caller.reach(id, 'needs_attention');
      expect(await world.standIns.approve(id, { grants: 'payment' })).toBe(true);
      await caller.reach(id, 'awaiting_link');
      expect(await world.standIns.pay(id)).toBe(true);
      const paid = await caller.reach(id, 'paid');
      expect(paid.amount_captured).toBe(4_900);
      const returned = await until('the other money to go back', async () => {
        const { body } = await caller.get(id);
        return body.late_payment?.state === 'refunded' && body.late_payment;
      });
      expect(returned.amount).toBe(4_800);
    };
    await approvesTheOldPrice(callers[4], cheap);
    // Here nobody hears that Stripe knows the key: the run takes the old request for its own.
    const authorize = 'POST /v1/link/agent_authorizations';
    await world.standIns.fault(
      { route: authorize, kind: 'after_effect_drop' },
      { route: authorize, kind: 'status', status: 401 },
    );
    await approvesTheOldPrice(callers[7], cheapToo);

    expect(await callers[5].begin()).toBe(answered);
    await callers[5].reach(answered, 'paid');
    expect(await world.standIns.authorizations(answered)).toHaveLength(1);

    // The copy is newer than the payment, and is paid for nothing any more.
    expect(await callers[6].begin({}, onlyLink)).toBe(original);
    await callers[6].reach(original, 'paid');
    expect(await paymentOf(world, original)).toBe(own);

    // The newest of two pages was paid: the other one cannot be paid as well.
    expect(await callers[3].begin({}, onlyLink)).toBe(pages);
    await callers[3].reach(pages, 'paid');
    await until('the other page to be shut', async () => (await isShut(old.pages)) === 'expired');

    const { charges } = await world.standIns.ledger();
    for (const id of [page, both, wallet, pages])
      expect(charges.filter(({ metadata }) => metadata['vc_checkout'] === id)).toHaveLength(1);
    await replayAll(world, workflowBundle);
  } finally {
    await world.close();
    await lost.startWorker();
  }
  for (const caller of [onPage, denied, asked, twice, dearer, dearerUnheard, approved, copied])
    caller.checkouts.clear();
});
