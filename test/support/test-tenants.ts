import { join } from 'node:path';
import type { Tenant } from '../../domain/tenant.js';
import { loadTenants } from '../../runtime/tenants.js';

/** What the tests do not depend on is as in the sample. */
const sample = loadTenants(join(import.meta.dirname, '../../tenants.sample.json')).get('acme');
if (!sample) throw new Error('the sample has no tenant acme');

/** A tenant on the key's own account, with both rails. */
export const acme: Tenant = {
  ...sample,
  stripeAccount: undefined,
  id: 'acme',
  name: 'Acme',
  rails: [
    { rail: 'linkWallet', deadline_ms: 60_000 },
    { rail: 'paymentLink', deadline_ms: 1_800_000 },
  ],
  limits: {
    maxAmount: { usd: 500_000, eur: 500_000, jpy: 500_000 },
    walletMaxAmount: { usd: 50_000 },
    smsPerNumber: { max: 3, windowMs: 3_600_000 },
  },
  sms: { from: '+15550100100' },
  phoneCountries: ['US', 'CA', 'GB', 'DE'],
  redirectUrl: 'https://example.com/thanks',
  locale: 'en-US',
  wording: {},
};

/** A tenant on a connected account. */
export const globex: Tenant = { ...acme, id: 'globex', name: 'Globex', stripeAccount: 'acct_globex' };

export const testTenants: ReadonlyMap<string, Tenant> = new Map([
  [acme.id, acme],
  [globex.id, globex],
]);
