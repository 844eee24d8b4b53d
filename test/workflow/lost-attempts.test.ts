import { expect } from 'vitest';
import type { Caller, Checkout } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { payLate } from '../support/world/late-money.js';
import { loseRun } from '../support/world/lose-run.js';
import { reconcile } from '../support/world/reconcile.js';
import { until } from '../support/world/until.js';

const test = checkoutTest();

const onlyLink = { rails: ['paymentLink'] };

const late =
  (state: string) =>
  ({ late_payment }: Pick<Checkout, 'late_payment'>) =>
    late_payment?.state === state;

interface Purchase {
  caller: Caller;
  first: string;
  second: string;
}

/** Two attempts at one purchase; the second one begins when `end` has brought the first one to its end. */
async function twoAttempts(
  caller: Caller,
  end: (caller: Caller, id: string) => Promise<unknown>,
  wish: (first: string) => object = () => ({}),
): Promise<Purchase> {
  const first = await caller.begin({}, onlyLink);
  await end(caller, first);
  const second = await caller.begin(wish(first), onlyLink);
  return { caller, first, second };
}

const lose = ({ world, tenant }: Caller, id: string) => loseRun(world, world.handleOf(tenant, id).workflowId);

const isThere = (caller: Caller, id: string) =>
  until('its run to be there again', async () => (await caller.get(id)).status === 200);

// Deleting takes Temporal half a minute: all that is to be forgotten is so at once.
test(
  'attempts that Temporal has forgotten are not sold again, nor taken for paid beside a later one',
  {
    timeout: 180_000,
  },
  async ({ newCaller, world }) => {
    const sinceMs = Date.now() - 1_000;
    const expire = (caller: Caller, id: string) => caller.reach(id, 'expired');
    const cancel = async (caller: Caller, id: string) => {
      await caller.reach(id, 'awaiting_link');
      await caller.cancel(id);
      await caller.reach(id, 'canceled');
    };
    const pay = async (caller: Caller, id: string) => {
      await caller.reach(id, 'awaiting_link');
      await world.standIns.pay(id);
      await caller.reach(id, 'paid');
    };
    const [secondFirst, firstFirst, unheard, inVain, bought] = await Promise.all([
      twoAttempts(newCaller({ tenant: 'obliging' }), expire),
      twoAttempts(newCaller({ tenant: 'obliging' }), expire),
      twoAttempts(newCaller({ tenant: 'brisk' }), expire),
      twoAttempts(newCaller(), cancel),
      twoAttempts(newCaller(), pay, (after) => ({ after })),
    ]);
    for (const { caller, second } of [secondFirst, firstFirst, unheard])
      await caller.reach(second, 'expired');
    for (const { caller, second } of [inVain, bought]) await caller.reach(second, 'awaiting_link');
    await Promise.all([
      ...[secondFirst, firstFirst, unheard].map(({ caller, first }) => lose(caller, first)),
      ...[inVain, bought].flatMap(({ caller, first, second }) => [lose(caller, first), lose(caller, second)]),
    ]);

    {
      // Late money of the second attempt is kept: what comes for the first one goes back, though nothing is known of its end.
      const { caller, first, second } = secondFirst;
      await payLate(world, second);
      await caller.reach(second, late('honoured'));
      await payLate(world, first);
      await isThere(caller, first);
      expect(await caller.reach(first, late('refunded'))).toMatchObject({
        state: 'expired',
        amount_captured: 0,
        late_payment: { because: 'newer_attempt' },
      });
    }
    {
      const { caller, first, second } = firstFirst;
      await payLate(world, first);
      await isThere(caller, first);
      await caller.reach(first, late('honoured'));
      await payLate(world, second);
      expect(await caller.reach(second, late('refunded'))).toMatchObject({
        late_payment: { because: 'second_payment' },
      });
    }
    {
      // A pass finds it as well.
      const { caller, first } = unheard;
      await world.standIns.fault({ webhook: 'lose', times: 1_000 });
      await payLate(world, first);
      await reconcile(world, 'brisk', { sinceMs });
      expect(await caller.reach(first, late('refunded'))).toMatchObject({ state: 'expired' });
      await world.standIns.clearFaults();
    }
    {
      // The webhook is faster than any pass: the number of the attempt before is taken all the same.
      const { caller, first, second } = inVain;
      await world.standIns.pay(second);
      await isThere(caller, second);
      await caller.reach(second, 'paid');
      expect((await caller.get(first)).body).toMatchObject({ state: 'expired', amount_captured: 0 });
      expect(await caller.quote()).toMatchObject({
        status: 409,
        body: { code: 'already_paid', checkout_id: second },
      });
    }
    {
      // That attempt was paid, which Stripe still tells.
      const { caller, first, second } = bought;
      await world.standIns.pay(second);
      await isThere(caller, second);
      await caller.reach(second, 'paid');
      await caller.reach(first, 'paid');
      expect((await caller.get(first)).body).toMatchObject({ state: 'paid', amount_captured: 4_900 });
    }
  },
);
