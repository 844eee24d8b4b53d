import Stripe from 'stripe';
import { beforeEach, describe, expect, test } from 'vitest';
import { createStandIns, type StandIns } from '../../local/simulators/stand-ins.js';
import { paySession } from '../../local/simulators/stripe/checkout-sessions.js';
import { inProcessStripe } from '../support/in-process-vendors.js';
import { VirtualClock } from '../support/virtual-clock.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let clock: VirtualClock;
let standIns: StandIns;
let stripe: Stripe;
/** What our side answers to a webhook. */
let taken: boolean;

beforeEach(() => {
  taken = true;
  clock = new VirtualClock(Date.UTC(2030, 0, 1));
  standIns = createStandIns({
    ...{ clock, stripeWebhook: { url: 'https://api.example.com/webhooks/stripe', secret: 'whsec_1' } },
    post: () => Promise.resolve(taken),
  });
  const httpClient = inProcessStripe(standIns.stripe, clock);
  stripe = new Stripe('sk_test_lists', { httpClient, maxNetworkRetries: 0, telemetry: false });
});

const ids = (list: readonly { id: string }[]): string[] => list.map(({ id }) => id);

async function newPayment(options: { paid?: boolean; account?: string } = {}): Promise<string> {
  const on = options.account === undefined ? {} : { stripeAccount: options.account };
  const { id } = await stripe.paymentIntents.create({ amount: 4_900, currency: 'usd' }, on);
  if (options.paid !== false) await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' }, on);
  return id;
}

async function newSession(): Promise<string> {
  const { id } = await stripe.checkout.sessions.create({
    ...{ mode: 'payment', success_url: 'https://example.com/thanks' },
    line_items: [
      { quantity: 1, price_data: { currency: 'usd', unit_amount: 4_900, product_data: { name: 'Plan' } } },
    ],
  });
  return id;
}

function pay(id: string, outcome = 'succeeded'): void {
  const record = standIns.world.state.sessions[id];
  if (record === undefined) throw new Error(`no session ${id}`);
  paySession(standIns.world, record, outcome);
}

/** One each hour, oldest first; `since` is the time of the second one. */
async function hourly(
  make: () => Promise<string>,
  count: number,
): Promise<{ made: string[]; since: number }> {
  const made: string[] = [];
  let since = 0;
  for (let i = 0; i < count; i += 1) {
    await clock.advance(HOUR);
    if (i === 1) since = clock.seconds();
    made.push(await make());
  }
  return { made, since };
}

describe('payments', () => {
  test('since a time are listed newest first, over pages, with their charges', async () => {
    const { made, since } = await hourly(() => newPayment(), 5);
    const listed = await stripe.paymentIntents
      .list({ created: { gte: since }, limit: 2, expand: ['data.latest_charge'] })
      .autoPagingToArray({ limit: 100 });
    expect(ids(listed)).toEqual(made.slice(1).reverse());
    expect(listed.map(({ latest_charge }) => latest_charge)).toMatchObject(
      listed.map(() => ({ object: 'charge', paid: true, amount_captured: 4_900 })),
    );
    const first = await stripe.paymentIntents.list({ created: { gte: since }, limit: 2 });
    expect([first.data.length, first.has_more]).toEqual([2, true]);
    const last = await stripe.paymentIntents.list({ limit: 2, starting_after: made[2] ?? '' });
    expect([ids(last.data), last.has_more]).toEqual([[made[1], made[0]], false]);
  });

  test('that were never attempted have no charge to expand', async () => {
    await newPayment({ paid: false });
    const { data } = await stripe.paymentIntents.list({ expand: ['data.latest_charge'] });
    expect(data.map(({ latest_charge }) => latest_charge)).toEqual([null]);
  });

  test('of another account are in its list only', async () => {
    const own = await newPayment();
    const other = await newPayment({ account: 'acct_1' });
    expect(ids((await stripe.paymentIntents.list()).data)).toEqual([own]);
    expect(ids((await stripe.paymentIntents.list({}, { stripeAccount: 'acct_1' })).data)).toEqual([other]);
  });

  test.each([
    ['a time that is none', { 'created[gte]': 'yesterday' }],
    ['a limit beyond 100', { limit: 101 }],
    ['an expansion that does not begin with data', { 'expand[0]': 'latest_charge' }],
    ['a cursor nobody knows', { starting_after: 'pi_none' }],
    ['a filter Stripe does not have', { status: 'succeeded' }],
  ])('are not listed by %s', async (_what, params) => {
    const query = new URLSearchParams(
      Object.entries(params).map(([name, value]): [string, string] => [name, String(value)]),
    );
    await expect(stripe.rawRequest('GET', `/v1/payment_intents?${query.toString()}`)).rejects.toThrow(
      Stripe.errors.StripeInvalidRequestError,
    );
  });

  test('take new metadata beside what they have; an empty value removes its key', async () => {
    const { id } = await stripe.paymentIntents.create({
      ...{ amount: 4_900, currency: 'usd', metadata: { kept: '1', changed: '1', removed: '1' } },
    });
    const metadata = { changed: '2', removed: '', added: '2' };
    const updated = await stripe.paymentIntents.update(id, { metadata });
    expect(updated.metadata).toEqual({ kept: '1', changed: '2', added: '2' });
    expect((await stripe.paymentIntents.retrieve(id)).metadata).toEqual(updated.metadata);
    expect((await stripe.paymentIntents.update(id, { metadata: '' })).metadata).toEqual({});
    await expect(stripe.paymentIntents.update('pi_none', { metadata })).rejects.toMatchObject({
      code: 'resource_missing',
    });
  });
});

describe('pages', () => {
  test('are listed since a time and by status, with their payments', async () => {
    const { made, since } = await hourly(newSession, 4);
    const [, second = '', third = '', fourth = ''] = made;
    pay(second);
    pay(third, 'declined');
    await stripe.checkout.sessions.expire(third);
    const listed = await stripe.checkout.sessions
      .list({ created: { gte: since }, limit: 1, expand: ['data.payment_intent'] })
      .autoPagingToArray({ limit: 100 });
    expect(listed.map(({ id, status, payment_intent }) => [id, status, payment_intent])).toMatchObject([
      [fourth, 'open', null],
      [third, 'expired', { status: 'canceled' }],
      [second, 'complete', { status: 'succeeded' }],
    ]);
    const complete = await stripe.checkout.sessions.list({ status: 'complete' });
    expect(ids(complete.data)).toEqual([second]);
    const payment = standIns.world.state.sessions[second]?.object.payment_intent;
    const byPayment = await stripe.checkout.sessions.list({ payment_intent: payment as string });
    expect(ids(byPayment.data)).toEqual([second]);
    await expect(stripe.checkout.sessions.list({ status: 'paid' })).rejects.toMatchObject({
      param: 'status',
    });
  });

  test('that reached their end are no longer listed as open', async () => {
    const id = await newSession();
    await clock.advance(DAY);
    expect((await stripe.checkout.sessions.list({ status: 'open' })).data).toEqual([]);
    expect(ids((await stripe.checkout.sessions.list({ status: 'expired' })).data)).toEqual([id]);
  });
});

test('refunds are listed since a time, over pages, and by payment', async () => {
  const payment = await newPayment();
  const other = await newPayment();
  const { made, since } = await hourly(
    async () => (await stripe.refunds.create({ payment_intent: payment, amount: 100 })).id,
    4,
  );
  const late = (await stripe.refunds.create({ payment_intent: other })).id;
  const listed = await stripe.refunds
    .list({ created: { gte: since }, limit: 2, expand: ['data.charge'] })
    .autoPagingToArray({ limit: 100 });
  expect(ids(listed)).toEqual([late, ...made.slice(1).reverse()]);
  expect(listed[0]?.charge).toMatchObject({ object: 'charge', refunded: true });
  const byPayment = await stripe.refunds.list({ payment_intent: other, created: { gte: since } });
  expect(ids(byPayment.data)).toEqual([late]);
});

describe('events', () => {
  const failed = (params: Stripe.EventListParams = {}) =>
    stripe.events.list({ ...params, delivery_success: false, limit: 1 }).autoPagingToArray({ limit: 100 });

  test('whose webhooks did not arrive are listed by kind and time, until they do', async () => {
    standIns.plumbing.faults.add({ webhook: 'lose', type: 'payment_intent.succeeded', times: 2 });
    await newPayment();
    await clock.advance(HOUR);
    const since = clock.seconds();
    const lost = await newPayment();
    await clock.advance(1_000);
    const listed = await failed({ created: { gte: since } });
    expect(listed.map(({ type, data: { object } }) => [type, (object as { id: string }).id])).toEqual([
      ['payment_intent.succeeded', lost],
    ]);
    expect(await failed()).toHaveLength(2);
    expect(await failed({ types: ['checkout.session.completed', 'payment_intent.succeeded'] })).toHaveLength(
      2,
    );
    expect(await failed({ types: ['checkout.session.completed'] })).toEqual([]);
    expect(await failed({ type: 'payment_intent.*' })).toHaveLength(2);

    taken = false;
    const refused = await newPayment({ paid: false });
    await clock.advance(100);
    expect((await failed({ type: 'payment_intent.created' })).map(({ data }) => data.object)).toMatchObject([
      { id: refused },
    ]);
    taken = true;
    await clock.advance(HOUR);
    expect(await failed({ type: 'payment_intent.created' })).toEqual([]);
  });

  test('that were refused for three days are given up and stay listed', async () => {
    taken = false;
    await newPayment({ paid: false });
    await clock.advance(4 * DAY);
    taken = true;
    await clock.advance(DAY);
    expect(await failed()).toHaveLength(1);
  });

  test('are listed for thirty days', async () => {
    await newPayment({ paid: false });
    await clock.advance(30 * DAY - HOUR);
    expect((await stripe.events.list()).data).toHaveLength(1);
    await clock.advance(HOUR);
    expect((await stripe.events.list()).data).toEqual([]);
  });

  test('are asked for by one type or by some, not by both', async () => {
    const both = stripe.events.list({ type: 'charge.failed', types: ['charge.succeeded'] });
    await expect(both).rejects.toMatchObject({ statusCode: 400, param: 'type' });
  });
});
