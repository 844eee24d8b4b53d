import { createHash, createHmac, randomBytes } from 'node:crypto';
import { chmodSync, existsSync } from 'node:fs';
import { isRecord, readJson, writeJson } from './files.js';

/** Made once per data folder and kept, so that what was signed or started before a restart stays ours. */
export interface Secrets {
  deploymentId: string;
  deploymentSecret: string;
  stripeSecretKey: string;
  stripeWebhookSecret: string;
  twilioAccountSid: string;
  twilioAuthToken: string;
  /** API keys are computed from it, so that they stay the same without being stored. */
  apiKeySeed: string;
  /** By tenant: what webhooks to its own system are signed with, `whsec_` and base64. */
  tenantWebhookSecrets: Record<string, string>;
  createdAt: string;
}

/** `tenants` are those that get webhooks. */
export function loadSecrets(file: string, tenants: readonly string[] = []): Secrets {
  if (existsSync(file)) {
    const saved = readJson(file);
    if (!isSecrets(saved)) throw new Error(`${file} is damaged; move the data folder away to begin anew`);
    chmodSync(file, 0o600);
    const secrets = { ...saved, tenantWebhookSecrets: withTenants(saved['tenantWebhookSecrets'], tenants) };
    if (JSON.stringify(secrets) !== JSON.stringify(saved)) writeJson(file, secrets);
    return secrets;
  }
  const secrets: Secrets = {
    deploymentId: `local-${randomBytes(3).toString('hex')}`,
    deploymentSecret: randomBytes(32).toString('base64url'),
    stripeSecretKey: `sk_test_local${randomBytes(12).toString('hex')}`,
    stripeWebhookSecret: `whsec_${randomBytes(24).toString('hex')}`,
    twilioAccountSid: `AC${randomBytes(16).toString('hex')}`,
    twilioAuthToken: randomBytes(16).toString('hex'),
    apiKeySeed: randomBytes(32).toString('base64url'),
    tenantWebhookSecrets: withTenants({}, tenants),
    createdAt: new Date().toISOString(),
  };
  writeJson(file, secrets);
  return secrets;
}

/** The saved secrets and a new one for each tenant that has none: a folder may be older than webhooks or a tenant. */
function withTenants(saved: unknown, tenants: readonly string[]): Record<string, string> {
  const kept = Object.entries(isRecord(saved) ? saved : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const made = tenants.map((tenant) => [tenant, `whsec_${randomBytes(32).toString('base64')}`] as const);
  return Object.fromEntries([...made, ...kept]);
}

const secretNames = [
  'deploymentId',
  'deploymentSecret',
  'stripeSecretKey',
  'stripeWebhookSecret',
  'twilioAccountSid',
  'twilioAuthToken',
  'apiKeySeed',
  'createdAt',
] as const satisfies Exclude<keyof Secrets, 'tenantWebhookSecrets'>[];

function isSecrets(
  value: unknown,
): value is Record<(typeof secretNames)[number], string> & Record<string, unknown> {
  return (
    isRecord(value) && secretNames.every((name) => typeof value[name] === 'string' && value[name] !== '')
  );
}

export type KeyName = 'agent' | 'approver' | 'supervisor' | 'ops';
export type TenantKeys = Record<KeyName, string>;

const scopesOf: Record<KeyName, readonly string[]> = {
  agent: ['checkout', 'amount', 'refund'],
  approver: ['approve'],
  supervisor: ['refund', 'approve'],
  ops: ['ops'],
};

/** `vc_test_<id>_<secret>`: id 8 hex digits (public, names the key), secret 32 bytes. */
export function tenantKeys(secrets: Secrets, tenant: string): TenantKeys {
  const derive = (purpose: string, name: KeyName): Buffer =>
    createHmac('sha256', secrets.apiKeySeed)
      .update(JSON.stringify([purpose, tenant, name]))
      .digest();
  const key = (name: KeyName): string =>
    `vc_test_${derive('id', name).toString('hex').slice(0, 8)}_${derive('secret', name).toString('base64url')}`;
  return { agent: key('agent'), approver: key('approver'), supervisor: key('supervisor'), ops: key('ops') };
}

/** What the API gets: hashes, so that its file opens nothing. */
export function apiKeysFile(secrets: Secrets, tenants: readonly string[]): object {
  return {
    keys: tenants.flatMap((tenant) =>
      Object.entries(tenantKeys(secrets, tenant)).map(([name, raw]) => ({
        id: raw.split('_')[2],
        tenant,
        name,
        sha256: createHash('sha256').update(raw).digest('hex'),
        scopes: scopesOf[name as KeyName],
        created_at: secrets.createdAt,
      })),
    ),
  };
}
