import { describe, expect, test } from 'vitest';
import { ConfigurationError, readApiConfig, readWorkerConfig } from '../../runtime/config.js';

const worker = {
  STRIPE_SECRET_KEY: 'sk_test_value',
  TWILIO_ACCOUNT_SID: 'ACvalue',
  TWILIO_AUTH_TOKEN: 'token-value',
  DEPLOYMENT_ID: 'prod-eu',
  DEPLOYMENT_SECRET: 'deployment-secret-value-of-32-bytes',
  PUBLIC_URL: 'https://pay.example.com/',
  TENANTS_FILE: 'tenants.json',
};
const api = { ...worker, STRIPE_WEBHOOK_SECRET: 'whsec_a, whsec_b', API_KEYS_FILE: 'keys.json' };

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}
const apiProblems = (changes: Record<string, string>) =>
  problemsOf(() => readApiConfig({ ...api, ...changes }));

describe('a complete configuration', () => {
  test('is read, with every webhook secret and without a trailing slash in the URL', () => {
    expect(readApiConfig(api)).toMatchObject({
      stripe: { secretKey: 'sk_test_value', livemode: false, apiBase: undefined },
      stripeWebhookSecrets: ['whsec_a', 'whsec_b'],
      publicUrl: 'https://pay.example.com',
      host: '127.0.0.1',
      port: 3000,
      logLevel: 'info',
    });
    expect(readWorkerConfig({ ...worker, HEALTH_PORT: '0' })).toMatchObject({ healthPort: 0 });
  });

  test('may name the Temporal UI', () => {
    expect(readApiConfig(api).temporalUiUrl).toBeUndefined();
    const named = { ...api, TEMPORAL_UI_URL: 'https://temporal.example.com/' };
    expect(readApiConfig(named).temporalUiUrl).toBe('https://temporal.example.com');
    expect(apiProblems({ TEMPORAL_UI_URL: 'somewhere' })).toEqual(['TEMPORAL_UI_URL is not an http(s) URL']);
  });

  test.each([
    [undefined, 300_000],
    ['60000', 60_000],
    ['off', 'off'],
  ])('compares with Stripe every five minutes unless it says %s', (RECONCILE_EVERY_MS, expected) => {
    expect(readWorkerConfig({ ...worker, RECONCILE_EVERY_MS }).reconcileEveryMs).toBe(expected);
  });

  test.each(['never', '999', '1.5', '86400001'])('does not compare every %s ms', (value) => {
    expect(problemsOf(() => readWorkerConfig({ ...worker, RECONCILE_EVERY_MS: value }))).toEqual([
      'RECONCILE_EVERY_MS is neither a number from 1000 to 86400000 nor off',
    ]);
  });

  test('takes stand-ins beside a test key', () => {
    expect(
      apiProblems({ STRIPE_API_BASE: 'http://127.0.0.1:1', TWILIO_API_BASE: 'http://127.0.0.1:1' }),
    ).toEqual([]);
  });
});

describe('a wrong configuration', () => {
  test('is told with every problem at once', () => {
    const names = Object.keys(api).sort();
    const missing = problemsOf(() => readApiConfig({})).map((problem) => problem.split(' ')[0]);
    expect(missing.sort()).toEqual(names);
    expect(problemsOf(() => readWorkerConfig({})).length).toBe(Object.keys(worker).length);
  });

  test('counts blank values as missing', () => {
    const blank = Object.fromEntries(Object.keys(api).map((name) => [name, '  ']));
    expect(problemsOf(() => readApiConfig(blank))).toEqual(problemsOf(() => readApiConfig({})));
  });

  test.each([
    ['STRIPE_SECRET_KEY', 'pk_test_LEAK'],
    ['STRIPE_API_BASE', 'ftp://LEAK'],
    ['TWILIO_API_BASE', 'LEAK'],
    ['TWILIO_ACCOUNT_SID', 'SKLEAK'],
    ['DEPLOYMENT_ID', 'Prod LEAK'],
    ['DEPLOYMENT_SECRET', 'LEAK'],
    ['PUBLIC_URL', 'javascript:LEAK'],
    ['STRIPE_WEBHOOK_SECRET', 'whsec_a,LEAK'],
    ['PORT', '70000LEAK'],
  ])('names %s and prints no value', (name, value) => {
    const problems = apiProblems({ [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(name);
    expect(problems.join()).not.toContain('LEAK');
    expect(new ConfigurationError(problems).message).not.toContain('LEAK');
  });

  test('prints no value when everything is wrong', () => {
    const wrong = Object.fromEntries(Object.keys(api).map((name) => [name, 'LEAK']));
    const problems = apiProblems({ ...wrong, PORT: 'LEAK', STRIPE_API_BASE: 'LEAK' });
    expect(problems.length).toBeGreaterThanOrEqual(7);
    expect(problems.join()).not.toContain('LEAK');
  });
});

describe('a live key', () => {
  test.each(['sk_live_1', 'rk_live_1'])('%s is taken and seen as live', (STRIPE_SECRET_KEY) => {
    expect(readApiConfig({ ...api, STRIPE_SECRET_KEY }).stripe.livemode).toBe(true);
  });

  test.each(['STRIPE_API_BASE', 'TWILIO_API_BASE'])('is refused beside %s', (name) => {
    const problems = apiProblems({ STRIPE_SECRET_KEY: 'sk_live_1', [name]: 'https://stand-in.example.com' });
    expect(problems).toEqual([expect.stringContaining(name)]);
  });

  test('is refused with a public URL that is not https', () => {
    const problems = apiProblems({ STRIPE_SECRET_KEY: 'sk_live_1', PUBLIC_URL: 'http://pay.example.com' });
    expect(problems).toEqual([expect.stringContaining('PUBLIC_URL')]);
  });
});
