import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createApp } from '../../api/app.js';
import type { ApiKey, Scope } from '../../api/authenticate.js';
import { RunWatch } from '../../api/run-watch.js';
import { ApprovalLinks } from '../../providers/approval/approval-link.js';
import { RequestSeal } from '../../providers/approval/request-seal.js';
import { DecisionTokens } from '../../providers/approval/decision-token.js';
import { type Quote, QuoteTokens } from '../../api/quotes/quote-token.js';
import { freePort } from '../../local/ports.js';
import { createStripeClient } from '../../providers/stripe/client.js';
import { createTemporalClient } from '../../runtime/temporal.js';
import { testOwnership } from './activity-bench.js';
import { startStandIns, twilioAccount } from './stand-ins.js';
import { testTenants } from './test-tenants.js';

export const publicUrl = 'https://pay.example.com';
export const webhookSecrets = ['whsec_current', 'whsec_next'] as const;

export interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
  /** The body, where it is JSON. */
  json: Record<string, unknown>;
}

export interface CallOptions {
  key?: string | undefined;
  headers?: Record<string, string>;
  /** An object is sent as JSON, text and bytes as they are. */
  body?: unknown;
}

/** A key and what is stored of it. */
function makeKey(id: string, tenant: string, scopes: readonly Scope[], expiresAt?: string) {
  const key = `vc_test_${id}_${randomBytes(24).toString('base64url')}`;
  const sha256 = createHash('sha256').update(key).digest('hex');
  const stored: ApiKey = { id, tenant, name: id, sha256, scopes, expires_at: expiresAt };
  return { key, stored };
}

/** The client of the product, on an address where nothing answers. Each test file has its process, and its environment. */
async function clientOfAbsentServer() {
  process.env['TEMPORAL_ADDRESS'] = `127.0.0.1:${await freePort()}`;
  try {
    return createTemporalClient();
  } finally {
    delete process.env['TEMPORAL_ADDRESS'];
  }
}

function asObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** The real app on a real port, with Stripe's stand-in for prices and a Temporal that is away. */
export async function startApi() {
  const standIns = await startStandIns();
  const stripe = createStripeClient({ secretKey: 'sk_test_api', apiBase: standIns.url });
  const client = await clientOfAbsentServer();
  const all: readonly Scope[] = ['checkout', 'amount', 'refund'];
  const keys = {
    agent: makeKey('agent', 'acme', all),
    second: makeKey('second', 'acme', all),
    busy: makeKey('busy', 'acme', all),
    globex: makeKey('globex', 'globex', all),
    noAmount: makeKey('noamount', 'acme', ['checkout']),
    ops: makeKey('ops', 'acme', ['ops']),
    approver: makeKey('approver', 'acme', ['approve']),
    expired: makeKey('expired', 'acme', all, '2020-01-01T00:00:00Z'),
    orphan: makeKey('orphan', 'gone', all),
  };
  const log: string[] = [];
  const tokens = new QuoteTokens(Buffer.alloc(32, 1));
  const watch = new RunWatch(client);
  const app = createApp({
    seal: new RequestSeal(Buffer.alloc(32, 10)),
    announces: () => false,
    client,
    decisions: new DecisionTokens(Buffer.alloc(32, 3)),
    approvalLinks: new ApprovalLinks(Buffer.alloc(32, 4)),
    stripe,
    tenants: testTenants,
    keys: new Map(Object.values(keys).map(({ stored }) => [stored.id, stored])),
    tokens,
    identityKey: Buffer.alloc(32, 2),
    ownership: testOwnership,
    watch,
    stripeWebhookSecrets: webhookSecrets,
    twilioAuthToken: twilioAccount.authToken,
    publicUrl,
    livemode: false,
    log: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
  });
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;

  /** One request, its path sent as it is written. */
  function call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { body, key = keys.agent.key } = options;
    const raw = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    const headers: Record<string, string | number> = {
      ...(key !== '' && { authorization: `Bearer ${key}` }),
      ...(raw !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(raw),
      }),
      ...options.headers,
    };
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8');
          const given = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(given) as Record<string, string>,
            text,
            json: asObject(text),
          });
        });
      });
      request.on('error', reject);
      request.end(raw);
    });
  }

  return {
    app,
    port,
    keys,
    log,
    stripe,
    standIns,
    tokens,
    call,
    post: (path: string, body: unknown, options: CallOptions = {}) =>
      call('POST', path, { ...options, body }),
    close: async () => {
      watch.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await standIns.close();
    },
  };
}

export type ApiUnderTest = Awaited<ReturnType<typeof startApi>>;

/** A valid body of POST /v1/quotes. */
export const quoteRequest = (purchase: object = {}) => ({
  call: { id: 'call-1', channel: 'voice' },
  customer: { ref: 'customer-1', phone: '+15550123001', email: 'ada@example.com' },
  purchase: { kind: 'amount', amount: 4900, currency: 'usd', description: 'Growth plan', ...purchase },
});

export const someQuote = (overrides: Partial<Quote> = {}): Quote => ({
  tenant: 'acme',
  checkout_id: `co_${'a1'.repeat(15)}_1`,
  quote_id: `qt_${'b2'.repeat(15)}`,
  amount: 4900,
  currency: 'usd',
  description: 'Growth plan',
  call_id: 'call-1',
  customer_key: 'ck_1',
  locale: 'en-US',
  contact: { phone: '+15550123001' },
  ...overrides,
});

/** A valid body of POST /v1/checkouts. */
export const startRequest = (quote_token: string, consent: object = {}) => ({
  quote_token,
  consent: { amount: 4900, currency: 'usd', confirmed_at: '2026-11-01T10:00:00Z', words: 'yes', ...consent },
});
