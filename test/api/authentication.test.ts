import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiUnderTest, quoteRequest, startApi } from '../support/api-under-test.js';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** Where an authenticated request ends: far enough that Temporal is asked, which is away. */
const admitted = 503;
const quoteWith = (key: string, headers = {}) => api.post('/v1/quotes', quoteRequest(), { key, headers });

describe('a request', () => {
  test('is admitted with either of the two active keys of a tenant', async () => {
    expect((await quoteWith(api.keys.agent.key)).status).toBe(admitted);
    expect((await quoteWith(api.keys.second.key)).status).toBe(admitted);
  });

  test('without a valid key gets the same answer, whatever is wrong with the key', async () => {
    const { agent, expired, orphan } = api.keys;
    const wrong: Record<string, string> = {
      'no header': '',
      'another secret behind the same id': agent.key.slice(0, -4) + 'AAAA',
      'a longer secret': `${agent.key}A`,
      'an unknown id': agent.key.replace('_agent_', '_nobody_'),
      'the id of another key': agent.key.replace('_agent_', '_second_'),
      'the stored hash instead of the secret': `vc_test_agent_${createHash('sha256').update(agent.key).digest('hex')}`,
      'an expired key': expired.key,
      'a key of a tenant that is gone': orphan.key,
      'something else': 'sk_test_123',
    };
    const answers = await Promise.all(
      Object.entries(wrong).map(async ([name, key]) => {
        const { status, headers, json } = await quoteWith(key);
        return { name, status, challenge: headers['www-authenticate'], body: { ...json, request_id: '' } };
      }),
    );
    for (const { name, ...answer } of answers) {
      expect(answer, name).toEqual({
        status: 401,
        challenge: 'Bearer',
        body: expect.objectContaining({ code: 'unauthenticated', safe_to_retry: false }) as object,
      });
      expect(answer.body, name).toEqual(answers[0]?.body);
    }
  });

  test.each(['Basic', 'bearer', 'Token'])('is refused with the scheme %s', async (scheme) => {
    const headers = { authorization: `${scheme} ${api.keys.agent.key}` };
    expect((await quoteWith('', headers)).status).toBe(401);
  });

  test.each(['key', 'api_key', 'access_token', 'authorization'])(
    'is refused with the key in ?%s=',
    async (name) => {
      const path = `/v1/checkouts?${name}=${api.keys.agent.key}`;
      expect((await api.post(path, {}, { key: '' })).status).toBe(401);
      expect(api.log.join('')).not.toContain(api.keys.agent.key);
    },
  );

  test('is refused before its body is looked at', async () => {
    const answer = await api.post('/v1/quotes', '{ not json', { key: 'nothing' });
    expect(answer.status).toBe(401);
  });
});

describe('a scope', () => {
  test('that is missing is named, and the answer is 403', async () => {
    const answer = await quoteWith(api.keys.ops.key);
    expect(answer.json).toMatchObject({ status: 403, code: 'scope_missing' });
    expect(answer.json['detail']).toContain('checkout');
  });

  test('of its own is needed to name an amount, and none to buy at a price', async () => {
    const { key } = api.keys.noAmount;
    const amount = await api.post('/v1/quotes', quoteRequest(), { key });
    expect(amount.json).toMatchObject({ status: 403, code: 'scope_missing' });
    const purchase = { kind: 'price', price: 'price_growth' };
    const price = await api.post('/v1/quotes', { ...quoteRequest(), purchase }, { key });
    expect(price.status).toBe(admitted);
  });

  test.each([
    ['GET', '/v1/checkouts/co_1'],
    ['POST', '/v1/checkouts/co_1/cancel'],
    ['POST', '/v1/checkouts/co_1/rail'],
    ['GET', '/v1/checkouts/co_1/events'],
    ['POST', '/v1/checkouts'],
  ])('is needed for %s %s', async (method, path) => {
    const answer = await api.call(method, path, { key: api.keys.ops.key });
    expect(answer.json).toMatchObject({ status: 403, code: 'scope_missing' });
  });
});

describe('an id that cannot be one of ours', () => {
  test.each([
    'co_1',
    'nothing',
    `co_${'a'.repeat(30)}`,
    `co_${'a'.repeat(30)}_12345`,
    `CO_${'a'.repeat(30)}_1`,
    `globex%2fco_${'a'.repeat(30)}_1`,
    `..%2fglobex%2fco_${'a'.repeat(30)}_1`,
    `co_${'a'.repeat(30)}_1%00`,
    `co_${'a'.repeat(30)}_1%0a`,
    `checkout%2fglobex%2fco_${'a'.repeat(30)}_1`,
  ])('is not found, and Temporal is not asked: %s', async (id) => {
    for (const [method, path] of [
      ['GET', `/v1/checkouts/${id}`],
      ['POST', `/v1/checkouts/${id}/cancel`],
      ['GET', `/v1/checkouts/${id}/events`],
    ] as const) {
      const { status, json } = await api.call(method, path);
      expect([status, json['code']], path).toEqual([404, 'not_found']);
    }
  });

  test('with ../ in the path is not found', async () => {
    const path = `/v1/checkouts/../../globex/co_${'a'.repeat(30)}_1`;
    expect((await api.call('GET', path)).json).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('with a broken escape is a wrong path', async () => {
    expect((await api.call('GET', '/v1/checkouts/%zz')).json).toMatchObject({ code: 'invalid_request' });
  });

  test('of nothing at all is not found', async () => {
    for (const path of ['/', '/v1', '/v1/', '/v2/checkouts', '/admin', '/v1/refunds']) {
      expect((await api.call('GET', path)).json, path).toMatchObject({ status: 404, code: 'not_found' });
    }
  });
});
