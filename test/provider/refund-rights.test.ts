import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureTypes } from '../../contracts/failures.js';
import type { RefundGrant, RefundRequest } from '../../contracts/refund.js';
import type { SignedDecision } from '../../providers/approval/decision-token.js';
import {
  type ActivityBench,
  activityBench,
  failureOf,
  testDecisions,
  testSeal,
} from '../support/activity-bench.js';
import { grantedRefund, paid, sealedRefund } from '../support/sealed-refund.js';
import { type StandIns, startStandIns } from '../support/stand-ins.js';

let standIns: StandIns;
let bench: ActivityBench;
let payment: Awaited<ReturnType<typeof paid>>;
beforeAll(async () => {
  standIns = await startStandIns();
  bench = activityBench({ stripeBase: standIns.url });
  payment = await paid(bench, 1_000_000);
});
afterAll(() => standIns.close());

interface Order {
  request: RefundRequest;
  grant?: RefundGrant | undefined;
}

/** What becomes of an order, and how often money was asked for by it. */
async function submit({ request, grant }: Order, decision?: Partial<SignedDecision>) {
  const signedDecision =
    decision &&
    (await testDecisions.sign({
      tenantId: request.tenantId,
      refundId: request.refundId,
      requestHash: request.requestHash,
      decision: 'approved',
      decidedBy: 'key:decides',
      ...decision,
    }));
  const outcome = await bench
    .run('submitRefund', { request, grant, signedDecision, attempt: 1 })
    .then(({ kind }) => kind)
    .catch(async (error: unknown) => (await failureOf(Promise.reject(error as Error))).type);
  const sent = (await standIns.requests()).filter(
    ({ path, params }) => path.startsWith('/v1/refunds') && Object.values(params).includes(request.refundId),
  );
  return [outcome, sent.length];
}

const given = ['refunded', 1];
const turnedDown = [failureTypes.notOurs, 0];

/** Of a payment of its own: needs a person. */
const held = async (more: Partial<RefundRequest> = {}) =>
  grantedRefund(bench, { ...(await paid(bench, 9_000)), amount: 8_000, ...more });
/** Of a payment of its own: needs nobody, unless the customer had more within the day. */
const small = async (customerInDay = 0) =>
  grantedRefund(bench, { ...(await paid(bench, 9_000)), amount: 3_000 }, { customerInDay });

describe('where the money leaves', () => {
  test.each<[string, Partial<RefundRequest>, Partial<SignedDecision>]>([
    ['by another person', { requestedBySubject: 'omar' }, { decidedBySubject: 'dana' }],
    ['by the link of another person', { requestedBySubject: 'omar' }, { decidedBy: 'person:dana' }],
    ['by another key, before people were recorded', {}, {}],
  ])('an approval %s is one', async (_name, asked, decided) => {
    expect(await submit(await held(asked), decided)).toEqual(given);
  });

  test.each<[string, Partial<RefundRequest>, Partial<SignedDecision>]>([
    ['by another key of who asked', { requestedBySubject: 'dana' }, { decidedBySubject: 'dana' }],
    ['by the link of who asked', { requestedBySubject: 'dana' }, { decidedBy: 'person:dana' }],
    ['by the same key', {}, { decidedBy: 'key:asks' }],
    ['by the same key for somebody else', {}, { decidedBy: 'key:asks', decidedBySubject: 'omar' }],
    ['that names nobody, signed before people were recorded', { requestedBySubject: 'dana' }, {}],
    ['of something smaller', {}, { requestHash: 'd'.repeat(64) }],
  ])('an approval %s is none', async (_name, asked, decided) => {
    expect(await submit(await held(asked), decided)).toEqual(turnedDown);
  });

  test('a request from which its person was taken away is none', async () => {
    const { request, grant } = await held({ requestedBySubject: 'dana' });
    const { requestedBySubject: _taken, ...edited } = request;
    expect(await submit({ request: edited, grant }, { decidedBySubject: 'dana' })).toEqual(turnedDown);
  });

  test('what is small goes without a person', async () => {
    expect(await submit(await small())).toEqual(given);
  });

  test('what is small alone, but not with what the customer had, goes with a person only', async () => {
    expect(await submit(await small(3_000))).toEqual(turnedDown);
    expect(await submit(await small(3_000), {})).toEqual(given);
  });

  test.each<[string, (order: Order, other: Order) => Order]>([
    ['without its grant', ({ request }) => ({ request })],
    ['with the grant of another request', ({ request }, { grant }) => ({ request, grant })],
    [
      'with a verdict that was changed',
      ({ request, grant }) => ({ request, grant: grant && { ...grant, verdict: 'automatic' } }),
    ],
    ['called one from before there were grants', ({ request }) => ({ request: { ...request, v: 1 } })],
  ])('nothing goes %s', async (_name, edit) => {
    expect(await submit(edit(await small(3_000), await small()))).toEqual(turnedDown);
  });

  test('of all that is left, no other amount goes than the one that was let through', async () => {
    const { request, grant } = await grantedRefund(bench, {
      ...(await paid(bench, 4_000)),
      rest: true,
      amount: 0,
    });
    expect(request.amount).toBe(4_000);
    expect(await submit({ request: { ...request, amount: 2_000 }, grant })).toEqual(turnedDown);
    const changed = grant && { ...grant, amount: 2_000 };
    expect(await submit({ request: { ...request, amount: 2_000 }, grant: changed })).toEqual(turnedDown);
    expect(await submit({ request, grant })).toEqual(given);
  });

  test('an approval of all that was left is none of what is left later', async () => {
    const wish = { ...(await paid(bench, 9_000)), rest: true, amount: 0 };
    const more = await grantedRefund(bench, wish);
    const less = await grantedRefund(bench, wish, { pendingOfPayment: 1_000 });
    expect([more.request.amount, less.request.amount]).toEqual([9_000, 8_000]);
    expect(await submit(more, { requestHash: less.request.requestHash })).toEqual(turnedDown);
  });

  test('a request from before there were grants goes by its own amount', async () => {
    const before = { v: 1, requestHash: 'c'.repeat(64), ...payment } as const;
    expect(await submit({ request: sealedRefund({ ...before, amount: 3_000 }) })).toEqual(given);
    expect(await submit({ request: sealedRefund({ ...before, amount: 8_000 }) })).toEqual(turnedDown);
    expect(await submit({ request: sealedRefund({ ...before, amount: 8_000 }) }, {})).toEqual(given);
  });
});

describe('a grant', () => {
  test('is given to the ledger of the customer only', async () => {
    const request = sealedRefund({ ...payment, amount: 3_000 });
    const sums = { pendingOfPayment: 0, refundedOfPayment: 0, customerInDay: 0 };
    const asked = { sums, requestedAt: Date.now() };
    const other = { ...request, customerKey: 'cu_2' };
    expect(await bench.run('examineRefundRequest', { request: other, ...asked })).toBeUndefined();
    const sealed = { ...other, seal: testSeal.seal(other) };
    expect(await bench.run('examineRefundRequest', { request: sealed, ...asked })).toBeUndefined();
    expect(await bench.run('examineRefundRequest', { request, ...asked })).toHaveProperty('grant');
  });

  test('is given for no payment but that of the checkout, whatever its run shows', async () => {
    const { paymentIntent } = payment;
    const { id: foreign } = await bench.stripe.paymentIntents.create({ amount: 3_000, currency: 'usd' });
    await bench.stripe.paymentIntents.confirm(foreign, { payment_method: 'pm_card_visa' });
    for (const one of [paymentIntent, foreign])
      expect((await grantedRefund(bench, { paymentIntent: one, amount: 1_000 })).grant).toBeUndefined();
  });

  test.each([-1_000_000, Number.NaN, '0'])('is not widened by a book that shows %s', async (sum) => {
    const sums = { pendingOfPayment: sum, refundedOfPayment: sum, customerInDay: sum } as never;
    expect((await grantedRefund(bench, { ...payment, amount: 8_000 }, sums)).grant?.verdict).toBe(
      'needs_approval',
    );
  });
});
