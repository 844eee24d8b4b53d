import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiUnderTest, quoteRequest, startApi, startRequest } from '../support/api-under-test.js';
import { cardForms, testCards } from '../support/card-forms.js';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const card = '4242 4242 4242 4242';
const checkoutPath = `/v1/checkouts/co_${'a'.repeat(30)}_1`;

/** Every place of a string in the value, each with the value in which that string holds a card number. */
function planted(value: unknown, text = card): [place: string, changed: unknown][] {
  if (typeof value === 'string') return [['', text]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    planted(inner, text).map(([place, changed]): [string, unknown] => [
      `${key}${place && '.'}${place}`,
      Array.isArray(value)
        ? value.map((item: unknown, index) => (String(index) === key ? changed : item))
        : { ...value, [key]: changed },
    ]),
  );
}

const bodies: [path: string, body: object][] = [
  [
    '/v1/quotes',
    { ...quoteRequest(), locale: 'en', after: 'co_1', call: { id: 'c', channel: 'voice', platform: 'p' } },
  ],
  ['/v1/quotes', { ...quoteRequest(), purchase: { kind: 'price', price: 'price_1' } }],
  [
    '/v1/checkouts',
    { ...startRequest('a.b.c'), contact: { phone: '+15550123001', email: 'a@b.de' }, rails: ['paymentLink'] },
  ],
  [`${checkoutPath}/cancel`, { reason: 'no' }],
  [`${checkoutPath}/rail`, { rail: 'paymentLink', contact: { phone: '+15550123001', email: 'a@b.de' } }],
  ['/v1/quotes', { unknown: [{ deeply: ['hidden'] }] }],
];
const places = bodies.flatMap(([path, body]) =>
  planted(body).map(([place, changed]) => [path, place, changed] as const),
);

const digits = /4[\s%0-9+.-]*2[\s%0-9+.-]*4[\s%0-9+.-]*2[\s\S]{0,40}4242/;
/** Refused, and the number is in no part of the answer and in no line of the log. */
async function expectRefused(answer: Awaited<ReturnType<ApiUnderTest['call']>>): Promise<void> {
  expect(answer.json).toMatchObject({ status: 422, code: 'card_data_refused' });
  expect(answer.text + JSON.stringify(answer.headers)).not.toMatch(digits);
  expect(api.log.join('')).not.toMatch(digits);
}

describe('a card number is refused, not echoed and not logged', () => {
  test.each(places)('in %s at %s', async (path, _place, body) => {
    await expectRefused(await api.post(path, body));
  });

  test.each(cardForms)('in the form: %s', async (_name, text) => {
    const { json } = await api.post('/v1/quotes', quoteRequest({ description: text }));
    expect(json).toMatchObject({ status: 422, code: 'card_data_refused' });
  });

  test('as a number', async () => {
    await expectRefused(await api.post('/v1/quotes', quoteRequest({ amount: Number(testCards.visa) })));
  });

  test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'in a field named %s, at any depth',
    async (name) => {
      for (const inner of [`{"${name}":"${card}"}`, `[[{"${name}":{"${name}":["${card}"]}}]]`]) {
        const body = JSON.stringify(quoteRequest()).replace('{', `{"extra":${inner},`);
        await expectRefused(await api.post('/v1/quotes', body));
      }
    },
  );

  test.each([
    ['a text', `"reason":"${card}"`],
    ['a name with escapes', String.raw`"re\u0061son":"4242 4242 4242\u00204242"`],
    ['a number', `"reason":[${testCards.visa}]`],
  ])('in a field that is given twice, in its first value: %s', async (_name, first) => {
    await expectRefused(await api.post(`${checkoutPath}/cancel`, `{${first},"reason":"no"}`));
  });

  test('as the name of a field', async () => {
    await expectRefused(await api.post('/v1/quotes', { ...quoteRequest(), [card]: 1 }));
  });

  test('as a phone number', async () => {
    const body = { ...quoteRequest(), customer: { phone: `+${testCards.visa}` } };
    await expectRefused(await api.post('/v1/quotes', body));
  });

  test('in the query', async () => {
    await expectRefused(await api.call('GET', `${checkoutPath}?since=4242+4242+4242+4242`));
    await expectRefused(await api.call('GET', `${checkoutPath}?note=4242%2D4242%2D4242%2D4242`));
  });

  test('in the Idempotency-Key', async () => {
    const headers = { 'idempotency-key': `call-${testCards.visa}` };
    await expectRefused(await api.post('/v1/quotes', quoteRequest(), { headers }));
  });
});

describe('a card number in the address', () => {
  test.each([`/v1/checkouts/${testCards.visa}`, `/v1/checkouts/${card.replaceAll(' ', '%20')}/cancel`])(
    'is refused, not echoed and not logged: %s',
    async (path) => {
      api.log.length = 0;
      await expectRefused(await api.call(path.endsWith('cancel') ? 'POST' : 'GET', path));
    },
  );

  test.each(['/other', '/v1/quotes', '/webhooks'])(
    'is not logged where nobody looks at it: %s/…',
    async (start) => {
      api.log.length = 0;
      await api.call('GET', `${start}/${testCards.visa}`, { key: '' });
      expect(api.log).toHaveLength(1);
      expect(api.log.join('')).not.toMatch(digits);
    },
  );
});

describe('a card number in the request id', () => {
  test('is refused, not echoed and not logged', async () => {
    api.log.length = 0;
    const headers = { 'x-request-id': testCards.visa };
    await expectRefused(await api.post('/v1/quotes', quoteRequest(), { headers }));
  });
});

describe('what is no card number is taken', () => {
  test.each([
    ['a UUID for a call', { call: { id: '6ba7b810-9dad-11d1-80b4-00c04fd430c8', channel: 'voice' } }],
    ['a long phone number', { customer: { phone: '+4915123456789' } }],
    ['a phone number that could be a card', { customer: { phone: '+4915112345678', ref: '"phone":' } }],
    ['a time in the reference', { customer: { ref: '2026-11-21T08:37:47.123Z' } }],
  ])('%s', async (_name, part) => {
    expect((await api.post('/v1/quotes', { ...quoteRequest(), ...part })).status).toBe(503);
  });
});
