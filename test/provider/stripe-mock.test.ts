import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Activities } from '../../activities/activities.js';
import { pricePurchase } from '../../api/quotes/purchase.js';
import { failureTypes } from '../../contracts/failures.js';
import { activityBench, type CheckoutActivity, newCheckout, testSeal } from '../support/activity-bench.js';
import { type RecordedRequest, startRecorder } from '../support/http-recorder.js';
import { type StripeMock, startStripeMock } from '../support/stripe-mock.js';
import { acme } from '../support/test-tenants.js';

/** Every request of every Stripe activity, with the verdict of Stripe's own specification on it. */
let recorded: RecordedRequest[];
let stable: StripeMock;
let preview: StripeMock;
const stops: (() => Promise<void>)[] = [];
let ran: string[];
let activityNames: string[];
let created: Record<string, string>;

/** `POST /v1/things/:id`: an id begins with the prefix of its kind. Ids of fixtures are random and need not hold a digit. */
const routeOf = ({ method, path }: { method: string; path: string }) =>
  `${method} ${path.replace(/\/(?:pi|cs|re|laa|price)_\w+(?=\/|$)/g, '/:id')}`;
const ask = (mock: StripeMock, path: string, params: Record<string, string>) =>
  fetch(`${mock.url}${path}`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_123' },
    body: new URLSearchParams(params),
  });
const isWallet = ({ path }: RecordedRequest) => path.startsWith('/v1/link/');

beforeAll(async () => {
  [stable, preview] = await Promise.all([startStripeMock('stable'), startStripeMock('preview')]);
  // A request that names a preview version is judged by the specification of the preview versions.
  const recorder = await startRecorder((headers) =>
    String(headers['stripe-version']).endsWith('.preview') ? preview.url : stable.url,
  );
  stops.push(recorder.stop, stable.stop, preview.stop);
  const { run, stripe, names } = activityBench({ stripeBase: recorder.url });
  activityNames = names;
  ran = [];
  /** What comes back is a fixture: it may not carry our mark, and the wallet's route is not there. */
  async function perform<Name extends CheckoutActivity>(name: Name, input: Parameters<Activities[Name]>[0]) {
    ran.push(name);
    try {
      return await run(name, input);
    } catch (error) {
      const expected = [failureTypes.notOurs, failureTypes.requestRefused] as string[];
      if (error instanceof ApplicationFailure && expected.includes(error.type ?? '')) return undefined;
      throw error;
    }
  }
  const given = { ...newCheckout(), amount: 4900, currency: 'usd', description: 'Growth plan', attempt: 1 };
  const authorization = 'laa_123';
  for (const contact of [{ email: 'ada@example.com' }, { phone: '+15550123001' }]) {
    await perform('requestWalletApproval', { ...given, contact });
  }
  await perform('readWalletApproval', { ...given, authorization });
  await perform('cancelWalletApproval', { ...given, authorization });
  const charge = await perform('createCharge', given);
  const { paymentIntent } = charge as { paymentIntent: string };
  await perform('confirmCharge', { ...given, paymentIntent, token: 'spt_123' });
  await perform('readCharge', { ...given, paymentIntent });
  await perform('cancelCharge', { ...given, paymentIntent });
  const expiresAt = Math.floor(Date.now() / 1_000) + 31 * 60;
  const page = await perform('openPaymentPage', { ...given, expiresAt });
  const { session } = page as { session: string };
  await perform('readPaymentPage', { ...given, session });
  await perform('closePaymentPage', { ...given, session });
  const refundId = 'rf_0123456789abcdef';
  const order = { ...given, paymentIntent, refundId, reason: 'requested_by_customer' } as const;
  await perform('readRefundable', order);
  const unsealed = {
    ...order,
    v: 2 as const,
    rest: false,
    requestId: 'request',
    customerKey: 'cu_1',
    callId: 'call',
    locale: 'en-US',
    livemode: false,
    requestHash: '',
    requestedBy: 'key:agent',
    policy: { threshold: { usd: 5_000 } },
    approval: { deadlineMs: 1, remindAfterMs: 1, escalateAfterMs: 1, approvers: [] },
    announce: false,
  };
  const request = { ...unsealed, seal: testSeal.seal(unsealed) };
  const sums = { pendingOfPayment: 0, refundedOfPayment: 0, customerInDay: 0 };
  await perform('examineRefundRequest', { request, sums, requestedAt: Date.now() });
  // What stripe-mock shows of a payment may leave nothing to give back: a request from before there were grants needs none.
  const before = { ...unsealed, v: 1 as const };
  const early = { ...before, seal: testSeal.seal(before) };
  const submitted = await perform('submitRefund', { request: early, attempt: 1 });
  await perform('readRefund', {
    ...given,
    refund: submitted && 'refund' in submitted ? submitted.refund : 're_1',
  });
  await perform('findRefund', order);
  // The refund itself is sent by the same code as above; here only what is read before it.
  const lateObjects = [
    ['authorization.approved', authorization],
    ['session.completed', session],
    ['payment.succeeded', paymentIntent],
  ] as const;
  for (const [kind, objectId] of lateObjects)
    await perform('examineLatePayment', { ...given, kind, objectId });
  await perform('findInstruments', { ...given, from: Date.now() - 60_000, until: Date.now() });
  await perform('refundLatePayment', { ...given, paymentIntent, because: 'policy' });
  const listed = { tenantId: given.tenantId, from: Date.now() - 60_000, graceMs: 0, pageSize: 100 };
  for (const source of ['events', 'approvals', 'pages', 'payments', 'attempts', 'refunds'] as const)
    await perform('reconcilePage', { ...listed, source });
  const seen = [
    ['payment', paymentIntent],
    ['page', session],
    ['refund', 're_1'],
  ] as const;
  await perform('lookAgain', {
    tenantId: given.tenantId,
    differences: seen.map(([type, object]) => ({
      kind: 'unreadable',
      type,
      object,
      outcome: 'waiting',
      detail: '',
    })),
  });
  // The one request to Stripe that the API sends itself.
  await pricePurchase({ kind: 'price', price: 'price_123', quantity: 1 }, acme, stripe).catch(
    () => undefined,
  );
  created = { paymentIntent, session };
  recorded = recorder.requests;
}, 180_000);

afterAll(async () => {
  for (const stop of stops) await stop();
});

describe("Stripe's own specification", () => {
  test('is asked about the requests of every activity that talks to Stripe', () => {
    const others = [
      'sendPaymentLink',
      'readMessage',
      'notifyApprover',
      'verifyDecision',
      'deliverTenantWebhook',
      'readRefundRun',
      'reportLatePayment',
      // These read at most a payment, as `examineLatePayment` does.
      'restoreAttempt',
      'restoreCheckout',
      'restoreRefund',
      'startWebhookDelivery',
      'textLatePayment',
      'readReset',
    ];
    expect([...new Set(ran), ...others].sort()).toEqual(activityNames.sort());
    expect(created).toEqual({
      paymentIntent: expect.stringMatching(/^pi_/) as string,
      session: expect.stringMatching(/^cs_/) as string,
    });
  });

  test('knows every route but the wallet’s, which is the only one it answers 404', () => {
    const unknown = recorded.filter(({ status }) => status === 404);
    expect([...new Set(unknown.map(routeOf))].sort()).toEqual([
      'GET /v1/link/agent_authorizations/:id',
      'POST /v1/link/agent_authorizations',
      'POST /v1/link/agent_authorizations/:id/cancel',
    ]);
    expect(unknown.every(isWallet)).toBe(true);
  });

  test('accepts every request on a documented route, but for the one named below', () => {
    const refused = recorded.filter((one) => !isWallet(one) && one.status !== 200);
    expect(refused.map(({ refusal, ...one }) => [routeOf(one), one.params, refusal])).toEqual([
      [
        'POST /v1/payment_intents/:id/confirm',
        { 'payment_method_data[shared_payment_granted_token]': 'spt_123' },
        expect.stringContaining(
          "'payment_method_data' validation failed: object property 'type' is required",
        ) as string,
      ],
    ]);
  });

  /**
   * The exception. Stripe's text pays with `payment_method_data[shared_payment_granted_token]`
   * (docs.stripe.com/changelog/dahlia/2026-04-22/shared-payment-granted-token), and no type fits a token: `card` is not
   * among those of the specification. Still the specification asks for one, and marks that it is not the last word on it
   * (`x-stripeBypassValidation`).
   */
  test('refuses the confirmation with a shared payment token for its missing type and for nothing else', async () => {
    const confirm = recorded.find(({ path }) => path.endsWith('/confirm'));
    expect(confirm?.version).toMatch(/\.preview$/);
    const answer = await ask(preview, `${confirm?.path}`, {
      ...confirm?.params,
      'payment_method_data[type]': 'link',
    });
    expect(answer.status).toBe(200);
  });

  test('would have found a misspelt, a missing and a wrong parameter', async () => {
    const create = recorded.find((one) => routeOf(one) === 'POST /v1/payment_intents');
    const { path, params } = create as RecordedRequest;
    const { amount: _amount, ...without } = params;
    expect((await ask(stable, path, params)).status).toBe(200);
    expect((await ask(stable, path, { ...params, amont: '1' })).status).toBe(400);
    expect((await ask(stable, path, without)).status).toBe(400);
    expect((await ask(stable, path, { ...params, amount: 'much' })).status).toBe(400);
  });

  test('has judged these routes and parameters, as recorded', ({ annotate }) => {
    const routes = new Map<string, Set<string>>();
    for (const one of recorded) {
      const route = `${routeOf(one)} (${one.version}): ${one.status}`;
      const names = routes.get(route) ?? new Set();
      for (const name of Object.keys(one.params)) names.add(name.replace(/\[\d+\]/g, '[]'));
      routes.set(route, names);
    }
    const lines = [...routes].map(([route, names]) => `${route}\n    ${[...names].sort().join(' ')}`);
    process.stdout.write(`Requests to Stripe, as recorded:\n  ${lines.join('\n  ')}\n`);
    expect(routes.size).toBeGreaterThan(0);
    return annotate(lines.join('\n'));
  });
});
