import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  apiEnvironment,
  simulatorEnvironment,
  tenantWebhooksFile,
  type Wiring,
  workerEnvironment,
} from '../../local/child-environments.js';
import { preferredPorts } from '../../local/ports.js';
import { describeReality } from '../../local/reality.js';
import { apiKeysFile, loadSecrets, tenantKeys } from '../../local/secrets.js';
import { ConfigurationError, readSettings, type Settings } from '../../local/settings.js';

const folder = mkdtempSync(join(tmpdir(), 'local-settings-'));
const sampleTenantsFile = new URL('../../tenants.sample.json', import.meta.url).pathname;
const sid = `AC${'0a'.repeat(16)}`;
const token = 'f'.repeat(32);

const read = (env: NodeJS.ProcessEnv, remote = false): Settings =>
  readSettings(env, { remote, sampleTenantsFile });

function problems(env: NodeJS.ProcessEnv, remote = false): string[] {
  try {
    read(env, remote);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return [...error.problems];
    throw error;
  }
}

function tenantsFile(text: string): string {
  const file = join(folder, `${Math.random()}.json`);
  writeFileSync(file, text);
  return file;
}

describe('settings of a local start', () => {
  it('are stand-ins and the two sample tenants when nothing is set', () => {
    const settings = read({});
    expect(settings.tenantIds).toEqual(['acme', 'globex']);
    expect(describeReality(settings)).toBe('Stripe: local stand-in, no money moves | SMS: local phone');
  });

  it('lists every problem at once and prints no value', () => {
    const secret = 'sk_live_do_not_print';
    const env = {
      STRIPE_SECRET_KEY: secret,
      STRIPE_WEBHOOK_SECRET: 'wh_do_not_print',
      TWILIO_ACCOUNT_SID: 'do_not_print',
      TWILIO_API_BASE: 'ftp://do_not_print',
      TENANTS_FILE: '/do_not_print',
      TEMPORAL_ADDRESS: 'do_not_print',
      PUBLIC_URL: 'do_not_print',
      LOG_LEVEL: 'do_not_print',
      RECONCILE_EVERY_MS: 'do_not_print',
    };
    const found = problems(env);
    expect(found).toHaveLength(10);
    for (const name of Object.keys(env)) expect(found.join('\n')).toContain(name);
    expect(found.join('\n')).not.toContain('do_not_print');
  });

  it.each(['sk_live_abc', 'rk_live_abc'])('refuses the live key %s', (key) => {
    const found = problems({ STRIPE_SECRET_KEY: key, STRIPE_WEBHOOK_SECRET: 'whsec_a' });
    expect(found).toEqual([expect.stringContaining('live key')]);
  });

  it("means Stripe's test mode with key and webhook secret, and needs both", () => {
    const both = read({ STRIPE_SECRET_KEY: 'sk_test_a1', STRIPE_WEBHOOK_SECRET: 'whsec_a,whsec_b' });
    expect(describeReality(both)).toBe('Stripe: test mode, real API | SMS: local phone');
    expect(problems({ STRIPE_SECRET_KEY: 'sk_test_a1' })).toHaveLength(1);
    expect(problems({ STRIPE_WEBHOOK_SECRET: 'whsec_a' })).toHaveLength(1);
  });

  it('takes a Stripe of the user without keys', () => {
    const settings = read({ STRIPE_API_BASE: 'http://127.0.0.1:9999/' });
    expect(settings.stripe).toEqual({ kind: 'url', url: 'http://127.0.0.1:9999' });
    expect(settings.twilio.kind).toBe('stand-in');
  });

  it('takes another Temporal machine only with --remote', () => {
    expect(problems({ TEMPORAL_ADDRESS: 'cluster.example:7233' })).toHaveLength(1);
    expect(read({ TEMPORAL_ADDRESS: 'cluster.example:7233' }, true).temporalIsRemote).toBe(true);
    for (const address of ['127.0.0.1:7233', 'localhost:7233', '[::1]:7233']) {
      expect(read({ TEMPORAL_ADDRESS: address }).temporalIsRemote).toBe(false);
    }
  });

  it("tells everything that the product will not take in a tenants file of the user's, beside what else is wrong", () => {
    const rail = { rail: 'cash', deadline_ms: 0 };
    const file = tenantsFile(JSON.stringify({ tenants: [{ id: 'A', rails: [rail] }, { id: 'b' }] }));
    const found = problems({ TENANTS_FILE: file, LOG_LEVEL: 'loud' });
    expect(found.map((text) => text.split(':')[0])).toEqual([
      ...['id', 'rails.0.rail', 'rails.0.deadline_ms'].map((place) => `TENANTS_FILE tenants.0.${place}`),
      'TENANTS_FILE tenants.1.rails',
      expect.stringContaining('LOG_LEVEL'),
    ]);
    const unreachable = { id: 'only', rails: [{ rail: 'paymentLink', deadline_ms: 1_000 }] };
    const approvers = [{ id: 'dana', name: 'Dana' }];
    expect(
      problems({ TENANTS_FILE: tenantsFile(JSON.stringify([{ ...unreachable, refunds: { approvers } }])) }),
    ).toEqual([expect.stringContaining('approver dana')]);
    expect(read({ TENANTS_FILE: tenantsFile(JSON.stringify([unreachable])) }).tenantIds).toEqual(['only']);
  });
});

describe('what the processes are given', () => {
  const wiring = (env: NodeJS.ProcessEnv, remote = false): Wiring => ({
    settings: read(env, remote),
    secrets: loadSecrets(join(folder, 'secrets.json'), ['acme', 'globex']),
    ports: preferredPorts,
    smtpPort: 2525,
    temporalAddress: env['TEMPORAL_ADDRESS'] ?? '127.0.0.1:7233',
    files: {
      temporalConfig: '/d/temporal.toml',
      workflowBundle: '/d/bundle.js',
      apiKeys: '/d/keys.json',
      tenantWebhooks: '/d/tenant-webhooks.json',
    },
  });

  it('holds none of the inherited TEMPORAL_ variables', () => {
    const env = {
      TEMPORAL_API_KEY: 'x',
      TEMPORAL_PROFILE: 'x',
      TEMPORAL_TLS: 'true',
      PATH: '/bin',
      OTHER: 'x',
    };
    expect(apiEnvironment(wiring(env), env)).not.toMatchObject({ OTHER: 'x' });
    const names = Object.keys(workerEnvironment(wiring(env), env, 1)).filter((name) =>
      name.startsWith('TEMPORAL_'),
    );
    expect(names.sort()).toEqual(['TEMPORAL_ADDRESS', 'TEMPORAL_CONFIG_FILE', 'TEMPORAL_NAMESPACE']);
  });

  it('holds the address of the UI of our own server, and of no other', () => {
    const own = apiEnvironment(wiring({}), {});
    expect(own['TEMPORAL_UI_URL']).toBe(`http://127.0.0.1:${preferredPorts.ui}`);
    const env = { TEMPORAL_ADDRESS: 'cluster.example:7233' };
    expect(apiEnvironment(wiring(env, true), env)['TEMPORAL_UI_URL']).toBeUndefined();
  });

  it('holds what a cluster asks for with --remote', () => {
    const env = { TEMPORAL_ADDRESS: 'cluster.example:7233', TEMPORAL_API_KEY: 'x', TEMPORAL_NAMESPACE: 'n' };
    const given = workerEnvironment(wiring(env, true), env, 1);
    expect(given).toMatchObject({ TEMPORAL_API_KEY: 'x', TEMPORAL_NAMESPACE: 'n' });
  });

  it('names the stand-ins only for the vendors that are not real', () => {
    const env = { STRIPE_SECRET_KEY: 'sk_test_a1', STRIPE_WEBHOOK_SECRET: 'whsec_a' };
    const given = apiEnvironment(wiring(env), env);
    expect(given['STRIPE_API_BASE']).toBeUndefined();
    expect(given['TWILIO_API_BASE']).toBe('http://127.0.0.1:3001');
    const real = { TWILIO_ACCOUNT_SID: sid, TWILIO_AUTH_TOKEN: token };
    expect(apiEnvironment(wiring(real), real)['TWILIO_API_BASE']).toBeUndefined();
  });

  it('sends mail to the stand-ins, which only workers know, or to the server of the user', () => {
    const given = workerEnvironment(wiring({}), {}, 1);
    expect(given).toMatchObject({
      SMTP_URL: 'smtp://127.0.0.1:2525',
      MAIL_FROM: 'no-reply@voice-checkout.test',
    });
    expect(apiEnvironment(wiring({}), {})).not.toHaveProperty('SMTP_URL');
    const env = { SMTP_URL: 'smtps://user:secret@mail.example:465', MAIL_FROM: 'Shop <pay@shop.example>' };
    expect(workerEnvironment(wiring(env), env, 1)).toMatchObject(env);
    expect(describeReality(read(env))).toContain('e-mail: the server at SMTP_URL');
    expect(problems({ SMTP_URL: 'http://do_not_print' })).toEqual([expect.not.stringContaining('do_not')]);
  });

  it("sends webhooks to the stand-ins' receivers, which know their secrets, or where the user says", () => {
    const { secrets } = wiring({});
    const file = tenantWebhooksFile(secrets, ['globex'], 'http://127.0.0.1:3001');
    const secret = secrets.tenantWebhookSecrets['globex'];
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(file).toEqual({
      webhooks: [
        { tenant: 'globex', url: 'http://127.0.0.1:3001/_local/receiver/globex', secrets: [secret] },
      ],
    });
    const known = simulatorEnvironment(wiring({}), {})['RECEIVER_SECRETS'];
    expect(JSON.parse(known ?? '')).toEqual(secrets.tenantWebhookSecrets);
    for (const environment of [apiEnvironment, workerEnvironment]) {
      expect(environment(wiring({}), {}, 1)).toMatchObject({
        TENANT_WEBHOOKS_FILE: '/d/tenant-webhooks.json',
      });
      const env = { TENANT_WEBHOOKS_FILE: '/own/webhooks.json' };
      expect(environment(wiring(env), env, 1)).toMatchObject(env);
    }
  });

  it('keeps webhook secrets, and makes them for tenants of an older data folder', () => {
    const file = join(folder, 'older-secrets.json');
    const { tenantWebhookSecrets, ...older } = loadSecrets(file);
    expect(tenantWebhookSecrets).toEqual({});
    writeFileSync(file, JSON.stringify(older));
    const first = loadSecrets(file, ['acme']);
    expect(first).toMatchObject(older);
    expect(Object.keys(first.tenantWebhookSecrets)).toEqual(['acme']);
    const second = loadSecrets(file, ['acme', 'globex']).tenantWebhookSecrets;
    expect(second).toMatchObject(first.tenantWebhookSecrets);
    expect(loadSecrets(file).tenantWebhookSecrets).toEqual(second);
  });

  it('has API keys that stay the same over restarts, and gives the API only their hashes', () => {
    const secrets = loadSecrets(join(folder, 'secrets.json'));
    const keys = tenantKeys(secrets, 'acme');
    expect(tenantKeys(loadSecrets(join(folder, 'secrets.json')), 'acme')).toEqual(keys);
    expect(keys.agent).toMatch(/^vc_test_[0-9a-f]{8}_[\w-]{43}$/);
    const file = JSON.stringify(apiKeysFile(secrets, ['acme', 'globex']));
    expect(file).not.toContain(keys.agent.slice(17));
    expect(file).toContain('"scopes":["checkout","amount","refund"]');
  });
});
