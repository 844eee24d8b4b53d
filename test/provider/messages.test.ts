import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureTypes } from '../../contracts/failures.js';
import { type ActivityBench, activityBench, failureOf, newCheckout } from '../support/activity-bench.js';
import { type StandIns, startStandIns } from '../support/stand-ins.js';
import { acme } from '../support/test-tenants.js';

let standIns: StandIns;
let bench: ActivityBench;
beforeAll(async () => {
  standIns = await startStandIns();
  bench = activityBench({ stripeBase: standIns.url });
});
afterAll(() => standIns.close());

let numbers = 0;
/** A message to a number of its own. */
function message(changes: object = {}) {
  const { tenantId, checkoutId } = newCheckout();
  return {
    tenantId,
    checkoutId,
    phone: `+1555987${String(1_000 + numbers++)}`,
    url: `https://pay.test/c/${checkoutId}`,
    amount: 4900,
    currency: 'usd',
    description: 'Growth plan',
    locale: 'en-US',
    ...changes,
  };
}
const sendRoute = 'POST /2010-04-01/Accounts/:account/Messages.json';

describe('the text message with the link', () => {
  test('is sent once, worded for the caller, and reports to the URL with the mark', async () => {
    const given = message();
    const answer = await bench.run('sendPaymentLink', given);
    const sent = await standIns.messages(given.phone);
    expect(answer).toEqual({ kind: 'accepted', message: sent[0]?.sid });
    expect(sent.map(({ body }) => body)).toEqual([`Acme: pay $49.00 for Growth plan here: ${given.url}`]);
    const seen = (await standIns.requests()).find(
      ({ params }) => params['To'] === given.phone && params['Body'],
    );
    expect(seen?.params).toMatchObject({ From: '+15550100100' });
    expect(seen?.params['StatusCallback']).toContain(`vc_checkout=${given.checkoutId}`);
  });

  test.each([1, 2, 5])('sent before is found again in try %d, not sent again', async (attempt) => {
    const given = message();
    const first = await bench.run('sendPaymentLink', given);
    expect(await bench.run('sendPaymentLink', given, attempt)).toEqual(first);
    expect(await standIns.messages(given.phone)).toHaveLength(1);
  });

  test('whose answer was lost is found again, not sent again', async () => {
    const given = message();
    await standIns.fault({ route: sendRoute, kind: 'after_effect_drop', times: 1 });
    const failure = await failureOf(bench.run('sendPaymentLink', given));
    expect(failure).toMatchObject({ type: failureTypes.vendorUnavailable, nonRetryable: false });
    expect(await bench.run('sendPaymentLink', given, 2)).toMatchObject({ kind: 'accepted' });
    expect(await standIns.messages(given.phone)).toHaveLength(1);
  });

  test('that never reached Twilio is sent a second time, and not a third', async () => {
    const given = message();
    await standIns.fault({ route: sendRoute, kind: 'before', times: 2 });
    await failureOf(bench.run('sendPaymentLink', given, 1));
    await failureOf(bench.run('sendPaymentLink', given, 2, { sends: 1 }));
    const failure = await failureOf(bench.run('sendPaymentLink', given, 3, { sends: 2 }));
    expect(failure).toMatchObject({ type: failureTypes.requestRefused, nonRetryable: true });
    expect(await standIns.messages(given.phone)).toEqual([]);
  });

  test('is sent in whichever try Twilio is back, as long as nothing was sent', async () => {
    const given = message();
    expect(await bench.run('sendPaymentLink', given, 7)).toMatchObject({ kind: 'accepted' });
  });

  test('with another link is another message', async () => {
    const given = message();
    await bench.run('sendPaymentLink', given);
    await bench.run('sendPaymentLink', { ...given, url: `${given.url}x` });
    expect(await standIns.messages(given.phone)).toHaveLength(2);
  });

  test('is not sent to a number that had the limit of messages lately', async () => {
    const given = message();
    const { max } = acme.limits.smsPerNumber;
    for (let n = 0; n < max; n++) await bench.run('sendPaymentLink', { ...given, url: `${given.url}/${n}` });
    const last = { ...given, url: `${given.url}/last` };
    expect(await bench.run('sendPaymentLink', last)).toMatchObject({ kind: 'undeliverable' });
    expect(await standIns.messages(given.phone)).toHaveLength(max);
  });

  test('is sent again to that number once the time of the limit is over', async () => {
    const limits = { ...acme.limits, smsPerNumber: { max: 1, windowMs: 0 } };
    const patient = activityBench({
      stripeBase: standIns.url,
      tenants: new Map([['acme', { ...acme, limits }]]),
    });
    const given = message();
    await bench.run('sendPaymentLink', given);
    const answer = await patient.run('sendPaymentLink', { ...given, url: `${given.url}/new` });
    expect(answer).toMatchObject({ kind: 'accepted' });
  });

  test.each([
    ['opted out', '+15005550004', 21_610],
    ['is not valid', '+15005550001', 21_211],
    ['is a landline', '+15005550009', 21_614],
  ])('to a number that %s is undeliverable, a value', async (_name, phone, code) => {
    expect(await bench.run('sendPaymentLink', message({ phone }))).toEqual({ kind: 'undeliverable', code });
  });

  test('to somebody who texted STOP is undeliverable', async () => {
    const given = message();
    await standIns.act('/messages/inbound', { from: given.phone, body: 'STOP' });
    expect(await bench.run('sendPaymentLink', given)).toEqual({ kind: 'undeliverable', code: 21_610 });
  });

  test('goes through the messaging service of a tenant that has one', async () => {
    const own = { ...acme, sms: { from: '+15550100100', messagingServiceSid: 'MG1' } };
    const other = activityBench({ stripeBase: standIns.url, tenants: new Map([['acme', own]]) });
    const given = message();
    await other.run('sendPaymentLink', given);
    const seen = (await standIns.requests()).find(
      ({ params }) => params['To'] === given.phone && params['Body'],
    );
    expect(seen?.params).toMatchObject({ MessagingServiceSid: 'MG1' });
    expect(seen?.params).not.toHaveProperty('From');
  });
});

describe('reading a message', () => {
  const arrived = ['delivered', 'undelivered'];

  test.each([
    ['an unreachable phone', '+15559870003', { undelivered: true, code: 30_003 }],
    ['a phone', '+15559879001', { undelivered: false }],
  ])('to %s tells whether it is known not to have arrived', async (_name, phone, expected) => {
    const given = message({ phone });
    const sent = await bench.run('sendPaymentLink', given);
    if (sent.kind !== 'accepted') throw new Error('not accepted');
    await expect
      .poll(async () => (await standIns.messages(phone))[0]?.status, { timeout: 10_000 })
      .toSatisfy((status: string) => arrived.includes(status));
    expect(await bench.run('readMessage', { ...given, message: sent.message })).toEqual(expected);
  });
});
