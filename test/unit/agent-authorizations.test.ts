import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { retrieveAgentAuthorization } from '../../providers/stripe/agent-authorizations.js';
import { createStripeClient } from '../../providers/stripe/client.js';

/** Answers every request with this object: an undocumented API may answer anything. */
let answer: unknown;
let server: Server;

beforeAll(async () => {
  server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function read(object: unknown) {
  answer = object;
  const { port } = server.address() as AddressInfo;
  const stripe = createStripeClient({ secretKey: 'sk_test_1', apiBase: `http://127.0.0.1:${port}` });
  return retrieveAgentAuthorization(stripe, 'laa_1', {});
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
