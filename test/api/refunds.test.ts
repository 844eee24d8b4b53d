import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiUnderTest, startApi } from '../support/api-under-test.js';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const refundId = `rf_${'a'.repeat(30)}`;
const hash = 'c'.repeat(64);
const request = (changes: object = {}) => ({
  checkout_id: `co_${'a'.repeat(30)}_1`,
  amount: 2_000,
  reason: 'requested_by_customer',
  call: { id: 'call-1', channel: 'voice' },
  words: 'I do not need it',
  ...changes,
});
const decision = (changes: object = {}) => ({ request_hash: hash, ...changes });
/** Valid as far as the API can tell; Temporal, which is away, would have been next. */
const accepted = [503, 'unavailable'];
const post = async (path: string, body: unknown, key?: string) => {
  const { status, json } = await api.call('POST', path, { body, key });
  return [status, json['code']];
};

describe('a refund request', () => {
  test.each<[string, object]>([
    ['with all fields', {}],
    ['of the rest', { amount: undefined }],
    ['without words', { words: undefined }],
    ['after another one', { after: refundId }],
    ['as a duplicate', { reason: 'duplicate' }],
    ['of the smallest amount', { amount: 1 }],
  ])('is taken %s', async (_name, changes) => {
    expect(await post('/v1/refunds', request(changes))).toEqual(accepted);
  });

  test.each<[string, unknown]>([
    ['a field that is not known', request({ extra: 1 })],
    ['an approver', request({ approved_by: 'key:boss' })],
    ['a policy', request({ policy: { threshold: { usd: 1 } } })],
    ['a tenant', request({ tenantId: 'globex' })],
    ['no checkout', request({ checkout_id: undefined })],
    ['a reason that is none', request({ reason: 'because' })],
    ['no reason', request({ reason: undefined })],
    ['no call', request({ call: undefined })],
    ['a call without an id', request({ call: { channel: 'voice' } })],
    ['null for an amount', request({ amount: null })],
    ['an amount in words', request({ amount: '2000' })],
    ['words without end', request({ words: 'x'.repeat(501) })],
    ['a list', [request()]],
    ['null', 'null'],
  ])('is refused with %s', async (_name, body) => {
    expect(await post('/v1/refunds', body)).toEqual([400, 'invalid_request']);
  });

  test.each(['words', 'after', 'checkout_id'])('is refused with a card number in %s', async (field) => {
    const body = request({ [field]: '4242 4242 4242 4242' });
    expect(await post('/v1/refunds', body)).toEqual([422, 'card_data_refused']);
  });

  test('needs the scope, and nothing but the scope', async () => {
    const { keys } = api;
    for (const { key } of [keys.noAmount, keys.ops]) {
      expect(await post('/v1/refunds', request(), key)).toEqual([403, 'scope_missing']);
    }
    for (const key of ['', 'nonsense', keys.expired.key]) {
      expect(await post('/v1/refunds', request(), key)).toEqual([401, 'unauthenticated']);
    }
  });
});

describe('reading a refund', () => {
  const get = async (path: string, key?: string) => {
    const { status, json } = await api.call('GET', `/v1/refunds/${path}`, { key });
    return [status, json['code']];
  };

  test('needs a scope that has to do with refunds', async () => {
    expect(await get(refundId)).toEqual(accepted);
    expect(await get(refundId, api.keys.ops.key)).toEqual(accepted);
    expect(await get(refundId, api.keys.noAmount.key)).toEqual([403, 'scope_missing']);
    expect(await get(refundId, '')).toEqual([401, 'unauthenticated']);
  });

  test.each(['rf_1', 'rf_', `RF_${'a'.repeat(30)}`, `${refundId}x`, '..%2Fcheckouts', 'co_1'])(
    'finds nothing under %s, and asks nobody',
    async (id) => {
      expect(await get(id)).toEqual([404, 'not_found']);
    },
  );

  test.each(['since=-1', 'wait_ms=25001', 'other=1'])('refuses the query %s', async (query) => {
    expect(await get(`${refundId}?${query}`)).toEqual([400, 'invalid_request']);
  });
});

describe.each(['approve', 'deny'])('to %s', (verb) => {
  const path = `/v1/refunds/${refundId}/${verb}`;

  test('needs the scope: no agent has it', async () => {
    const { keys } = api;
    for (const { key } of [keys.agent, keys.globex, keys.ops, keys.noAmount]) {
      expect(await post(path, decision(), key)).toEqual([403, 'scope_missing']);
    }
    expect(await post(path, decision(), '')).toEqual([401, 'unauthenticated']);
    expect(await post(path, decision({ note: 'ok' }), keys.approver.key)).toEqual(accepted);
  });

  test.each<[string, unknown]>([
    ['no hash', {}],
    ['no body', undefined],
    ['a short hash', decision({ request_hash: 'c'.repeat(63) })],
    ['a hash in capitals', decision({ request_hash: 'C'.repeat(64) })],
    ['an approver in the body', decision({ decided_by: 'key:boss' })],
    ['another decision in the body', decision({ decision: 'approved' })],
    ['a note without end', decision({ note: 'x'.repeat(501) })],
  ])('is refused with %s', async (_name, body) => {
    expect(await post(path, body, api.keys.approver.key)).toEqual([400, 'invalid_request']);
  });

  test('is refused with a card number in the note', async () => {
    const body = decision({ note: '4242424242424242' });
    expect(await post(path, body, api.keys.approver.key)).toEqual([422, 'card_data_refused']);
  });

  test('is a POST on a refund', async () => {
    expect(await post(`/v1/refunds/rf_1/${verb}`, decision(), api.keys.approver.key)).toEqual([
      404,
      'not_found',
    ]);
    const read = await api.call('GET', path, { key: api.keys.approver.key });
    expect(read.status).toBe(404);
  });
});

describe('the log', () => {
  test('holds neither approvers’ links nor what was said', async () => {
    const secret = `acme.${refundId}.dana.mabc123.${'A'.repeat(22)}`;
    await api.call('GET', `/approvals/${secret}`, { key: '' });
    await api.call('POST', `/approvals/${secret}`, { key: '', body: 'decision=approved' });
    await post('/v1/refunds', request({ words: 'mein Hund ist krank' }));
    const text = api.log.join('\n');
    expect(text).toContain('/approvals/:token');
    expect(text).not.toContain(secret.slice(-30));
    expect(text).not.toContain('Hund');
  });
});

describe('the documents', () => {
  test('name the routes of refunds and the fields of a refund', async () => {
    const { json } = await api.call('GET', '/openapi.json', { key: '' });
    const { paths, components } = json as unknown as {
      paths: Record<string, object>;
      components: { schemas: Record<string, { properties?: object }> };
    };
    for (const path of [
      '/v1/refunds',
      '/v1/refunds/{id}',
      '/v1/refunds/{id}/approve',
      '/v1/refunds/{id}/deny',
    ])
      expect(Object.keys(paths)).toContain(path);
    expect(Object.keys(components.schemas['Refund']?.properties ?? {})).toEqual(
      expect.arrayContaining(['refund_id', 'request_hash', 'requested_by', 'approval', 'failure_reason']),
    );
  });
});
