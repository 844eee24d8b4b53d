import fc from 'fast-check';
import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { createStandIns, type StandIns } from '../../local/simulators/stand-ins.js';
import { Book, bookBalances, type Posting } from '../../local/simulators/stripe/book.js';
import { paySession, settleIntent } from '../../local/simulators/stripe/checkout-sessions.js';
import { readLedger } from '../../local/simulators/stripe/ledger.js';
import { failRefund } from '../../local/simulators/stripe/refunds.js';
import { StripeRefusal } from '../../local/simulators/stripe/stripe-refusal.js';
import { inProcessStripe } from '../support/in-process-vendors.js';
import { VirtualClock } from '../support/virtual-clock.js';

const accounts = [undefined, 'acct_1'] as const;

/** What happens to one payment, in the order given; what is refused moves nothing. */
type Step =
  | { kind: 'charge'; amount: number; account: number; method: string }
  | { kind: 'page'; amount: number; account: number; outcome: string }
  | { kind: 'settle'; which: number; outcome: string }
  | { kind: 'refund'; which: number; amount: number }
  | { kind: 'fail'; which: number };

const amount = fc.integer({ min: 50, max: 100_000 });
const which = fc.nat(9);
const account = fc.nat(accounts.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    ...{ kind: fc.constant('charge'), amount, account },
    method: fc.constantFrom('pm_card_visa', 'pm_card_visa_chargeDeclined'),
  }),
  fc.record({
    ...{ kind: fc.constant('page'), amount, account },
    outcome: fc.constantFrom('succeeded', 'declined', 'processing'),
  }),
  fc.record({ kind: fc.constant('settle'), which, outcome: fc.constantFrom('succeeded', 'failed') }),
  fc.record({ kind: fc.constant('refund'), which, amount }),
  fc.record({ kind: fc.constant('fail'), which }),
);

const pick = <T>(records: Record<string, T>, index: number): T | undefined =>
  Object.values(records)[index % Math.max(1, Object.keys(records).length)];

async function take(stripe: Stripe, { world }: StandIns, what: Step): Promise<void> {
  const on = (index: number): Stripe.RequestOptions => {
    const stripeAccount = accounts[index];
    return stripeAccount === undefined ? {} : { stripeAccount };
  };
  if (what.kind === 'charge') {
    const intent = await stripe.paymentIntents.create(
      { amount: what.amount, currency: 'eur' },
      on(what.account),
    );
    await stripe.paymentIntents.confirm(intent.id, { payment_method: what.method }, on(what.account));
  } else if (what.kind === 'page') {
    const price_data = {
      ...{ currency: 'usd', unit_amount: what.amount, product_data: { name: 'Growth plan' } },
    };
    const { id } = await stripe.checkout.sessions.create(
      {
        ...{ mode: 'payment', success_url: 'https://example.com/thanks' },
        line_items: [{ quantity: 1, price_data }],
      },
      on(what.account),
    );
    const record = world.state.sessions[id];
    if (record !== undefined) paySession(world, record, what.outcome);
  } else if (what.kind === 'settle') {
    const record = pick(world.state.intents, what.which);
    if (record !== undefined) settleIntent(world, record, what.outcome);
  } else if (what.kind === 'refund') {
    const record = pick(world.state.intents, what.which);
    if (record === undefined) return;
    const { id } = record.object;
    const params = { payment_intent: id, amount: what.amount };
    await stripe.refunds.create(params, record.account === null ? {} : { stripeAccount: record.account });
  } else {
    const record = pick(world.state.refunds, what.which);
    if (record !== undefined) failRefund(world, record);
  }
}

/** By currency and account, as charges and refunds tell it; the book is not asked. */
function toldByObjects({ world, plumbing }: StandIns): Record<string, Record<string, number>> {
  const sums: Record<string, Record<string, number>> = {};
  const move = (
    one: { currency: string; account: string | null; payment_intent: unknown },
    toTenant: number,
  ) => {
    const held = (sums[one.currency] ??= {});
    const lines = {
      [`cardholder:${String(one.payment_intent)}`]: -toTenant,
      [`tenant:${one.account ?? 'platform'}`]: toTenant,
    };
    for (const [name, sum] of Object.entries(lines)) held[name] = (held[name] ?? 0) + sum;
  };
  const { charges, refunds } = readLedger(world.state, plumbing.clock.seconds());
  for (const charge of charges) move(charge, charge.amount);
  for (const refund of refunds) move(refund, refund.status === 'failed' ? 0 : -refund.amount);
  return sums;
}

test('the book always agrees with the charges and refunds, by account and in total', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const clock = new VirtualClock(Date.UTC(2030, 0, 1));
      const standIns = createStandIns({ clock });
      const httpClient = inProcessStripe(standIns.stripe, clock);
      const stripe = new Stripe('sk_test_book', { httpClient, maxNetworkRetries: 0, telemetry: false });
      for (const what of steps) {
        await take(stripe, standIns, what).catch((error: unknown) => {
          if (error instanceof StripeRefusal || error instanceof Stripe.errors.StripeError) return;
          throw error;
        });
        const { postings, totals } = readLedger(standIns.world.state, clock.seconds());
        const balances = bookBalances(postings);
        expect(balances).toEqual(toldByObjects(standIns));
        for (const [currency, held] of Object.entries(balances)) {
          const net = Object.entries(held).filter(([name]) => name.startsWith('tenant:'));
          expect(net.reduce((sum, [, one]) => sum + one, 0)).toBe(totals[currency]?.net);
          // Nobody is given back more than was taken.
          const given = Object.entries(held).filter(
            ([name, one]) => name.startsWith('cardholder:') && one > 0,
          );
          expect(given).toEqual([]);
        }
      }
    }),
    { numRuns: 40 },
  );
});

test('a refund and its failure are postings of their own, and nothing is taken out of the book', async () => {
  const clock = new VirtualClock(Date.UTC(2030, 0, 1));
  const standIns = createStandIns({ clock });
  const httpClient = inProcessStripe(standIns.stripe, clock);
  const stripe = new Stripe('sk_test_book', { httpClient, maxNetworkRetries: 0, telemetry: false });
  const { id } = await stripe.paymentIntents.create({ amount: 4_900, currency: 'usd' });
  await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
  const refund = await stripe.refunds.create({ payment_intent: id, amount: 1_000 });
  const record = standIns.world.state.refunds[refund.id];
  if (record === undefined) throw new Error('no refund');
  await clock.advance(60_000);
  failRefund(standIns.world, record);
  const { postings } = readLedger(standIns.world.state, clock.seconds());
  expect(postings.map(({ number, kind, lines }) => [number, kind, lines.map((line) => line.amount)])).toEqual(
    [
      [1, 'capture', [-4_900, 4_900]],
      [2, 'refund', [1_000, -1_000]],
      [3, 'failed_refund', [-1_000, 1_000]],
    ],
  );
  expect(postings[2]).toMatchObject({ source: refund.id, currency: 'usd', at: clock.seconds() });
  expect(bookBalances(postings)).toEqual({
    usd: { [`cardholder:${id}`]: -4_900, 'tenant:platform': 4_900 },
  });
});

test('a posting that does not sum to zero, or moves no money, is found', () => {
  const book = new Book([], new VirtualClock(0));
  const movement = { source: 'ch_1', paymentIntent: 'pi_1', account: null, currency: 'usd' };
  expect(() => book.capture({ ...movement, amount: 0 })).toThrow('ch_1');
  expect(() => book.refund({ ...movement, amount: 1.5 })).toThrow('ch_1');
  const odd: Posting = {
    ...{ number: 4, at: 0, kind: 'capture', source: 'ch_1', currency: 'usd' },
    lines: [
      { account: 'cardholder:pi_1', amount: -500 },
      { account: 'tenant:platform', amount: 499 },
    ],
  };
  expect(() => bookBalances([odd])).toThrow('posting 4');
});
