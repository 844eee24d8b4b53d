import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApplicationFailure } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { failureTypes } from '../../contracts/failures.js';
import { type ActivityBench, activityBench, failureOf, newCheckout } from '../support/activity-bench.js';
import { type StandIns, startStandIns } from '../support/stand-ins.js';

let standIns: StandIns;
let bench: ActivityBench;
/** Answers every request alike, with the headers a test wants: Stripe's hints, which the stand-in does not send. */
let server: Server;
let canned: { status: number; headers: Record<string, string>; body: unknown };
let cannedBench: ActivityBench;

beforeAll(async () => {
  standIns = await startStandIns();
  bench = activityBench({ stripeBase: standIns.url });
  server = createServer((request, response) => {
    request.resume();
    response.writeHead(canned.status, { 'content-type': 'application/json', ...canned.headers });
    response.end(JSON.stringify(canned.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cannedBench = activityBench({ stripeBase: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
afterEach(async () => {
  await fetch(`${standIns.url}/_local/faults`, { method: 'DELETE' });
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await standIns.close();
});

const personal = { email: 'ada.lovelace@example.com', phone: '+15559874242' };
const charge = (changes: object = {}) => ({
  ...newCheckout(),
  amount: 4900,
  currency: 'usd',
  description: `for ${personal.email}`,
  attempt: 1,
  ...changes,
});
const text = () => ({
  ...charge(),
  phone: personal.phone,
  url: 'https://pay.test/c/secret-link',
  locale: 'en-US',
});
const everything = ({ message, details, stack, cause }: ApplicationFailure) =>
  JSON.stringify([message, details, stack, String(cause)]);

async function afterStatus(status: number, headers: Record<string, string> = {}, error: object = {}) {
  const body = { error: { type: 'api_error', message: `a message about ${personal.email}`, ...error } };
  canned = { status, headers, body };
  return failureOf(cannedBench.run('createCharge', charge()));
}

describe("Stripe's answer", () => {
  test.each<[number, Record<string, string>, string, boolean]>([
    [500, {}, failureTypes.vendorUnavailable, false],
    [503, {}, failureTypes.vendorUnavailable, false],
    [409, {}, failureTypes.vendorUnavailable, false],
    [429, {}, failureTypes.vendorUnavailable, false],
    [400, {}, failureTypes.requestRefused, true],
    [404, {}, failureTypes.requestRefused, true],
    [401, {}, failureTypes.credentialsRefused, false],
    [403, {}, failureTypes.credentialsRefused, false],
    [500, { 'stripe-should-retry': 'false' }, failureTypes.storedVendorError, true],
    [500, { 'stripe-should-retry': 'true' }, failureTypes.vendorUnavailable, false],
    [400, { 'stripe-should-retry': 'true' }, failureTypes.vendorUnavailable, false],
    [500, { 'idempotent-replayed': 'true' }, failureTypes.storedVendorError, true],
    [
      500,
      { 'idempotent-replayed': 'true', 'stripe-should-retry': 'true' },
      failureTypes.storedVendorError,
      true,
    ],
  ])('%d with %o becomes %s, final: %s', async (status, headers, type, nonRetryable) => {
    const failure = await afterStatus(status, headers);
    expect([failure.type, failure.nonRetryable]).toEqual([type, nonRetryable]);
  });

  test('keeps code, parameter, request id and the try for ops', async () => {
    const failure = await afterStatus(
      400,
      { 'request-id': 'req_1' },
      { code: 'parameter_unknown', param: 'amont' },
    );
    expect(failure.details).toEqual([
      { status: 400, code: 'parameter_unknown', param: 'amont', requestId: 'req_1', attempt: 1 },
    ]);
  });

  test.each([400, 401, 429, 500])(
    '%d brings no message of the vendor and no personal data into the history',
    async (status) => {
      const failure = await afterStatus(status);
      expect(everything(failure)).not.toMatch(/ada|lovelace|a message about/i);
    },
  );

  test.each([
    ['2', 2_000],
    ['30', 30_000],
    ['0', 0],
    ['soon', 0],
    [undefined, 0],
  ])('429 with Retry-After %s is not tried again before %d ms', async (retryAfter, least) => {
    const failure = await afterStatus(429, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(least);
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(50);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(least + 30_000);
  });

  test('that stays away is asked for at growing intervals, of which the longest is 30 s', async () => {
    canned = { status: 500, headers: {}, body: { error: { type: 'api_error', message: '' } } };
    for (const [attempt, least, most] of [
      [1, 50, 100],
      [4, 400, 800],
      [30, 15_000, 30_000],
    ] as const) {
      const failure = await failureOf(cannedBench.run('createCharge', charge(), attempt));
      expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(least);
      expect(failure.nextRetryDelay).toBeLessThanOrEqual(most);
    }
  });

  test('that was an error once and is stored for the key ends the retries', async () => {
    const given = charge();
    await standIns.fault({
      route: 'POST /v1/payment_intents',
      kind: 'status',
      status: 500,
      after_effect: true,
      times: 1,
    });
    const first = await failureOf(bench.run('createCharge', given));
    expect(first).toMatchObject({ type: failureTypes.vendorUnavailable, nonRetryable: false });
    const second = await failureOf(bench.run('createCharge', given, 2));
    expect(second).toMatchObject({ type: failureTypes.storedVendorError, nonRetryable: true });
    expect(await bench.run('createCharge', { ...given, attempt: 2 })).toHaveProperty('paymentIntent');
  });

  test('429 from the stand-in honours its Retry-After too', async () => {
    await standIns.fault({
      route: 'POST /v1/payment_intents',
      kind: 'status',
      status: 429,
      retry_after: 7,
      times: 1,
    });
    const failure = await failureOf(bench.run('createCharge', charge()));
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(7_000);
  });

  test('to the same key with other parameters says, for good, that something was done under it', async () => {
    const given = charge();
    await bench.run('createCharge', given);
    const failure = await failureOf(bench.run('createCharge', { ...given, amount: 5000 }));
    expect(failure).toMatchObject({ type: failureTypes.keyTaken, nonRetryable: true });
  });
});

describe("Twilio's answer", () => {
  test.each([
    [429, failureTypes.vendorUnavailable, false],
    [500, failureTypes.vendorUnavailable, false],
    [401, failureTypes.credentialsRefused, false],
    [404, failureTypes.requestRefused, true],
  ])(
    '%d becomes %s, final: %s, without the number, the link or the vendor’s words',
    async (status, type, nonRetryable) => {
      canned = { status, headers: {}, body: { code: 20_500, status, message: `about ${personal.phone}` } };
      const failure = await failureOf(cannedBench.run('sendPaymentLink', text()));
      expect([failure.type, failure.nonRetryable]).toEqual([type, nonRetryable]);
      expect(everything(failure)).not.toMatch(/5559874242|secret-link|about/);
    },
  );

  test('that never comes is temporary', async () => {
    await standIns.fault({
      route: 'GET /2010-04-01/Accounts/:account/Messages.json',
      kind: 'before',
      times: 1,
    });
    const failure = await failureOf(bench.run('sendPaymentLink', text()));
    expect(failure).toMatchObject({ type: failureTypes.vendorUnavailable, nonRetryable: false });
    expect(everything(failure)).not.toMatch(/5559874242|secret-link/);
  });
});

describe('a tenant', () => {
  test('that is gone from the file is waited for', async () => {
    const failure = await failureOf(bench.run('createCharge', charge({ tenantId: 'gone' })));
    expect(failure).toMatchObject({ type: failureTypes.credentialsRefused, nonRetryable: false });
  });

  test('with a connected account has it on every call, and one without has none', async () => {
    for (const tenantId of ['globex', 'acme']) {
      const given = { ...charge({ tenantId }), ...newCheckout(tenantId), contact: { email: personal.email } };
      const wallet = await bench.run('requestWalletApproval', given);
      if (wallet.kind !== 'asked') throw new Error('not asked');
      const { authorization } = wallet;
      await standIns.act(`/agent_authorizations/${authorization}/approve`, {
        grants: 'shared_payment_token',
      });
      const fact = await bench.run('readWalletApproval', { ...given, authorization });
      await bench.run('cancelWalletApproval', { ...given, authorization });
      const { paymentIntent } = await bench.run('createCharge', given);
      const token = fact.kind === 'approved' ? (fact.token ?? '') : '';
      await bench.run('confirmCharge', { ...given, paymentIntent, token });
      await bench.run('readCharge', { ...given, paymentIntent });
      await bench.run('cancelCharge', { ...given, paymentIntent });
      const expiresAt = Math.floor(Date.now() / 1_000) + 31 * 60;
      const { session } = await bench.run('openPaymentPage', { ...given, expiresAt });
      await bench.run('readPaymentPage', { ...given, session });
      await bench.run('closePaymentPage', { ...given, session });
      const seen = (await standIns.requests()).filter(({ vendor }) => vendor === 'stripe');
      const ofThis = seen.filter(({ idempotency_key, path }) =>
        [given.checkoutId, authorization, paymentIntent, session].some((id) =>
          `${idempotency_key} ${path}`.includes(id),
        ),
      );
      expect(ofThis.length).toBeGreaterThanOrEqual(12);
      const account = tenantId === 'globex' ? 'acct_globex' : null;
      expect(new Set(ofThis.map((one) => one.account))).toEqual(new Set([account]));
    }
  });
});
