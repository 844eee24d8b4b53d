import { afterAll, beforeAll, expect, test } from 'vitest';
import { keyLifetime } from '../../domain/idempotency-key.js';
import { requestHash } from '../../providers/approval/request-hash.js';
import { type ActivityBench, activityBench } from '../support/activity-bench.js';
import { grantedRefund, paid } from '../support/sealed-refund.js';
import { type StandIns, startStandIns } from '../support/stand-ins.js';

let standIns: StandIns;
let bench: ActivityBench;
beforeAll(async () => {
  standIns = await startStandIns();
  bench = activityBench({ stripeBase: standIns.url });
});
afterAll(() => standIns.close());

const made = async (paymentIntent: string) =>
  (await bench.stripe.refunds.list({ payment_intent: paymentIntent })).data.map(({ amount }) => amount);

/** A refund that Stripe has, with the order by which it was made. */
async function madeRefund(requestedAt?: number) {
  const payment = await paid(bench, 4_900);
  const order = await grantedRefund(bench, { ...payment, amount: 1_000 }, {}, requestedAt);
  const reading = await bench.run('submitRefund', { ...order, attempt: 1 });
  return { paymentIntent: payment.paymentIntent, order, reading };
}

test('a refund is made once under the keys of several attempts', async () => {
  const { paymentIntent, order, reading } = await madeRefund();
  for (const attempt of [2, 0, 7]) {
    expect(await bench.run('submitRefund', { ...order, attempt })).toEqual(reading);
  }
  expect(await made(paymentIntent)).toEqual([1_000]);
});

test('a refund whose key Stripe may have forgotten is looked for, and a younger one is not', async () => {
  const looks = async () =>
    (await standIns.requests()).filter(({ method, path }) => method === 'GET' && path === '/v1/refunds')
      .length;
  const before = await looks();
  const young = await madeRefund();
  expect(await bench.run('submitRefund', { ...young.order, attempt: 1 })).toEqual(young.reading);
  expect((await looks()) - before).toBe(1);
  const old = await madeRefund(Date.now() - keyLifetime);
  expect(await bench.run('submitRefund', { ...old.order, attempt: 1 })).toEqual(old.reading);
  expect((await looks()) - before).toBe(4);
});

test('a time that was changed by hand makes nothing young', async () => {
  const { paymentIntent, order, reading } = await madeRefund(Date.now() - keyLifetime);
  const grant = order.grant && { ...order.grant, requestedAt: Date.now() };
  expect(await bench.run('submitRefund', { ...order, grant, attempt: 1 })).toEqual(reading);
  expect(await made(paymentIntent)).toEqual([1_000]);
});

test('the same request again, of which nobody else knows any more, finds what Stripe has and is granted nothing', async () => {
  const { paymentIntent, order, reading } = await madeRefund();
  const { request } = order;
  const examined = await bench.run('examineRefundRequest', {
    request: { ...request, requestHash: '' },
    sums: { pendingOfPayment: 0, refundedOfPayment: 0, customerInDay: 0 },
    requestedAt: Date.now(),
  });
  expect(examined).toMatchObject({
    made: { amount: 1_000, requestHash: requestHash({ ...request, paymentIntent }) },
  });
  expect(examined?.made?.refund).toBe('refund' in reading && reading.refund);
  expect(examined).not.toHaveProperty('grant');
});

test('a claim of fraud that no person approved puts nobody on Stripe’s block list', async () => {
  const payment = await paid(bench, 4_900);
  const order = await grantedRefund(bench, { ...payment, amount: 1_000, reason: 'fraudulent' });
  await bench.run('submitRefund', { ...order, attempt: 1 });
  const [refund] = (await bench.stripe.refunds.list({ payment_intent: payment.paymentIntent })).data;
  expect(refund).toMatchObject({ amount: 1_000, reason: 'requested_by_customer' });
});
