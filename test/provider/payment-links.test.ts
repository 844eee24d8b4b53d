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

const expiresAt = Math.floor(Date.now() / 1_000) + 31 * 60;
const request = (changes: object = {}) => ({
  ...newCheckout(),
  amount: 4900,
  currency: 'usd',
  description: 'Growth plan',
  expiresAt,
  attempt: 1,
  ...changes,
});
async function opened(given = request()) {
  return { ...given, ...(await bench.run('openPaymentPage', given)) };
}
const pay = (session: string, outcome = 'succeeded') =>
  standIns.act(`/checkout_sessions/${session}/pay`, { outcome });
const isLive = async (id: string) => (await standIns.ledger()).live_instruments.some((one) => one.id === id);

describe('a payment page', () => {
  test('has the amount and nothing on it that could change the amount', async () => {
    const given = request();
    await opened(given);
    const sent = (await standIns.requests()).find(
      ({ params }) => params['client_reference_id'] === given.checkoutId,
    );
    expect(sent?.idempotency_key).toBe(`test:checkout/acme/${given.checkoutId}:link.create:1`);
    expect(sent?.params).toMatchObject({
      mode: 'payment',
      'line_items[0][quantity]': '1',
      'line_items[0][price_data][unit_amount]': '4900',
      'line_items[0][price_data][currency]': 'usd',
      'adaptive_pricing[enabled]': 'false',
      allow_promotion_codes: 'false',
      'automatic_tax[enabled]': 'false',
      expires_at: String(expiresAt),
      success_url: 'https://example.com/thanks',
      'metadata[vc_checkout]': given.checkoutId,
      'payment_intent_data[metadata][vc_checkout]': given.checkoutId,
    });
  });

  test('opened again, also after a lost answer, is one page', async () => {
    const given = request();
    await standIns.loseAnswers('POST /v1/checkout/sessions');
    const failure = await failureOf(bench.run('openPaymentPage', given));
    expect(failure).toMatchObject({ type: failureTypes.vendorUnavailable, nonRetryable: false });
    const first = await bench.run('openPaymentPage', given, 2);
    expect(await bench.run('openPaymentPage', given, 3)).toEqual(first);
    const { data } = await bench.stripe.checkout.sessions.list({ limit: 100 });
    expect(data.filter((one) => one.client_reference_id === given.checkoutId).map(({ id }) => id)).toEqual([
      first.session,
    ]);
  });

  test('is read as open, with the decline that happened on it, and as paid after that', async () => {
    const ref = await opened();
    expect(await bench.run('readPaymentPage', ref)).toEqual({ kind: 'open' });
    await pay(ref.session, 'insufficient_funds');
    const declined = {
      id: expect.stringMatching(/^(ch|pi)_/) as string,
      reason: 'declined',
      code: 'insufficient_funds',
    };
    expect(await bench.run('readPaymentPage', ref)).toEqual({ kind: 'open', decline: declined });
    await pay(ref.session);
    expect(await bench.run('readPaymentPage', ref)).toMatchObject({
      kind: 'paid',
      amount: 4900,
      currency: 'usd',
    });
  });

  test('paid from a bank is processing until the bank says', async () => {
    const ref = await opened();
    await pay(ref.session, 'processing');
    const fact = await bench.run('readPaymentPage', ref);
    expect(fact).toMatchObject({ kind: 'processing' });
    expect(await bench.run('closePaymentPage', ref)).toEqual(fact);
  });

  test('that is closed is dead, however often it is closed and whatever answer is lost', async () => {
    const ref = await opened();
    await standIns.loseAnswers('POST /v1/checkout/sessions/:id/expire');
    await failureOf(bench.run('closePaymentPage', ref));
    expect(await bench.run('closePaymentPage', ref, 2)).toEqual({ kind: 'dead' });
    expect(await bench.run('closePaymentPage', { ...ref, attempt: 2 })).toEqual({ kind: 'dead' });
    expect(await isLive(ref.session)).toBe(false);
  });

  test('that was paid before it is closed reads paid', async () => {
    const ref = await opened();
    await pay(ref.session);
    expect(await bench.run('closePaymentPage', ref)).toMatchObject({ kind: 'paid', amount: 4900 });
  });

  test('is read alike at a Stripe that does not expand what it is asked to', async () => {
    const plain = activityBench({ stripeBase: standIns.url, ignoresExpand: true });
    const [bought, late, refused, unused] = [await opened(), await opened(), await opened(), await opened()];
    await pay(bought.session);
    expect(await plain.run('readPaymentPage', bought)).toMatchObject({ kind: 'paid', amount: 4900 });
    expect(await plain.run('closePaymentPage', bought)).toMatchObject({ kind: 'paid', amount: 4900 });
    const { payment_intent } = await pay(late.session, 'processing');
    const ref = { ...late, paymentIntent: String(payment_intent), attempt: 1 };
    expect(await plain.run('closePaymentPage', late)).toMatchObject({ kind: 'processing' });
    expect(await plain.run('cancelCharge', ref)).toMatchObject({ kind: 'processing' });
    await pay(refused.session, 'insufficient_funds');
    expect(await plain.run('readPaymentPage', refused)).toMatchObject({
      kind: 'open',
      decline: { code: 'insufficient_funds' },
    });
    expect(await plain.run('closePaymentPage', unused)).toEqual({ kind: 'dead' });
  });

  test('of another checkout, or without our mark, is not ours', async () => {
    const { session } = await opened();
    const notOurs = { type: failureTypes.notOurs, nonRetryable: true };
    expect(await failureOf(bench.run('readPaymentPage', { ...newCheckout(), session }))).toMatchObject(
      notOurs,
    );
    const foreign = await bench.stripe.checkout.sessions.create({
      mode: 'payment',
      success_url: 'https://example.com',
      line_items: [
        { quantity: 1, price_data: { currency: 'usd', unit_amount: 900, product_data: { name: 'Other' } } },
      ],
    });
    const ref = { ...newCheckout(), session: foreign.id };
    expect(await failureOf(bench.run('readPaymentPage', ref))).toMatchObject(notOurs);
  });

  test('is not opened with an amount Stripe refuses: repeating cannot help', async () => {
    const failure = await failureOf(bench.run('openPaymentPage', request({ amount: 10 })));
    expect(failure).toMatchObject({ type: failureTypes.requestRefused, nonRetryable: true });
    expect(failure.details).toEqual([expect.objectContaining({ status: 400, code: 'amount_too_small' })]);
  });
});
