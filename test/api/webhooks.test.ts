import { createHmac } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import twilio from 'twilio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ownership } from '../../providers/stripe/ownership.js';
import { statusCallbackUrl } from '../../providers/twilio/status-callback.js';
import { testOwnership } from '../support/activity-bench.js';
import { type ApiUnderTest, publicUrl, startApi, webhookSecrets } from '../support/api-under-test.js';
import { twilioAccount } from '../support/stand-ins.js';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const checkoutId = `co_${'a1'.repeat(15)}_1`;
const mark = (tenantId: string) => testOwnership.mark({ tenantId, checkoutId });
const event = (changes: object = {}, object: object = {}) => ({
  id: 'evt_1',
  object: 'event',
  type: 'payment_intent.succeeded',
  livemode: false,
  data: { object: { id: 'pi_1', object: 'payment_intent', metadata: mark('acme'), ...object } },
  ...changes,
});

const now = () => Math.floor(Date.now() / 1_000);
const [current, next] = webhookSecrets;
/** The `v1` part of a signature, made without the vendor's code. */
const v1 = (text: string | Buffer, at: number, secret: string = current) =>
  createHmac('sha256', secret).update(`${at}.`).update(text).digest('hex');

interface Sending {
  path?: string;
  signature?: string;
  headers?: Record<string, string>;
}
function send(body: unknown, { path = '/webhooks/stripe', signature, headers = {} }: Sending = {}) {
  const raw = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const at = now();
  const signed = signature ?? `t=${at},v1=${v1(raw, at)}`;
  return api.call('POST', path, {
    key: '',
    body: raw,
    headers: { ...(signed !== '' && { 'stripe-signature': signed }), ...headers },
  });
}
const unavailable = { status: 503, code: 'unavailable' };
const badSignature = {
  status: 400,
  code: 'invalid_request',
  detail: 'the Stripe-Signature is missing or wrong',
};

describe("a webhook with Stripe's signature", () => {
  test('is not acknowledged while Temporal is away, so that Stripe repeats it', async () => {
    expect((await send(event())).json).toMatchObject(unavailable);
    expect((await send(event())).json).toMatchObject(unavailable);
  });

  const text = JSON.stringify(event());
  const at = now();
  test.each<[string, string, string]>([
    ['no signature', '', text],
    ['an empty list', ',', text],
    ['no timestamp', `v1=${v1(text, at)}`, text],
    ['an old secret only', `t=${at},v1=${v1(text, at, 'whsec_old')}`, text],
    ['v0 only', `t=${at},v0=${v1(text, at)}`, text],
    ['a body that was serialised again', `t=${at},v1=${v1(text, at)}`, JSON.stringify(event(), null, 1)],
    ['one changed byte', `t=${at},v1=${v1(text, at)}`, text.replace('pi_1', 'pi_2')],
    ['the timestamp of another time', `t=${at - 1},v1=${v1(text, at)}`, text],
    ['a timestamp in the far future', `t=${at + 3_600},v1=${v1(text, at + 3_600)}`, text],
    ['a timestamp that is no number', `t=NaN,v1=${v1(text, at)}`, text],
    ['a signature that is cut', `t=${at},v1=${v1(text, at).slice(0, 63)}`, text],
    ['the secret of another endpoint', `t=${at},v1=${v1(text, at, 'whsec_other')}`, text],
  ])('is refused with %s', async (_name, signature, body) => {
    expect((await send(body, { signature })).json).toMatchObject(badSignature);
  });

  test('is refused from 301 s of age on, and taken just before 300', async () => {
    const aged = (age: number) => send(text, { signature: `t=${now() - age},v1=${v1(text, now() - age)}` });
    expect((await aged(301)).json).toMatchObject(badSignature);
    expect((await aged(295)).json).toMatchObject(unavailable);
  });

  test('is refused with a second timestamp in front of the one that was signed', async () => {
    const old = now() - 3_600;
    expect((await send(text, { signature: `t=${now()},t=${old},v1=${v1(text, old)}` })).status).toBe(400);
    const future = now() + 3_600;
    expect((await send(text, { signature: `t=${now()},t=${future},v1=${v1(text, future)}` })).status).toBe(
      400,
    );
  });

  test('is taken under either secret during a rotation, and with both signatures in one header', async () => {
    const one = now();
    expect((await send(text, { signature: `t=${one},v1=${v1(text, one, next)}` })).json).toMatchObject(
      unavailable,
    );
    const both = `t=${one},v1=${v1(text, one, 'whsec_old')},v1=${v1(text, one, next)},v0=abc`;
    expect((await send(text, { signature: both })).json).toMatchObject(unavailable);
  });

  test('is refused when it is compressed, though the signature fits', async () => {
    const zipped = gzipSync(text);
    const signature = `t=${at},v1=${v1(zipped, at)}`;
    const answer = await send(zipped, { signature, headers: { 'content-encoding': 'gzip' } });
    expect(answer.json).toMatchObject({ status: 415, code: 'unsupported_media_type' });
  });

  test('is read as bytes whatever content type it names', async () => {
    const answer = await send(text, { headers: { 'content-type': 'text/plain' } });
    expect(answer.json).toMatchObject(unavailable);
  });

  test.each(['2014-03-28', '2031-01-01.quercus', null, undefined])(
    'counts in whatever API version it was written: %s',
    async (api_version) => {
      expect((await send(event({ api_version }))).json).toMatchObject(unavailable);
    },
  );

  test('above 256 KiB is too large, just below it is read', async () => {
    const large = JSON.stringify({ ...event(), filler: 'x'.repeat(256 * 1024) });
    expect((await send(large)).json).toMatchObject({ status: 413, code: 'body_too_large' });
    const fits = JSON.stringify({ ...event(), filler: 'x'.repeat(255 * 1024) });
    expect((await send(fits)).json).toMatchObject(unavailable);
  });
});

describe('a signed event is ignored', () => {
  const forged = { ...mark('acme'), vc_checkout: `co_${'b2'.repeat(15)}_1` };
  const elsewhere = new Ownership('other', Buffer.alloc(32, 7)).mark({ tenantId: 'acme', checkoutId });
  const thin = { id: 'evt_1', object: 'v2.core.event', type: 'v1.x', related_object: { id: 'pi_1' } };
  test.each<[string, unknown, string?]>([
    ['without our metadata', event({}, { metadata: {} })],
    ['without metadata', event({}, { metadata: null })],
    ['with metadata of another form', event({}, { metadata: [mark('acme')] })],
    ['with a MAC that is not of this checkout', event({}, { metadata: forged })],
    ['of another deployment', event({}, { metadata: elsewhere })],
    ['of live mode', event({ livemode: true })],
    ['from a connected account that is not the tenant’s', event({ account: 'acct_other' })],
    [
      'of a connected account on the own endpoint',
      event({ account: 'acct_globex' }, { metadata: mark('globex') }),
    ],
    ['of our own account on the Connect endpoint', event(), '/webhooks/stripe/connect'],
    [
      'of a foreign account on the Connect endpoint',
      event({ account: 'acct_other' }, { metadata: mark('globex') }),
      '/webhooks/stripe/connect',
    ],
    [
      'of a tenant with an account, without one',
      event({}, { metadata: mark('globex') }),
      '/webhooks/stripe/connect',
    ],
    ['of a tenant that is gone', event({}, { metadata: mark('gone') }), '/webhooks/stripe/connect'],
    ['of a type we do not use', event({ type: 'charge.succeeded' })],
    ['of a type nobody knows', event({ type: 'payment_intent.of_next_year' })],
    ['of the thin form', thin],
    ['without an object id', event({}, { id: 7 })],
    ['that is a list', [event()]],
    ['that is no JSON', 'text'],
  ])('%s', async (_name, body, path = '/webhooks/stripe') => {
    const answer = await send(body, { path });
    expect([answer.status, answer.json]).toEqual([200, { effect: 'ignored' }]);
  });

  test('unless it is of the tenant’s account, on the Connect endpoint', async () => {
    const own = event({ account: 'acct_globex' }, { metadata: mark('globex') });
    expect((await send(own, { path: '/webhooks/stripe/connect' })).json).toMatchObject(unavailable);
  });

  test.each([
    'link.agent_authorization.approved',
    'link.agent_authorization.declined',
    'checkout.session.completed',
    'checkout.session.expired',
    'checkout.session.async_payment_succeeded',
    'checkout.session.async_payment_failed',
    'payment_intent.succeeded',
    'payment_intent.payment_failed',
    'payment_intent.processing',
    'payment_intent.canceled',
  ])('unless it is news: %s', async (type) => {
    expect((await send(event({ type }))).json).toMatchObject(unavailable);
  });
});

describe("Twilio's status callback", () => {
  const path = (tenantId = 'acme') => statusCallbackUrl('', mark(tenantId));
  const failed = { MessageSid: 'SM1', MessageStatus: 'undelivered', To: '+15550123001' };
  const sign = (url: string, params: Record<string, string>) =>
    twilio.getExpectedTwilioSignature(twilioAccount.authToken, url, params);

  function report(params: Record<string, string>, changes: Sending & { body?: string } = {}) {
    const where = changes.path ?? path();
    const signature = changes.signature ?? sign(publicUrl + where, params);
    return api.call('POST', where, {
      key: '',
      body: changes.body ?? new URLSearchParams(params).toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(signature !== '' && { 'x-twilio-signature': signature }),
        ...changes.headers,
      },
    });
  }

  test.each<[string, Sending & { body?: string }]>([
    ['no signature', { signature: '' }],
    ['the signature for http', { signature: sign(publicUrl.replace('https', 'http') + path(), failed) }],
    ['the signature for another host', { signature: sign(`https://proxy.internal${path()}`, failed) }],
    ['the signature for another checkout', { signature: sign(publicUrl + path('globex'), failed) }],
    ['the signature without the query', { signature: sign(`${publicUrl}/webhooks/twilio/status`, failed) }],
    ['a further parameter', { body: new URLSearchParams({ ...failed, Extra: '1' }).toString() }],
    ['a changed parameter', { body: new URLSearchParams({ ...failed, MessageStatus: 'failed' }).toString() }],
    ['JSON without bodySHA256', { body: JSON.stringify(failed), signature: sign(publicUrl + path(), {}) }],
    [
      'the signature of another account',
      { signature: twilio.getExpectedTwilioSignature('x', publicUrl + path(), failed) },
    ],
  ])('is forbidden with %s', async (_name, changes) => {
    const answer = await report(failed, changes);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json).toMatchObject({ status: 403, code: 'signature_invalid' });
  });

  test.each(['host', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port'])(
    'is judged by our public URL, whatever %s says',
    async (name) => {
      const answer = await report(
        { ...failed, MessageStatus: 'sent' },
        { headers: { [name]: 'evil.example.com' } },
      );
      expect(answer.json).toEqual({ effect: 'ignored' });
    },
  );

  test.each(['queued', 'sent', 'delivered', 'read'])('of %s is ignored', async (MessageStatus) => {
    const answer = await report({ ...failed, MessageStatus });
    expect([answer.status, answer.json]).toEqual([200, { effect: 'ignored' }]);
  });

  test('without our mark, or with a forged one, is ignored', async () => {
    for (const query of [
      '',
      '?vc_tenant=acme',
      `?${new URLSearchParams({ ...mark('acme'), vc_tenant: 'x' }).toString()}`,
    ]) {
      const answer = await report(failed, { path: `/webhooks/twilio/status${query}` });
      expect(answer.json).toEqual({ effect: 'ignored' });
    }
  });

  test.each(['undelivered', 'failed'])(
    'of %s is not acknowledged while Temporal is away',
    async (MessageStatus) => {
      expect((await report({ ...failed, MessageStatus })).json).toMatchObject(unavailable);
    },
  );

  test('above 256 KiB is too large', async () => {
    expect((await report({ ...failed, Body: 'x'.repeat(257 * 1024) })).status).toBe(413);
  });
});
