import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureTypes } from '../../contracts/failures.js';
import { type ActivityBench, activityBench, failureOf, newCheckout } from '../support/activity-bench.js';
import { type StandIns, startStandIns } from '../support/stand-ins.js';

let standIns: StandIns;
let bench: ActivityBench;
beforeAll(async () => {
  standIns = await startStandIns();
  bench = activityBench({ stripeBase: standIns.url });
});
afterAll(() => standIns.close());

const base = { amount: 4900, currency: 'usd', description: 'Growth plan', attempt: 1 };

/** A PaymentIntent and an approved token whose use has this outcome. */
async function readyToConfirm(outcome = 'succeeded', amount = 4900) {
  const given = { ...newCheckout(), ...base, amount };
  const contact = { email: 'ada@example.com' };
  const answer = await bench.run('requestWalletApproval', { ...given, contact });
  if (answer.kind !== 'asked') throw new Error('the wallet was not asked');
  const choice = { grants: 'shared_payment_token', outcome };
  const approved = await standIns.act(`/agent_authorizations/${answer.authorization}/approve`, choice);
  const { paymentIntent } = await bench.run('createCharge', given);
  return { ...given, paymentIntent, token: String(approved['shared_payment_granted_token']) };
}
const chargesOf = async (intent: string) =>
  (await standIns.ledger()).charges.filter(({ payment_intent }) => payment_intent === intent);
const sent = async (path: string) =>
  (await standIns.requests()).filter((one) => one.method === 'POST' && one.path === path);

describe('a charge', () => {
  test('is created inert: nothing is charged', async () => {
    const given = { ...newCheckout(), ...base };
    const { paymentIntent } = await bench.run('createCharge', given);
    expect(await bench.run('readCharge', { ...given, paymentIntent })).toEqual({ kind: 'open' });
    expect(await chargesOf(paymentIntent)).toEqual([]);
    const posts = (await sent('/v1/payment_intents')).filter(
      (one) => one.params['metadata[vc_checkout]'] === given.checkoutId,
    );
    expect(posts.map(({ params }) => params['confirm'])).toEqual([undefined]);
  });

  test('created again, also after a lost answer, is one PaymentIntent', async () => {
    const given = { ...newCheckout(), ...base };
    await standIns.loseAnswers('POST /v1/payment_intents');
    await failureOf(bench.run('createCharge', given));
    const first = await bench.run('createCharge', given, 2);
    expect(await bench.run('createCharge', given, 3)).toEqual(first);
    const { data } = await bench.stripe.paymentIntents.list({ limit: 100 });
    expect(data.filter(({ metadata }) => metadata['vc_checkout'] === given.checkoutId)).toHaveLength(1);
  });

  test('is confirmed by id, with the token, under one key', async () => {
    const ref = await readyToConfirm();
    const paid = { kind: 'paid', paymentIntent: ref.paymentIntent, amount: 4900, currency: 'usd' };
    expect(await bench.run('confirmCharge', ref)).toEqual(paid);
    expect(await bench.run('confirmCharge', ref, 2)).toEqual(paid);
    const posts = await sent(`/v1/payment_intents/${ref.paymentIntent}/confirm`);
    expect(posts.map(({ idempotency_key, replayed }) => [idempotency_key, replayed])).toEqual([
      [`test:checkout/acme/${ref.checkoutId}:charge.confirm:${ref.paymentIntent}:1`, false],
      [`test:checkout/acme/${ref.checkoutId}:charge.confirm:${ref.paymentIntent}:1`, true],
    ]);
    expect(posts[0]?.params).toEqual({ 'payment_method_data[shared_payment_granted_token]': ref.token });
  });

  test('whose confirmation was answered to nobody is charged once', async () => {
    const ref = await readyToConfirm();
    await standIns.loseAnswers('POST /v1/payment_intents/:id/confirm');
    const failure = await failureOf(bench.run('confirmCharge', ref));
    expect(failure).toMatchObject({ type: failureTypes.vendorUnavailable, nonRetryable: false });
    expect(await bench.run('confirmCharge', ref, 2)).toMatchObject({ kind: 'paid' });
    expect(await chargesOf(ref.paymentIntent)).toHaveLength(1);
  });

  test('confirmed again under another key is charged once, and reads paid', async () => {
    const ref = await readyToConfirm();
    await bench.run('confirmCharge', ref);
    expect(await bench.run('confirmCharge', { ...ref, attempt: 2 })).toMatchObject({ kind: 'paid' });
    expect(await chargesOf(ref.paymentIntent)).toHaveLength(1);
  });

  test.each([
    ['generic_decline', 'declined'],
    ['insufficient_funds', 'declined'],
    ['expired_card', 'declined'],
    ['authentication_required', 'needs_authentication'],
  ])('that is refused with %s is a value: %s', async (code, reason) => {
    const ref = await readyToConfirm(code);
    const refused = { kind: 'refused', reason, live: true, paymentIntent: ref.paymentIntent, code };
    expect(await bench.run('confirmCharge', ref)).toEqual(refused);
    expect(await bench.run('confirmCharge', ref, 2)).toEqual(refused);
    expect(await bench.run('readCharge', ref)).toEqual(refused);
  });

  test('that takes its time is processing', async () => {
    const ref = await readyToConfirm('processing');
    const fact = { kind: 'processing', paymentIntent: ref.paymentIntent };
    expect(await bench.run('confirmCharge', ref)).toEqual(fact);
    expect(await bench.run('cancelCharge', ref)).toEqual(fact);
  });

  test('with a token that is spent or unknown stays open', async () => {
    const ref = await readyToConfirm();
    expect(await bench.run('confirmCharge', { ...ref, token: 'spt_none' })).toEqual({ kind: 'open' });
    expect(await chargesOf(ref.paymentIntent)).toEqual([]);
  });

  test('that is canceled can never be paid, however often it is canceled', async () => {
    const ref = await readyToConfirm();
    await standIns.loseAnswers('POST /v1/payment_intents/:id/cancel');
    await failureOf(bench.run('cancelCharge', ref));
    expect(await bench.run('cancelCharge', ref, 2)).toEqual({ kind: 'dead' });
    expect(await bench.run('cancelCharge', { ...ref, attempt: 2 })).toEqual({ kind: 'dead' });
    expect(await bench.run('confirmCharge', ref)).toEqual({ kind: 'dead' });
  });

  test('that was paid before it is canceled reads paid', async () => {
    const ref = await readyToConfirm();
    await bench.run('confirmCharge', ref);
    expect(await bench.run('cancelCharge', ref)).toMatchObject({ kind: 'paid', amount: 4900 });
  });
});

describe('the payment of a hosted page', () => {
  async function onPage() {
    const checkout = newCheckout();
    const expiresAt = Math.floor(Date.now() / 1_000) + 31 * 60;
    const page = { ...checkout, amount: 4_900, currency: 'usd', description: 'Growth plan', expiresAt };
    const { session } = await bench.run('openPaymentPage', { ...page, attempt: 1 });
    const pay = async (outcome: string) => {
      const { payment_intent } = await standIns.act(`/checkout_sessions/${session}/pay`, { outcome });
      return { ...checkout, paymentIntent: String(payment_intent), attempt: 1 };
    };
    return { checkout, session, pay };
  }

  test('that was declined is shut with its page', async () => {
    const { pay, checkout, session } = await onPage();
    expect(await bench.run('cancelCharge', await pay('declined'))).toEqual({ kind: 'dead' });
    expect(await bench.run('readPaymentPage', { ...checkout, session })).toEqual({ kind: 'dead' });
  });

  test('that failed at the bank is over, for the page is used up', async () => {
    const { pay } = await onPage();
    const ref = await pay('processing');
    await standIns.act(`/payment_intents/${ref.paymentIntent}/settle`, { outcome: 'failed' });
    expect(await bench.run('cancelCharge', ref)).toMatchObject({ kind: 'refused', live: false });
  });

  test('that was made reads paid', async () => {
    const { pay } = await onPage();
    expect(await bench.run('cancelCharge', await pay('succeeded'))).toMatchObject({ kind: 'paid' });
  });
});

describe('a request whose connection is reset', () => {
  test('is sent once by one try of its activity: what is refused is what was sent', async () => {
    const { paymentIntent } = await readyToConfirm();
    const cancels = async () =>
      (await standIns.requests()).filter(({ path }) => path.endsWith(`${paymentIntent}/cancel`)).length;
    await standIns.loseAnswers('POST /v1/payment_intents/:id/cancel');
    const failure = await failureOf(
      bench.run('cancelCharge', { ...newCheckout(), paymentIntent, attempt: 1 }),
    );
    expect(failure.type).toBe(failureTypes.vendorUnavailable);
    expect(await cancels()).toBe(1);
  });
});

describe('a charge that is not of this checkout', () => {
  const foreign = async () => (await bench.stripe.paymentIntents.create({ amount: 700, currency: 'usd' })).id;

  test('is not ours when it is read', async () => {
    const ref = { ...newCheckout(), paymentIntent: await foreign() };
    expect(await failureOf(bench.run('readCharge', ref))).toMatchObject({ type: failureTypes.notOurs });
  });

  test('is not ours when it cannot be canceled', async () => {
    const paymentIntent = await foreign();
    await bench.stripe.paymentIntents.confirm(paymentIntent, { payment_method: 'pm_card_visa' });
    const ref = { ...newCheckout(), paymentIntent, attempt: 1 };
    expect(await failureOf(bench.run('cancelCharge', ref))).toMatchObject({ type: failureTypes.notOurs });
  });
});
