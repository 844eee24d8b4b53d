import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiUnderTest, quoteRequest, startApi, startRequest } from '../support/api-under-test.js';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const checkoutPath = `/v1/checkouts/co_${'a'.repeat(30)}_1`;
/** Valid as far as the API can tell; Temporal, which is away, would have been next. */
const accepted = { status: 503, code: 'unavailable' };

describe('a body of another form', () => {
  const base = quoteRequest();
  test.each<[string, string, unknown]>([
    ['a field that is not known', '/v1/quotes', { ...base, extra: 1 }],
    ['a tenant id', '/v1/quotes', { ...base, tenantId: 'globex' }],
    ['a status', '/v1/quotes', { ...base, status: 'paid' }],
    ['an unknown field deeper', '/v1/quotes', { ...base, call: { ...base.call, approved: true } }],
    ['an array for an object', '/v1/quotes', [base]],
    ['an array for an inner object', '/v1/quotes', { ...base, call: [base.call] }],
    ['a list of purchases', '/v1/quotes', { ...base, purchase: [base.purchase] }],
    ['null', '/v1/quotes', 'null'],
    ['text', '/v1/quotes', '"text"'],
    ['nothing', '/v1/quotes', undefined],
    ['__proto__', '/v1/quotes', JSON.stringify(base).replace('{', '{"__proto__":{"admin":true},')],
    [
      '__proto__ deeper',
      '/v1/quotes',
      JSON.stringify(base).replace('"call":{', '"call":{"__proto__":{"a":1},'),
    ],
    ['a constructor', '/v1/quotes', { ...base, constructor: { prototype: { admin: true } } }],
    ...['constructor', 'toString', '__proto__', 'valueOf'].flatMap((name): [string, string, unknown][] => [
      [`a text named ${name}`, '/v1/quotes', JSON.stringify(base).replace('{', `{"${name}":"a",`)],
      [
        `a text named ${name} deeper`,
        '/v1/quotes',
        JSON.stringify(base).replace('"call":{', `"call":{"${name}":"a",`),
      ],
    ]),
    ['an unknown channel', '/v1/quotes', { ...base, call: { id: 'c', channel: 'fax' } }],
    ['a call id with a space', '/v1/quotes', { ...base, call: { id: 'a b', channel: 'voice' } }],
    ['an unknown kind of purchase', '/v1/quotes', quoteRequest({ kind: 'gift' })],
    ['a control character in a text', '/v1/quotes', quoteRequest({ description: 'a\u202eb' })],
    ['half a character in a text', '/v1/quotes', quoteRequest({ description: 'Growth \ud83d' })],
    ['half a character, the other half', '/v1/quotes', quoteRequest({ description: '\ude00 Growth' })],
    ['half a character in a reference', '/v1/quotes', { ...base, customer: { ref: 'a\ud83d' } }],
    ['half a character in a platform', '/v1/quotes', { ...base, call: { ...base.call, platform: '\udc00' } }],
    ['half a character in words', '/v1/checkouts', startRequest('x', { words: 'yes \ud83d' })],
    ['half a character in a reason', `${checkoutPath}/cancel`, { reason: '\ud83d no' }],
    ['half a character in a note', `/v1/refunds/rf_${'a'.repeat(30)}/deny`, { note: '\ud83d' }],
    ['a locale that is none', '/v1/quotes', { ...base, locale: '../../en' }],
    ['an unknown field at start', '/v1/checkouts', { ...startRequest('x'), paid: true }],
    ['an unknown rail', '/v1/checkouts', { ...startRequest('x'), rails: ['cash'] }],
    ['an empty list of rails', '/v1/checkouts', { ...startRequest('x'), rails: [] }],
    ['a consent without time', '/v1/checkouts', startRequest('x', { confirmed_at: 'yesterday' })],
    ['an unknown field on cancel', `${checkoutPath}/cancel`, { force: true }],
    ['an unknown rail to switch to', `${checkoutPath}/rail`, { rail: 'cash' }],
  ])('is refused: %s', async (_name, path, body) => {
    const { status, json } = await api.call('POST', path, { body });
    expect([status, json['code']]).toEqual([400, 'invalid_request']);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  test.each(['since=-1', 'since=x', 'wait_ms=25001', 'wait_ms=-1', 'other=1', 'since=1&since=2'])(
    'is refused in the query: %s',
    async (query) => {
      const answer = await api.call('GET', `${checkoutPath}?${query}`);
      expect(answer.json).toMatchObject({ status: 400, code: 'invalid_request' });
    },
  );

  test('is told by place, without repeating what was sent', async () => {
    const answer = await api.post('/v1/quotes', { ...quoteRequest(), secret_field: 'secret value' });
    expect(answer.json['errors']).toEqual([{ path: '', message: expect.any(String) as string }]);
    expect(answer.text).not.toMatch(/secret/);
  });
});

test('a whole character of two halves is taken, in escapes too', async () => {
  const body = quoteRequest({ description: 'Growth 😀' });
  expect((await api.post('/v1/quotes', body)).json).toMatchObject(accepted);
  const escaped = JSON.stringify(body).replace('😀', String.raw`\ud83d\ude00`);
  expect((await api.post('/v1/quotes', escaped)).json).toMatchObject(accepted);
});

describe('an amount', () => {
  test.each([
    ['-1', -1, 422],
    ['0', 0, 422],
    ['1.5', 1.5, 422],
    ['text', '4900', 400],
    ['1e21', 1e21, 422],
    ['2^53', 2 ** 53, 422],
    ['above the limit of the tenant', 500_001, 422],
    ['null, as NaN arrives', null, 400],
    ['a list', [4900], 400],
  ])('of %s is refused', async (_name, amount, status) => {
    const answer = await api.post('/v1/quotes', quoteRequest({ amount }));
    expect([answer.status, answer.json['code']]).toEqual([
      status,
      status === 422 ? 'amount_invalid' : 'invalid_request',
    ]);
  });

  test.each([
    ['in capitals', 'USD', 422],
    ['nobody knows', 'xxx', 422],
    ['the tenant does not take', 'gbp', 422],
    ['of four letters', 'usdt', 400],
    ['that is no word', '<b>', 422],
  ])('in a currency %s is refused, and not repeated', async (_name, currency, status) => {
    const answer = await api.post('/v1/quotes', quoteRequest({ currency }));
    expect(answer.status).toBe(status);
    expect(answer.text).not.toContain(currency);
  });

  test.each([
    ['usd', 500_000],
    ['jpy', 5000],
  ])('in %s within the limit is taken', async (currency, amount) => {
    const answer = await api.post('/v1/quotes', quoteRequest({ amount, currency }));
    expect(answer.json).toMatchObject(accepted);
  });

  test.each([
    ['price_growth', 1, accepted],
    ['price_yen', 100, accepted],
    ['price_yen', 101, { status: 422, code: 'amount_invalid' }],
    ['price_inactive', 1, { status: 400, code: 'invalid_request' }],
    ['price_package', 10, { status: 400, code: 'invalid_request' }],
    ['price_none', 1, { status: 400, code: 'invalid_request' }],
    ['growth', 1, { status: 400, code: 'invalid_request' }],
    ['price_growth', 0, { status: 400, code: 'invalid_request' }],
    ['price_growth', 1.5, { status: 400, code: 'invalid_request' }],
  ])('comes from %s times %d', async (price, quantity, answer) => {
    const body = { ...quoteRequest(), purchase: { kind: 'price', price, quantity } };
    expect((await api.post('/v1/quotes', body)).json).toMatchObject(answer);
  });

  test('of a price is read on the account of the tenant', async () => {
    const body = { ...quoteRequest(), purchase: { kind: 'price', price: 'price_setup' } };
    await api.post('/v1/quotes', body, { key: api.keys.globex.key });
    const seen = (await api.standIns.requests()).filter(({ path }) => path.endsWith('price_setup'));
    expect(seen.map(({ account }) => account)).toEqual(['acct_globex']);
  });

  test('of a price that Stripe does not tell now is unknown, and safe to ask for again', async () => {
    await api.standIns.fault({ route: '/v1/prices', kind: 'status', status: 500, times: 1 });
    const body = { ...quoteRequest(), purchase: { kind: 'price', price: 'price_growth' } };
    expect((await api.post('/v1/quotes', body)).json).toMatchObject({ ...accepted, safe_to_retry: true });
  });
});

describe('a phone number', () => {
  test.each([
    ['a premium number', '+19005550123'],
    ['a premium number abroad', '+499001234567'],
    ['a country that is not enabled', '+33612345678'],
    ['an international premium network', '+88213300123'],
    ['a short code', '12345'],
    ['40 digits', `+${'1'.repeat(39)}`],
    ['letters', '+1555CALLNOW'],
    ['a number without a country', '5550123001'],
    ['too few digits', '+1555012'],
    ['its own number', '+15550100100'],
    ['nothing', ''],
  ])('that is %s is refused and no message is sent', async (_name, phone) => {
    const body = { ...quoteRequest(), customer: { ref: 'c', phone } };
    const { status, json } = await api.post('/v1/quotes', body);
    expect([status, json['code']]).toEqual([422, 'phone_invalid']);
  });

  test.each(['+15550123001', '+1 (555) 012-3001', '+44 7400 123456'])('%s is taken', async (phone) => {
    const body = { ...quoteRequest(), customer: { ref: 'c', phone } };
    expect((await api.post('/v1/quotes', body)).json).toMatchObject(accepted);
  });
});

describe('a body the parser refuses', () => {
  test.each<[string, string | Buffer, Record<string, string>, number, string]>([
    ['above 64 KiB', JSON.stringify({ a: 'x'.repeat(64 * 1024) }), {}, 413, 'body_too_large'],
    ['of 5 MB', Buffer.alloc(5_000_000, 0x20), {}, 413, 'body_too_large'],
    ['compressed', gzipSync('{}'), { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    ['text', '{}', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    [
      'of an unknown charset',
      '{}',
      { 'content-type': 'application/json; charset=x' },
      415,
      'unsupported_media_type',
    ],
    [
      'in UTF-16',
      Buffer.from('{}', 'utf16le'),
      { 'content-type': 'application/json; charset=utf-16' },
      415,
      'unsupported_media_type',
    ],
    ['broken', '{"a":', {}, 400, 'invalid_request'],
    ['with a comment', '{"a":1}//', {}, 400, 'invalid_request'],
    ['nested 10^4 deep', '['.repeat(1e4) + ']'.repeat(1e4), {}, 400, 'invalid_request'],
  ])('%s', async (_name, body, headers, status, code) => {
    const answer = await api.call('POST', '/v1/quotes', { body, headers });
    expect([answer.status, answer.json['code']]).toEqual([status, code]);
  });

  test('of 10^5 nested arrays does not get far, and the API lives on', async () => {
    const answer = await api.call('POST', '/v1/quotes', { body: '['.repeat(1e5) });
    expect(answer.status).toBe(413);
    const objects = await api.call('POST', '/v1/quotes', {
      body: '{"a":'.repeat(1e4) + '1' + '}'.repeat(1e4),
    });
    expect(objects.json).toMatchObject({ status: 400, code: 'invalid_request' });
    expect((await api.call('GET', '/healthz')).status).toBe(200);
  });

  test('just below 64 KiB is read', async () => {
    const body = JSON.stringify({ a: 'x'.repeat(64 * 1024 - 10) });
    expect((await api.call('POST', '/v1/quotes', { body })).status).toBe(400);
  });
});

describe('an Idempotency-Key', () => {
  const quoteWith = (key: string, body: object, asking = api.keys.agent.key) =>
    api.post('/v1/quotes', body, { key: asking, headers: { 'idempotency-key': key } });

  test('with another body is a conflict, with the same body is not', async () => {
    const key = randomBytes(8).toString('hex');
    expect((await quoteWith(key, quoteRequest())).status).toBe(503);
    expect((await quoteWith(key, quoteRequest())).status).toBe(503);
    expect((await quoteWith(key, quoteRequest({ amount: 5000 }))).json).toMatchObject({
      status: 422,
      code: 'idempotency_conflict',
    });
  });

  test('with the same body in another order, or none for an empty one, is a repeat', async () => {
    const key = randomBytes(8).toString('hex');
    const { call, customer, purchase } = quoteRequest();
    await quoteWith(key, { call, customer, purchase });
    const turned = { purchase, customer: Object.fromEntries(Object.entries(customer).reverse()), call };
    expect((await quoteWith(key, turned)).status).toBe(503);
    expect((await quoteWith(key, { ...turned, call: [call] })).json).toMatchObject({
      code: 'idempotency_conflict',
    });
    const headers = { 'idempotency-key': randomBytes(8).toString('hex') };
    for (const body of [undefined, {}, undefined]) {
      expect((await api.call('POST', `${checkoutPath}/cancel`, { body, headers })).status).toBe(503);
    }
  });

  test('beside a body nested 3 * 10^4 deep is no harm', async () => {
    const deep = '['.repeat(3e4) + ']'.repeat(3e4);
    const headers = { 'idempotency-key': randomBytes(8).toString('hex') };
    expect((await api.call('POST', '/v1/quotes', { body: deep, headers })).status).toBe(400);
  });

  test('of another tenant is another key', async () => {
    const key = randomBytes(8).toString('hex');
    await quoteWith(key, quoteRequest());
    expect((await quoteWith(key, quoteRequest({ amount: 5000 }), api.keys.globex.key)).status).toBe(503);
  });

  test('of more than 255 characters is refused', async () => {
    expect((await quoteWith('k'.repeat(256), quoteRequest())).status).toBe(400);
  });
});

describe('too many requests of one key', () => {
  test('are told when to come back, and other keys are not slowed', async () => {
    const request = `GET /v1/checkouts/none HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${api.keys.busy.key}\r\n\r\n`;
    const text = await new Promise<string>((resolve, reject) => {
      let seen = '';
      // Pipelined, so that a busy machine sends more than the limit within its second.
      const socket = connect(api.port, '127.0.0.1', () => socket.write(request.repeat(2_000)));
      socket.on('data', (part) => {
        seen += part.toString();
        if (!seen.includes('HTTP/1.1 429') || !seen.endsWith('}')) return;
        socket.destroy();
        resolve(seen.slice(seen.indexOf('HTTP/1.1 429')));
      });
      socket.on('error', reject);
      socket.on('end', () => reject(new Error('no request was refused')));
    });
    expect(text).toMatch(/^retry-after: 1\r$/im);
    expect(text).toContain('"code":"rate_limited"');
    expect((await api.call('GET', '/v1/checkouts/none')).status).toBe(404);
  });
});
