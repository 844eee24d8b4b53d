import { generateKeyPairSync } from 'node:crypto';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quoteRequestSchema } from '../../api/quotes/schemas.js';
import { QuoteTokens } from '../../api/quotes/quote-token.js';
import { type ApiUnderTest, someQuote, startApi, startRequest } from '../support/api-under-test.js';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const later = () => new Date(Date.now() + 60_000);
const start = (token: string, changes: object = {}, key?: string) =>
  api.post('/v1/checkouts', { ...startRequest(token), ...changes }, { key });
/** The request was understood and would have been carried out; Temporal, which is away, was next. */
const accepted = { status: 503, code: 'unavailable', safe_to_retry: true };
const refused = { status: 400, code: 'invalid_request', detail: 'quote_token is not a quote of this tenant' };

const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** The token with one claim edited and the old signature. */
function edited(token: string, claim: string, value: unknown): string {
  const [header, payload = '', signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  return [header, json({ ...claims, [claim]: value }), signature].join('.');
}

describe('a quote token', () => {
  test('as it was given is understood', async () => {
    expect((await start(await api.tokens.sign(someQuote(), later()))).json).toMatchObject(accepted);
  });

  const changes: Record<string, unknown> = {
    tenant: 'globex',
    amount: 4800,
    currency: 'jpy',
    contact: { phone: '+15550129999' },
    exp: 9_999_999_999,
  };
  test.each([...Object.keys(someQuote()), 'exp'])('with %s edited is refused', async (claim) => {
    const value = changes[claim] ?? 'something else';
    const token = edited(await api.tokens.sign(someQuote(), later()), claim, value);
    const consent = { ...startRequest('').consent, ...(claim === 'amount' && { amount: 4800 }) };
    expect((await start(token, { consent })).json).toMatchObject(refused);
  });

  test.each([
    ['with another key', () => new QuoteTokens(Buffer.alloc(32, 9)).sign(someQuote(), later())],
    ['for another tenant', () => api.tokens.sign(someQuote({ tenant: 'globex' }), later())],
    ['with alg none', async () => new UnsecuredJWT({ ...someQuote() }).setExpirationTime(later()).encode()],
    [
      'with alg none and the type of ours',
      async () =>
        `${json({ alg: 'none', typ: 'vc-quote' })}.${json({ ...someQuote(), exp: 9_999_999_999 })}.`,
    ],
    [
      'with our key but for another purpose',
      () =>
        new SignJWT({ ...someQuote() })
          .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
          .setExpirationTime(later())
          .sign(Buffer.alloc(32, 1)),
    ],
    [
      'with our key but another algorithm',
      () =>
        new SignJWT({ ...someQuote() })
          .setProtectedHeader({ alg: 'HS512', typ: 'vc-quote' })
          .setExpirationTime(later())
          .sign(Buffer.alloc(64, 1)),
    ],
    [
      'with a public key algorithm',
      () =>
        new SignJWT({ ...someQuote() })
          .setProtectedHeader({ alg: 'RS256', typ: 'vc-quote' })
          .setExpirationTime(later())
          .sign(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
    ],
    [
      'without an expiry',
      () =>
        new SignJWT({ ...someQuote() })
          .setProtectedHeader({ alg: 'HS256', typ: 'vc-quote' })
          .sign(Buffer.alloc(32, 1)),
    ],
    ['of nothing', async () => 'a.b.c'],
    ['of text', async () => 'not a token'],
  ])('made %s is refused', async (_name, make) => {
    const { status, json: body } = await start(await make());
    expect([status, body['code']]).toEqual([400, 'invalid_request']);
  });

  test('of this tenant is refused from another tenant', async () => {
    const token = await api.tokens.sign(someQuote(), later());
    expect((await start(token, {}, api.keys.globex.key)).json).toMatchObject(refused);
  });

  test('that has expired starts nothing: its checkout is looked up, and only that', async () => {
    const past = new Date(Date.now() - 1_000);
    const token = await api.tokens.sign(someQuote(), past);
    expect(await api.tokens.open(token, 'acme')).toMatchObject({ expired: true, amount: 4900 });
    expect((await start(token)).json).toMatchObject(accepted);
    const consent = { ...startRequest('').consent, amount: 1 };
    expect((await start(token, { consent })).json).toMatchObject({ code: 'consent_mismatch' });
  });
});

describe('a consent', () => {
  test.each([
    ['one cent more', { amount: 4901 }],
    ['one cent less', { amount: 4899 }],
    ['another currency', { currency: 'eur' }],
    ['the currency in capitals', { currency: 'USD' }],
  ])('to %s does not match and names the checkout', async (_name, change) => {
    const token = await api.tokens.sign(someQuote(), later());
    const answer = await start(token, { consent: { ...startRequest('').consent, ...change } });
    expect(answer.json).toMatchObject({
      status: 422,
      code: 'consent_mismatch',
      checkout_id: someQuote().checkout_id,
    });
  });
});

describe('the rails of a start', () => {
  test.each<[string, object, object]>([
    ['none reaches the caller', { contact: {} }, {}],
    [
      'only the link is asked for and there is no phone',
      { contact: { email: 'a@example.com' } },
      { rails: ['paymentLink'] },
    ],
    [
      'only the wallet is asked for and the amount is above its limit',
      { amount: 50_001 },
      { rails: ['linkWallet'], consent: { ...startRequest('').consent, amount: 50_001 } },
    ],
  ])('are unavailable when %s', async (_name, quote, changes) => {
    const token = await api.tokens.sign(someQuote(quote), later());
    const answer = await start(token, changes);
    expect(answer.json).toMatchObject({ status: 409, code: 'rail_unavailable' });
  });

  test('are found when the start brings the contact that the quote lacks', async () => {
    const token = await api.tokens.sign(someQuote({ contact: {} }), later());
    const contact = { phone: '+15550123001', email: 'ada@example.com' };
    expect((await start(token, { contact })).json).toMatchObject(accepted);
  });

  test('are not opened for a phone number that is refused', async () => {
    const token = await api.tokens.sign(someQuote(), later());
    const answer = await start(token, { contact: { phone: '+19005550123', email: 'ada@example.com' } });
    expect(answer.json).toMatchObject({ status: 422, code: 'phone_invalid' });
  });
});

describe('while Temporal is away', () => {
  const path = `/v1/checkouts/co_${'a'.repeat(30)}_1`;
  test.each([
    ['GET', path, undefined],
    ['GET', `${path}?since=3&wait_ms=25000`, undefined],
    ['GET', `${path}/events`, undefined],
    ['POST', `${path}/cancel`, {}],
    ['POST', `${path}/cancel`, undefined],
    ['POST', `${path}/rail`, { rail: 'paymentLink' }],
  ])('%s %s says that the outcome is unknown and may be asked again', async (method, where, body) => {
    const answer = await api.call(method, where, { body });
    expect(answer.json).toMatchObject(accepted);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json['say']).toBe("I'm still confirming, please don't pay again.");
  });

  test('the process lives and is not ready', async () => {
    expect((await api.call('GET', '/healthz', { key: '' })).status).toBe(200);
    expect((await api.call('GET', '/readyz', { key: '' })).status).toBe(503);
  });
});

describe('a locale that a quote request may name', () => {
  test.each(['en-US', 'de', 'zh-Hant-TW'])('can be written in: %s', (locale) => {
    expect(quoteRequestSchema.shape.locale.safeParse(locale).success).toBe(true);
  });

  test.each(['en-12', 'de-DE-DE', 'en-a1', 'abc-de-fg'])(
    'must exist, or no sentence can be made: %s',
    (locale) => {
      expect(() => new Intl.NumberFormat(locale)).toThrow(RangeError);
      expect(quoteRequestSchema.shape.locale.safeParse(locale).success).toBe(false);
    },
  );
});
