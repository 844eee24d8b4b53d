import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigurationError } from '../../runtime/config.js';
import { loadTenants } from '../../runtime/tenants.js';

const folder = mkdtempSync(join(tmpdir(), 'tenants-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(content: unknown) {
  const path = join(folder, 'tenants.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return loadTenants(path);
}
function problemsOf(content: unknown): readonly string[] {
  try {
    load(content);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}
const rails = [{ rail: 'paymentLink', deadline_ms: 1_000 }];
const tenant = (changes: object = {}) => ({ id: 'acme', rails, ...changes });

describe('a tenants file', () => {
  test('is read as a list or under a name, with defaults for what it leaves out', () => {
    for (const content of [[tenant()], { tenants: [tenant()] }]) {
      expect(load(content).get('acme')).toMatchObject({
        name: 'acme',
        rails,
        limits: { walletMaxAmount: { usd: 50_000 }, smsPerNumber: { max: 30, windowMs: 3_600_000 } },
        locale: 'en-US',
        wording: {},
      });
    }
  });

  test('of the sample is valid and has two tenants', () => {
    const sample = loadTenants(join(import.meta.dirname, '../../tenants.sample.json'));
    expect([...sample.keys()]).toEqual(['acme', 'globex']);
  });

  test.each<[string, unknown, string]>([
    ['an id with a capital', [tenant({ id: 'Acme' })], 'TENANTS_FILE 0.id'],
    ['no rails', [tenant({ rails: [] })], 'TENANTS_FILE 0.rails'],
    ['a rail that does not exist', [tenant({ rails: [{ rail: 'cash', deadline_ms: 1 }] })], '0.rails.0.rail'],
    [
      'a deadline of nothing',
      [tenant({ rails: [{ rail: 'paymentLink', deadline_ms: 0 }] })],
      '0.rails.0.deadline_ms',
    ],
    ['an account of another form', [tenant({ stripe: { account: 'x' } })], '0.stripe.account'],
    [
      'a limit with a fraction',
      [tenant({ limits: { max_amount: { usd: 1.5 } } })],
      '0.limits.max_amount.usd',
    ],
    ['a limit in no currency', [tenant({ limits: { max_amount: { USD: 1 } } })], '0.limits.max_amount.USD'],
    ['a redirect to a script', [tenant({ redirect_url: 'javascript:0' })], '0.redirect_url'],
    ['a second tenant that is wrong', [tenant(), tenant({ id: '' })], 'TENANTS_FILE 1.id'],
    ['a locale that does not exist', [tenant({ locale: 'not a locale' })], '0.locale'],
  ])('with %s is refused with the place', (_name, content, place) => {
    expect(problemsOf(content).join('\n')).toContain(place);
  });

  test.each<[string, object, string[]]>([
    ['rails that are missing', { id: 'acme' }, ['rails']],
    ['a field of another type', tenant({ phone_countries: 'US' }), ['phone_countries']],
    ['several', { id: 7, rails, locale: 1 }, ['id', 'locale']],
  ])('under a name, with what was never right in it, is told place by place: %s', (_name, one, places) => {
    const found = problemsOf({ tenants: [tenant(), one] });
    expect(found.map((text) => text.split(':')[0])).toEqual(
      places.map((place) => `TENANTS_FILE tenants.1.${place}`),
    );
  });

  test.each([
    ['a text', '"x"'],
    ['nothing', 'null'],
    ['something else', '{"shops":[]}'],
  ])('that holds %s says what was expected', (_name, content) => {
    expect(problemsOf(content)).toEqual([expect.stringMatching(/expected (object|array)/)]);
  });

  test('takes a threshold of 0, by which every refund needs a person, and no limit of 0', () => {
    expect(load([tenant({ refunds: { threshold: { usd: 0 } } })]).get('acme')?.refunds.threshold).toEqual({
      usd: 0,
    });
    expect(problemsOf([tenant({ refunds: { threshold: { usd: -1 } } })])).toHaveLength(1);
    expect(problemsOf([tenant({ limits: { max_amount: { usd: 0 } } })])).toHaveLength(1);
  });

  test.each<[string, unknown, string]>([
    ['a tenant twice', [tenant(), tenant()], 'twice'],
    ['no tenant', [], 'no tenant'],
    ['text that is not JSON', '{', 'not valid JSON'],
    ['a number', '7', 'TENANTS_FILE'],
  ])('with %s is refused', (_name, content, text) => {
    expect(problemsOf(content).join('\n')).toContain(text);
  });

  test('lists every problem at once', () => {
    expect(problemsOf([tenant({ id: '', rails: [], locale: 'x' })]).length).toBe(3);
  });

  test('names the place also when the list stands under a name', () => {
    expect(problemsOf({ tenants: [tenant({ rails: [] })] }).join('\n')).toContain('tenants.0.rails');
  });

  test('that is missing is told without its path', () => {
    expect(() => loadTenants(join(folder, 'none.json'))).toThrow('TENANTS_FILE cannot be read');
  });
});
