import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { urlProblem } from '../providers/tenant-webhooks/address.js';
import type { TenantWebhook } from '../providers/tenant-webhooks/sender.js';
import { isWebhookSecret } from '../providers/tenant-webhooks/signature.js';
import { ConfigurationError } from './config.js';

const file = z.strictObject({
  webhooks: z.array(
    z.strictObject({
      tenant: z.string(),
      url: z.string().max(2_000),
      secrets: z
        .array(z.string().refine(isWebhookSecret, 'must be whsec_ and base64 of 24 to 64 bytes'))
        .min(1)
        .max(4),
    }),
  ),
});

/**
 * Where tenants want their webhooks, by tenant; nobody does when there is no file. Throws a ConfigurationError that lists
 * every problem with its place and no value.
 */
export function loadTenantWebhooks(
  path: string | undefined,
  { tenants, livemode }: { tenants: ReadonlyMap<string, unknown>; livemode: boolean },
): ReadonlyMap<string, TenantWebhook> {
  if (path === undefined) return new Map();
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read';
    throw new ConfigurationError([`TENANT_WEBHOOKS_FILE ${reason}`]);
  }
  const parsed = file.safeParse(raw);
  if (!parsed.success) {
    throw new ConfigurationError(
      parsed.error.issues.map(
        ({ path: at, message }) => `TENANT_WEBHOOKS_FILE ${at.join('.') || '(top)'}: ${message}`,
      ),
    );
  }
  const { webhooks } = parsed.data;
  const problems = webhooks.flatMap(({ tenant, url }, index) => {
    const place = `TENANT_WEBHOOKS_FILE webhooks.${index}`;
    const address = urlProblem(url, livemode);
    return [
      ...(tenants.has(tenant) ? [] : [`${place}.tenant: is not in TENANTS_FILE`]),
      ...(webhooks.findIndex((other) => other.tenant === tenant) < index
        ? [`${place}.tenant: is named twice`]
        : []),
      ...(address === undefined ? [] : [`${place}.url: ${address}`]),
    ];
  });
  if (problems.length > 0) throw new ConfigurationError(problems);
  return new Map(webhooks.map(({ tenant, url, secrets }) => [tenant, { url, secrets }]));
}
