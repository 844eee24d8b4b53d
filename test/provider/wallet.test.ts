import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureTypes } from '../../contracts/failures.js';
import {
  type ActivityBench,
  activityBench,
  failureOf,
  newCheckout,
  testOwnership,
} from '../support/activity-bench.js';
import { type StandIns, startStandIns } from '../support/stand-ins.js';

let standIns: StandIns;
let bench: ActivityBench;
beforeAll(async () => {
  standIns = await startStandIns();
  bench = activityBench({ stripeBase: standIns.url });
});
afterAll(() => standIns.close());

const route = '/v1/link/agent_authorizations';
const request = (changes: object = {}) => ({
  ...newCheckout(),
  amount: 4900,
  currency: 'usd',
  description: 'Growth plan',
  contact: { email: 'ada@example.com' },
  attempt: 1,
  ...changes,
});
async function asked(given = request()): Promise<typeof given & { authorization: string }> {
  const answer = await bench.run('requestWalletApproval', given);
  if (answer.kind !== 'asked') throw new Error(`the wallet was not asked: ${answer.reason}`);
  return { ...given, authorization: answer.authorization };
}
const approve = (id: string, choice: object = {}) =>
  standIns.act(`/agent_authorizations/${id}/approve`, choice);
const postsOf = async (key: string) =>
  (await standIns.requests()).filter(
    ({ method, idempotency_key }) => method === 'POST' && idempotency_key?.includes(key),
  );

describe('asking the wallet', () => {
  test('sends amount, words for the caller and our mark', async () => {
    const given = request();
    await asked(given);
    const [sent] = await postsOf(given.checkoutId);
    expect(sent).toMatchObject({
      path: route,
      idempotency_key: `test:checkout/acme/${given.checkoutId}:wallet.request:1`,
      params: {
        amount: '4900',
        currency: 'usd',
        agent_intent: 'Acme: Growth plan',
        'customer[email]': 'ada@example.com',
        'metadata[vc_checkout]': given.checkoutId,
      },
    });
    expect(sent?.params).not.toHaveProperty('customer[phone]');
  });

  test('asks by phone when there is no e-mail address', async () => {
    const given = request({ contact: { phone: '+15550123001' } });
    await asked(given);
    expect((await postsOf(given.checkoutId))[0]?.params).toMatchObject({ 'customer[phone]': '+15550123001' });
  });

  test('again is the same request with the same key, and the same authorization', async () => {
    const given = request();
    const first = await asked(given);
    const second = await bench.run('requestWalletApproval', given, 5);
    expect(second).toEqual({ kind: 'asked', authorization: first.authorization });
    const [one, two] = await postsOf(given.checkoutId);
    expect(two).toMatchObject({ idempotency_key: one?.idempotency_key, params: one?.params, replayed: true });
  });

  test('in another business attempt has another key', async () => {
    const given = request();
    const first = await asked(given);
    const second = await asked({ ...given, attempt: 2 });
    expect(second.authorization).not.toBe(first.authorization);
  });

  test('whose answer is lost, and again, leaves one authorization', async () => {
    const given = request({ contact: { email: 'lost@example.com' } });
    await standIns.loseAnswers(`POST ${route}`);
    const failure = await failureOf(bench.run('requestWalletApproval', given));
    expect(failure).toMatchObject({ type: failureTypes.vendorUnavailable, nonRetryable: false });
    const { authorization } = await asked(given);
    const response = await fetch(`${standIns.url}/_local/agent_authorizations?email=lost@example.com`);
    const { data } = (await response.json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual([authorization]);
  });

  test('of a caller without a wallet, or where the API does not exist, says unreachable', async () => {
    const without = request({ contact: { email: 'ada@nolink.test' } });
    const unreachable = { kind: 'unavailable', reason: 'unreachable' };
    expect(await bench.run('requestWalletApproval', without)).toEqual(unreachable);
    await standIns.fault({ route: `POST ${route}`, kind: 'status', status: 404, times: 1 });
    expect(await bench.run('requestWalletApproval', request())).toEqual(unreachable);
  });

  test('for more than the wallet takes says over_limit', async () => {
    const answer = await bench.run('requestWalletApproval', request({ amount: 60_000 }));
    expect(answer).toEqual({ kind: 'unavailable', reason: 'over_limit' });
  });
});

describe('reading an approval', () => {
  test('that waits is open', async () => {
    expect(await bench.run('readWalletApproval', await asked())).toEqual({ kind: 'open' });
  });

  test('that brought a payment reads the payment', async () => {
    const ref = await asked();
    await approve(ref.authorization);
    expect(await bench.run('readWalletApproval', ref)).toMatchObject({
      kind: 'paid',
      amount: 4900,
      currency: 'usd',
    });
  });

  test('that brought a payment without our mark reads it and marks it, once', async () => {
    const ref = await asked();
    const { payment_intent } = await approve(ref.authorization, { bare: true });
    const paymentIntent = String(payment_intent);
    for (let reads = 0; reads < 2; reads += 1)
      expect(await bench.run('readWalletApproval', ref)).toMatchObject({ kind: 'paid', amount: 4900 });
    const expand = { expand: ['latest_charge'] };
    const { metadata, latest_charge: charge } = await bench.stripe.paymentIntents.retrieve(
      paymentIntent,
      expand,
    );
    expect(metadata).toEqual(testOwnership.mark(ref));
    expect(charge).toMatchObject({ metadata });
    const marked = (await standIns.requests()).filter(
      ({ method, path }) => method === 'POST' && path === `/v1/payment_intents/${paymentIntent}`,
    );
    expect(marked).toHaveLength(1);
    expect(await bench.run('readCharge', { ...ref, paymentIntent })).toMatchObject({ kind: 'paid' });
  });

  test('that brought a payment which was declined is refused', async () => {
    const ref = await asked();
    await approve(ref.authorization, { outcome: 'insufficient_funds' });
    expect(await bench.run('readWalletApproval', ref)).toMatchObject({ kind: 'refused', reason: 'declined' });
  });

  test('that brought a token names it, and one that brought nothing says so', async () => {
    const token = await asked();
    await approve(token.authorization, { grants: 'shared_payment_token' });
    const fact = await bench.run('readWalletApproval', token);
    expect(fact).toEqual({ kind: 'approved', token: expect.stringMatching(/^spt_/) as string });
    const nothing = await asked();
    await approve(nothing.authorization, { grants: 'nothing' });
    expect(await bench.run('readWalletApproval', nothing)).toEqual({ kind: 'approved' });
  });

  test('that was declined is refused, with nothing left to shut', async () => {
    const ref = await asked();
    await standIns.act(`/agent_authorizations/${ref.authorization}/decline`);
    expect(await bench.run('readWalletApproval', ref)).toEqual({
      kind: 'refused',
      reason: 'declined',
      live: false,
    });
  });

  test('of another checkout is not ours', async () => {
    const { authorization } = await asked();
    const failure = await failureOf(bench.run('readWalletApproval', { ...newCheckout(), authorization }));
    expect(failure).toMatchObject({ type: failureTypes.notOurs, nonRetryable: true });
  });

  test('that Stripe does not know is refused for good', async () => {
    const ref = { ...newCheckout(), authorization: 'laa_none' };
    const failure = await failureOf(bench.run('readWalletApproval', ref));
    expect(failure).toMatchObject({ type: failureTypes.requestRefused, nonRetryable: true });
  });
});

describe('withdrawing a request', () => {
  test('that waits leaves it dead, also when it is done again or its answer was lost', async () => {
    const ref = await asked();
    await standIns.loseAnswers(`POST ${route}/:id/cancel`);
    await failureOf(bench.run('cancelWalletApproval', ref));
    expect(await bench.run('cancelWalletApproval', ref)).toEqual({ kind: 'dead' });
    expect(await bench.run('cancelWalletApproval', { ...ref, attempt: 2 })).toEqual({ kind: 'dead' });
  });

  test('that was approved meanwhile reads what it became: paid', async () => {
    const ref = await asked();
    await approve(ref.authorization);
    expect(await bench.run('cancelWalletApproval', ref)).toMatchObject({ kind: 'paid', amount: 4900 });
  });

  test('that was approved meanwhile reads what it became: a token', async () => {
    const ref = await asked();
    await approve(ref.authorization, { grants: 'shared_payment_token' });
    expect(await bench.run('cancelWalletApproval', ref)).toMatchObject({ kind: 'approved' });
  });

  test('of which only hearsay knows is left as it is when it is not ours', async () => {
    const theirs = await asked();
    const ours = request();
    const failure = await failureOf(
      bench.run('cancelWalletApproval', { ...ours, authorization: theirs.authorization, hearsay: true }),
    );
    expect(failure.type).toBe(failureTypes.notOurs);
    expect(await bench.run('readWalletApproval', theirs)).toEqual({ kind: 'open' });
    expect(await bench.run('cancelWalletApproval', { ...theirs, hearsay: true })).toEqual({ kind: 'dead' });
  });
});
