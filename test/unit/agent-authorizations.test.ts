import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  listEvents,
  listWalletAnswers,
  retrieveAgentAuthorization,
} from '../../providers/stripe/agent-authorizations.js';
import { createStripeClient } from '../../providers/stripe/client.js';

/** Answers every request with this object: an undocumented API may answer anything. */
let answer: unknown;
/** Event types that the account does not know. */
let unknown: string | undefined;
/** What was asked for. */
let asked: string[] = [];
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? '');
    asked.push(url);
    response.setHeader('content-type', 'application/json');
    if (unknown !== undefined && url.includes(unknown)) {
      response.statusCode = 400;
      response.end(JSON.stringify({ error: { type: 'invalid_request_error', param: 'types' } }));
      return;
    }
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function client() {
  const { port } = server.address() as AddressInfo;
  return createStripeClient({ secretKey: 'sk_test_1', apiBase: `http://127.0.0.1:${port}` });
}

function read(object: unknown) {
  answer = object;
  return retrieveAgentAuthorization(client(), 'laa_1', {});
}
const base = { id: 'laa_1', status: 'approved', amount: 4900, currency: 'usd' };

describe('an agent authorization as Stripe answers it', () => {
  test('keeps id, status, amount, currency and metadata', async () => {
    expect(await read({ ...base, metadata: { a: 'b', n: 1 }, more: { than: 'we use' } })).toEqual({
      ...base,
      metadata: { a: 'b', n: '1' },
      payment_intent: null,
      shared_payment_granted_token: null,
    });
  });

  test.each(['payment_intent', 'shared_payment_granted_token'])(
    'names %s by id or as an object',
    async (field) => {
      expect(await read({ ...base, [field]: 'x_1' })).toMatchObject({ [field]: 'x_1' });
      expect(await read({ ...base, [field]: { id: 'x_1', object: 'x' } })).toMatchObject({ [field]: 'x_1' });
      for (const none of [null, '', {}, 7, { id: 7 }]) {
        expect(await read({ ...base, [field]: none })).toMatchObject({ [field]: null });
      }
    },
  );

  test('has empty metadata when there is none of a usable form', async () => {
    for (const metadata of [undefined, null, 'text']) {
      expect((await read({ ...base, metadata })).metadata).toEqual({});
    }
  });

  test.each([[{}], [{ id: 'laa_1' }], [{ status: 'approved' }], [{ id: 1, status: 2 }], [[]]])(
    'without id or status is an error: %o',
    async (object) => {
      await expect(read(object)).rejects.toThrow(TypeError);
    },
  );
});

describe('an account that does not know the events of wallets', () => {
  const wallet = 'link.agent_authorization.approved';
  const events = {
    object: 'list',
    url: '/v1/events',
    has_more: false,
    data: [{ id: 'evt_1', object: 'event' }],
  };

  beforeEach(() => {
    unknown = wallet;
    answer = events;
    asked = [];
  });
  afterAll(() => (unknown = undefined));

  test('lists its other events', async () => {
    const { data } = await listEvents(client(), { types: ['charge.refunded', wallet], limit: 5 }, {});
    expect(data.map(({ id }) => id)).toEqual(['evt_1']);
    expect(asked).toHaveLength(2);
    expect(asked[1]).toMatch(/limit=5/);
  });

  test('has no answers of wallets', async () => {
    expect(await listEvents(client(), { types: [wallet] }, {})).toEqual({ data: [], has_more: false });
    expect(await listWalletAnswers(client(), 1, {})).toEqual([]);
  });

  test('is told of other refusals, and the one that knows them of its answers', async () => {
    unknown = 'charge.refunded';
    await expect(listEvents(client(), { types: ['charge.refunded', wallet] }, {})).rejects.toThrow();
    await expect(listEvents(client(), { types: ['charge.refunded'] }, {})).rejects.toThrow();
    expect(await listWalletAnswers(client(), 1, {})).toMatchObject([{ id: 'evt_1' }]);
  });
});
