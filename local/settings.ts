import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { isRecord } from './files.js';
import { splitAddress } from './readiness.js';
import { tenantsFileProblems } from './tenants-check.js';

/** How a vendor is reached: our stand-in, a URL that the user brought, or the vendor itself. */
export type VendorMode = { kind: 'stand-in' } | { kind: 'url'; url: string } | { kind: 'real' };

export interface Settings {
  tenantsFile: string;
  /** In the order of the file. */
  tenantIds: string[];
  stripe: VendorMode;
  stripeSecretKey: string | undefined;
  /** As given: comma-separated while secrets rotate. */
  stripeWebhookSecret: string | undefined;
  twilio: VendorMode;
  twilioAccountSid: string | undefined;
  twilioAuthToken: string | undefined;
  temporalAddress: string | undefined;
  temporalIsRemote: boolean;
  publicUrl: string | undefined;
  /** The user's own mail server, sender and file of tenants' webhooks, passed on as given. */
  smtpUrl: string | undefined;
  mailFrom: string | undefined;
  tenantWebhooksFile: string | undefined;
  logLevel: string | undefined;
  /** How often Stripe is compared with the runs, ms, or `off`; passed on as given. */
  reconcileEveryMs: string | undefined;
}

/** Everything that is wrong, at once. Names variables, never their values. */
export class ConfigurationError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`Configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigurationError';
  }
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export function readSettings(
  env: NodeJS.ProcessEnv,
  options: { remote: boolean; sampleTenantsFile: string },
): Settings {
  const problems: string[] = [];
  const problem = (text: string): void => void problems.push(text);
  const get = (name: string): string | undefined => env[name]?.trim() || undefined;

  const stripe = readStripe(get, problem);
  const twilio = readTwilio(get, problem);
  const ownTenantsFile = get('TENANTS_FILE');
  const tenantsFile = resolve(ownTenantsFile ?? options.sampleTenantsFile);
  // The sample is right; asking would only make every start a second longer.
  if (ownTenantsFile) tenantsFileProblems(tenantsFile).forEach(problem);
  const temporalAddress = get('TEMPORAL_ADDRESS');
  const temporalIsRemote = readTemporalAddress(temporalAddress, options.remote, problem);
  const publicUrl = readUrl('PUBLIC_URL', get, problem);
  const smtpUrl = get('SMTP_URL');
  if (smtpUrl && !(URL.canParse(smtpUrl) && /^smtps?:\/\/./.test(smtpUrl)))
    problem('SMTP_URL must be smtp://… or smtps://…');
  const webhooksFile = get('TENANT_WEBHOOKS_FILE');
  const logLevel = get('LOG_LEVEL');
  if (logLevel && !logLevels.includes(logLevel)) problem(`LOG_LEVEL must be one of ${logLevels.join(', ')}`);

  const reconcileEveryMs = get('RECONCILE_EVERY_MS');
  if (reconcileEveryMs && !/^(off|[1-9]\d{3,7})$/.test(reconcileEveryMs))
    problem('RECONCILE_EVERY_MS must be off or a number of milliseconds, 1000 or more');

  if (problems.length > 0) throw new ConfigurationError(problems);
  return {
    tenantsFile,
    tenantIds: readTenantIds(tenantsFile),
    ...stripe,
    ...twilio,
    temporalAddress,
    temporalIsRemote,
    publicUrl,
    smtpUrl,
    mailFrom: get('MAIL_FROM'),
    tenantWebhooksFile: webhooksFile && resolve(webhooksFile),
    logLevel,
    reconcileEveryMs,
  };
}

type Get = (name: string) => string | undefined;
type Problem = (text: string) => void;

function readStripe(
  get: Get,
  problem: Problem,
): Pick<Settings, 'stripe' | 'stripeSecretKey' | 'stripeWebhookSecret'> {
  const key = get('STRIPE_SECRET_KEY');
  const secret = get('STRIPE_WEBHOOK_SECRET');
  const url = readUrl('STRIPE_API_BASE', get, problem);
  if (key && /^(sk|rk)_live_/.test(key)) {
    problem(
      'STRIPE_SECRET_KEY is a live key. npm start runs stand-ins and demo calls and takes none; real money moves only through workers/main and api/main',
    );
  } else if (key && !/^(sk|rk)_test_[A-Za-z0-9_]+$/.test(key)) {
    problem('STRIPE_SECRET_KEY does not look like a Stripe test key (sk_test_… or rk_test_…)');
  }
  if (secret && !secret.split(',').every((part) => /^whsec_[\x21-\x7e]+$/.test(part.trim()))) {
    problem('STRIPE_WEBHOOK_SECRET must be whsec_…, several separated by commas');
  }
  if (!url && key && !secret)
    problem('STRIPE_SECRET_KEY is set, but STRIPE_WEBHOOK_SECRET is not: set both or none');
  if (!url && secret && !key)
    problem('STRIPE_WEBHOOK_SECRET is set, but STRIPE_SECRET_KEY is not: set both or none');
  const stripe: VendorMode = url ? { kind: 'url', url } : key ? { kind: 'real' } : { kind: 'stand-in' };
  return { stripe, stripeSecretKey: key, stripeWebhookSecret: secret };
}

function readTwilio(
  get: Get,
  problem: Problem,
): Pick<Settings, 'twilio' | 'twilioAccountSid' | 'twilioAuthToken'> {
  const sid = get('TWILIO_ACCOUNT_SID');
  const token = get('TWILIO_AUTH_TOKEN');
  const url = readUrl('TWILIO_API_BASE', get, problem);
  if (sid && !/^AC[0-9a-fA-F]{32}$/.test(sid)) problem('TWILIO_ACCOUNT_SID must be AC and 32 hex digits');
  if (token && !/^[\x21-\x7e]{16,}$/.test(token))
    problem('TWILIO_AUTH_TOKEN must be at least 16 printable characters');
  if (sid && !token) problem('TWILIO_ACCOUNT_SID is set, but TWILIO_AUTH_TOKEN is not: set both or none');
  if (token && !sid) problem('TWILIO_AUTH_TOKEN is set, but TWILIO_ACCOUNT_SID is not: set both or none');
  const twilio: VendorMode = url
    ? { kind: 'url', url }
    : sid && token
      ? { kind: 'real' }
      : { kind: 'stand-in' };
  return { twilio, twilioAccountSid: sid, twilioAuthToken: token };
}

function readUrl(name: string, get: Get, problem: Problem): string | undefined {
  const text = get(name);
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    problem(`${name} must be an http or https URL`);
    return undefined;
  }
  return text.replace(/\/+$/, '');
}

function readTemporalAddress(address: string | undefined, remote: boolean, problem: Problem): boolean {
  if (!address) {
    if (remote) problem('--remote needs TEMPORAL_ADDRESS');
    return false;
  }
  if (!/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/.test(address) || splitAddress(address).port > 65_535) {
    problem('TEMPORAL_ADDRESS must be host:port');
    return false;
  }
  const { host } = splitAddress(address);
  const loopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (!loopback && !remote) {
    problem(
      'TEMPORAL_ADDRESS names another machine. Add --remote if local runs shall really be made there, or unset it',
    );
  }
  return !loopback;
}

/** Ids only: what else stands in the file concerns the product, which found nothing wrong with it. */
function readTenantIds(file: string): string[] {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const tenants = isRecord(value) ? value['tenants'] : value;
  return (tenants as { id: string }[]).map(({ id }) => id);
}
