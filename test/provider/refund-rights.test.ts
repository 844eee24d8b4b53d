import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureTypes } from '../../contracts/failures.js';
import type { RefundRequest } from '../../contracts/refund.js';
import type { SignedDecision } from '../../providers/approval/decision-token.js';
import {
  type ActivityBench,
  activityBench,
  failureOf,
  newCheckout,
  testDecisions,
  testSeal,
} from '../support/activity-bench.js';
import { startStandIns } from '../support/stand-ins.js';

let standIns: Awaited<ReturnType<typeof startStandIns>>;
let bench: ActivityBench;
beforeAll(async () => {
  standIns = await startStandIns();
  bench = activityBench({ stripeBase: standIns.url });
});
afterAll(() => standIns.close());

const refundId = `rf_${'a'.repeat(30)}`;
const requestHash = 'c'.repeat(64);

/** Above the threshold, sealed as the API does it, for a payment that Stripe does not know: nobody gets further than that. */
function sealed(more: Partial<RefundRequest>): RefundRequest {
  const request = {
    ...newCheckout(),
    v: 1 as const,
    requestId: 'request',
    refundId,
    customerKey: 'cu_1',
    paymentIntent: 'pi_absent1',
    rest: false,
    amount: 8_000,
    currency: 'usd',
    reason: 'requested_by_customer' as const,
    callId: 'call',
    description: 'Growth plan',
    locale: 'en-US',
    livemode: false,
    requestHash,
    requestedBy: 'key:asks',
    policy: { threshold: { usd: 5_000 } },
    approval: { deadlineMs: 1, remindAfterMs: 1, escalateAfterMs: 1, approvers: [] },
    announce: false,
    ...more,
  };
  return { ...request, seal: testSeal.seal(request) };
}

async function submit(request: RefundRequest, decision: Partial<SignedDecision>) {
  const signedDecision = await testDecisions.sign({
    tenantId: request.tenantId,
    refundId,
    requestHash,
    decision: 'approved',
    decidedBy: 'key:decides',
    ...decision,
  });
  const { type } = await failureOf(bench.run('submitRefund', { request, signedDecision, attempt: 1 }));
  const sent = (await standIns.requests()).filter(({ params }) =>
    Object.values(params).includes(request.checkoutId),
  );
  return [type, sent.length];
}

describe('where the money leaves', () => {
  test.each<[string, Partial<RefundRequest>, Partial<SignedDecision>]>([
    ['by another person', { requestedBySubject: 'omar' }, { decidedBySubject: 'dana' }],
    ['by the link of another person', { requestedBySubject: 'omar' }, { decidedBy: 'person:dana' }],
    ['by another key, before people were recorded', {}, {}],
  ])('an approval %s is one', async (_name, asked, decided) => {
    expect(await submit(sealed(asked), decided)).toEqual([failureTypes.requestRefused, 1]);
  });

  test.each<[string, Partial<RefundRequest>, Partial<SignedDecision>]>([
    ['by another key of who asked', { requestedBySubject: 'dana' }, { decidedBySubject: 'dana' }],
    ['by the link of who asked', { requestedBySubject: 'dana' }, { decidedBy: 'person:dana' }],
    ['by the same key', {}, { decidedBy: 'key:asks' }],
    ['by the same key for somebody else', {}, { decidedBy: 'key:asks', decidedBySubject: 'omar' }],
    ['that names nobody, signed before people were recorded', { requestedBySubject: 'dana' }, {}],
  ])('an approval %s is none', async (_name, asked, decided) => {
    expect(await submit(sealed(asked), decided)).toEqual([failureTypes.notOurs, 0]);
  });

  test('a request from which its person was taken away is none', async () => {
    const { requestedBySubject: _taken, ...request } = sealed({ requestedBySubject: 'dana' });
    expect(await submit(request, { decidedBySubject: 'dana' })).toEqual([failureTypes.notOurs, 0]);
  });
});
