import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiUnderTest, startApi } from '../support/api-under-test.js';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const checkoutId = `co_${'a'.repeat(30)}_1`;
const refundId = `rf_${'a'.repeat(30)}`;
/** Valid as far as the API can tell; Temporal, which is away, would have been next. */
const accepted = [503, 'unavailable'];

async function ask(
  method: string,
  path: string,
  { key = api.keys.ops.key, body }: { key?: string; body?: unknown } = {},
) {
  const { status, json } = await api.call(method, `/v1/ops/${path}`, { key, body });
  return [status, json['code']];
}

const routes: [method: string, path: string][] = [
  ['GET', 'checkouts'],
  ['GET', 'refunds'],
  ['GET', `checkouts/${checkoutId}`],
  ['GET', `refunds/${refundId}`],
  ['POST', `checkouts/${checkoutId}/retry-now`],
  ['POST', `checkouts/${checkoutId}/resolve`],
  ['POST', `refunds/${refundId}/retry-now`],
];

describe.each(routes)('%s /v1/ops/%s', (method, path) => {
  test('needs the scope ops, and nothing but it', async () => {
    expect(await ask(method, path)).toEqual(accepted);
    for (const { key } of [api.keys.agent, api.keys.approver, api.keys.globex]) {
      expect(await ask(method, path, { key })).toEqual([403, 'scope_missing']);
    }
    for (const key of ['nonsense', api.keys.expired.key]) {
      expect(await ask(method, path, { key })).toEqual([401, 'unauthenticated']);
    }
  });

  test('refuses a card number wherever it is', async () => {
    const body = method === 'POST' ? { note: '4242 4242 4242 4242' } : undefined;
    const query = method === 'GET' ? '?call_id=4242424242424242' : '';
    expect(await ask(method, path + query, { body })).toEqual([422, 'card_data_refused']);
  });
});

describe('a list', () => {
  test.each(['', '?state=needs_attention', '?needs_attention=true', '?call_id=call-1', '?cursor=abc_-1'])(
    'is asked for with %s',
    async (query) => {
      expect(await ask('GET', `checkouts${query}`)).toEqual(accepted);
      expect(await ask('GET', `refunds${query}`)).toEqual(accepted);
    },
  );

  test.each([
    'state=open',
    `state=${encodeURIComponent("paid' OR 'a'='a")}`,
    'state=paid&state=failed',
    'needs_attention=yes',
    'needs_attention=',
    'call_id=',
    `call_id=${'x'.repeat(129)}`,
    `call_id=${encodeURIComponent("x' OR TenantId = 'globex")}`,
    `call_id=${encodeURIComponent("x'")}`,
    `call_id=${encodeURIComponent('x"')}`,
    `call_id=${encodeURIComponent('x\\')}`,
    `call_id=${encodeURIComponent('x`')}`,
    `call_id=${encodeURIComponent('two words')}`,
    'call_id=a&call_id=b',
    `cursor=${encodeURIComponent("'")}`,
    `cursor=${'x'.repeat(2_001)}`,
    'tenant=globex',
    'query=1',
  ])('is refused with %s', async (query) => {
    expect(await ask('GET', `checkouts?${query}`)).toEqual([400, 'invalid_request']);
    expect(await ask('GET', `refunds?${query}`)).toEqual([400, 'invalid_request']);
  });

  test('of refunds has their states, and that of checkouts theirs', async () => {
    expect(await ask('GET', 'refunds?state=awaiting_approval')).toEqual(accepted);
    expect(await ask('GET', 'checkouts?state=awaiting_approval')).toEqual([400, 'invalid_request']);
    expect(await ask('GET', 'checkouts?state=awaiting_wallet')).toEqual(accepted);
    expect(await ask('GET', 'refunds?state=awaiting_wallet')).toEqual([400, 'invalid_request']);
  });
});

describe('a lever', () => {
  test.each<[string, unknown]>([
    ['a note', { note: 'seen on the statement' }],
    ['an empty body', {}],
    ['no body', undefined],
  ])('resolves with %s', async (_name, body) => {
    expect(await ask('POST', `checkouts/${checkoutId}/resolve`, { body })).toEqual(accepted);
  });

  test.each<[string, unknown]>([
    ['a name in the body', { by: 'dana' }],
    ['an outcome', { state: 'paid' }],
    ['an empty note', { note: ' ' }],
    ['a note without end', { note: 'x'.repeat(501) }],
    ['a list', []],
  ])('is refused with %s', async (_name, body) => {
    expect(await ask('POST', `checkouts/${checkoutId}/resolve`, { body })).toEqual([400, 'invalid_request']);
    expect(await ask('POST', `checkouts/${checkoutId}/retry-now`, { body })).toEqual([
      400,
      'invalid_request',
    ]);
    expect(await ask('POST', `refunds/${refundId}/retry-now`, { body })).toEqual([400, 'invalid_request']);
  });

  test.each([
    ['GET', 'checkouts/co_1'],
    ['GET', `checkouts/${refundId}`],
    ['POST', `checkouts/globex%2f${checkoutId}/resolve`],
    ['POST', `checkouts/..%2fglobex%2f${checkoutId}/retry-now`],
    ['POST', `refunds/${checkoutId}/retry-now`],
    ['POST', `refunds/${refundId}/resolve`],
    ['GET', `checkouts/${checkoutId}/resolve`],
    ['GET', ''],
  ])('or a page that does not exist is not found, and Temporal is not asked: %s %s', async (method, path) => {
    expect(await ask(method, path)).toEqual([404, 'not_found']);
  });
});
