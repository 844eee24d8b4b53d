/** The only place that reads the environment. Every problem is listed at once; no value is ever printed. */

/** Thrown with all problems found. Messages name variables, never their values. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`configuration: ${problems.join('; ')}`);
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

interface VendorConfig {
  stripe: { secretKey: string; apiBase?: string | undefined; livemode: boolean };
  twilio: { accountSid: string; authToken: string; apiBase?: string | undefined };
}

interface SharedConfig extends VendorConfig {
  tenantsFile: string;
  /** Where tenants' own systems take webhooks; absent: none does. */
  tenantWebhooksFile?: string | undefined;
  deployment: {
    /** Name of this deployment, part of keys and marks: never change it while checkouts are open. */
    id: string;
    /** At least 32 bytes; all other keys are derived from it. */
    secret: string;
  };
  /** Where callers, Stripe and Twilio reach the API; no trailing slash. */
  publicUrl: string;
  logLevel: string;
}

export interface WorkerConfig extends SharedConfig {
  /** A prebuilt workflow bundle; absent: the worker bundles at start. */
  workflowBundle?: string | undefined;
  /** Where approvers' e-mail goes out; absent: only text messages. */
  mail?: { smtpUrl: string; from: string } | undefined;
  /** Loopback port for /healthz and /readyz; absent: none. */
  healthPort?: number | undefined;
  /** How often Stripe is compared with the runs of each tenant, ms; `off`: only by command. */
  reconcileEveryMs: number | 'off';
}

export interface ApiConfig extends SharedConfig {
  apiKeysFile: string;
  /** All secrets under which a Stripe webhook is accepted; several while one is being rotated. */
  stripeWebhookSecrets: string[];
  /** Where ops reach the Temporal UI; absent: they get no links to it. */
  temporalUiUrl?: string | undefined;
  host: string;
  port: number;
}

class Reader {
  readonly problems: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  optional(name: string): string | undefined {
    const value = this.#env[name]?.trim();
    return value === '' ? undefined : value;
  }

  required(name: string, hint: string): string {
    const value = this.optional(name);
    if (value === undefined) this.problems.push(`${name} is missing (${hint})`);
    return value ?? '';
  }

  url(name: string, value: string | undefined): string | undefined {
    if (value === undefined || value === '') return value;
    if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value.replace(/\/+$/, '');
    this.problems.push(`${name} is not an http(s) URL`);
    return undefined;
  }

  port(name: string): number | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    const port = Number(value);
    if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
    this.problems.push(`${name} is not a port number`);
    return undefined;
  }

  check(ok: boolean, problem: string): void {
    if (!ok) this.problems.push(problem);
  }

  finish(): void {
    if (this.problems.length > 0) throw new ConfigurationError(this.problems);
  }
}

function readVendors(read: Reader): VendorConfig {
  const secretKey = read.required('STRIPE_SECRET_KEY', 'sk_test_… or a restricted key');
  const known = /^(sk|rk)_(test|live)_\w+$/.test(secretKey);
  if (secretKey) read.check(known, 'STRIPE_SECRET_KEY is not a Stripe secret or restricted key');
  const livemode = /^(sk|rk)_live_/.test(secretKey);
  const stripeBase = read.url('STRIPE_API_BASE', read.optional('STRIPE_API_BASE'));
  const twilioBase = read.url('TWILIO_API_BASE', read.optional('TWILIO_API_BASE'));
  for (const [name, value] of [
    ['STRIPE_API_BASE', stripeBase],
    ['TWILIO_API_BASE', twilioBase],
  ] as const) {
    read.check(!livemode || value === undefined, `${name} must not be set beside a live STRIPE_SECRET_KEY`);
  }
  const accountSid = read.required('TWILIO_ACCOUNT_SID', 'AC…');
  if (accountSid) read.check(/^AC\w+$/.test(accountSid), 'TWILIO_ACCOUNT_SID does not start with AC');
  const authToken = read.required('TWILIO_AUTH_TOKEN', 'also checks status callbacks');
  return {
    stripe: { secretKey, apiBase: stripeBase, livemode },
    twilio: { accountSid, authToken, apiBase: twilioBase },
  };
}

function readShared(read: Reader): SharedConfig {
  const vendors = readVendors(read);
  const id = read.required('DEPLOYMENT_ID', 'a short stable name, such as prod-eu');
  if (id) read.check(/^[a-z0-9-]{1,40}$/.test(id), 'DEPLOYMENT_ID must be 1 to 40 of a-z, 0-9 and -');
  const secret = read.required(
    'DEPLOYMENT_SECRET',
    'at least 32 random bytes, for example from openssl rand -base64 32',
  );
  if (secret) read.check(secret.length >= 32, 'DEPLOYMENT_SECRET is shorter than 32 characters');
  const publicUrl =
    read.url('PUBLIC_URL', read.required('PUBLIC_URL', 'where Stripe and Twilio reach the API')) ?? '';
  if (vendors.stripe.livemode && publicUrl) {
    read.check(publicUrl.startsWith('https://'), 'PUBLIC_URL must be https beside a live STRIPE_SECRET_KEY');
  }
  return {
    ...vendors,
    tenantsFile: read.required('TENANTS_FILE', 'see tenants.sample.json'),
    tenantWebhooksFile: read.optional('TENANT_WEBHOOKS_FILE'),
    deployment: { id, secret },
    publicUrl,
    logLevel: read.optional('LOG_LEVEL') ?? 'info',
  };
}

function readMail(read: Reader): WorkerConfig['mail'] {
  const smtpUrl = read.optional('SMTP_URL');
  const from = read.optional('MAIL_FROM');
  if (smtpUrl === undefined && from === undefined) return undefined;
  read.check(smtpUrl !== undefined && /^smtps?:\/\//.test(smtpUrl), 'SMTP_URL is not an smtp(s) URL');
  read.check(from?.includes('@') === true, 'MAIL_FROM is not an e-mail address');
  return { smtpUrl: smtpUrl ?? '', from: from ?? '' };
}

const minute = 60_000;

function readReconcileEvery(read: Reader): WorkerConfig['reconcileEveryMs'] {
  const value = read.optional('RECONCILE_EVERY_MS');
  if (value === undefined) return 5 * minute;
  if (value === 'off') return 'off';
  const everyMs = Number(value);
  const known = Number.isInteger(everyMs) && everyMs >= 1_000 && everyMs <= 24 * 60 * minute;
  read.check(known, 'RECONCILE_EVERY_MS is neither a number from 1000 to 86400000 nor off');
  return known ? everyMs : 'off';
}

export function readWorkerConfig(env: Environment = process.env): WorkerConfig {
  const read = new Reader(env);
  const config = {
    ...readShared(read),
    workflowBundle: read.optional('WORKFLOW_BUNDLE'),
    healthPort: read.port('HEALTH_PORT'),
    mail: readMail(read),
    reconcileEveryMs: readReconcileEvery(read),
  };
  read.finish();
  return config;
}

export function readApiConfig(env: Environment = process.env): ApiConfig {
  const read = new Reader(env);
  const shared = readShared(read);
  const secrets = read
    .required('STRIPE_WEBHOOK_SECRET', 'whsec_…, several separated by commas while rotating')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '');
  const wellFormed = secrets.every((secret) => secret.startsWith('whsec_'));
  read.check(wellFormed, 'STRIPE_WEBHOOK_SECRET holds a secret that does not start with whsec_');
  const config = {
    ...shared,
    apiKeysFile: read.required('API_KEYS_FILE', 'hashed API keys, see docs/going-live.md'),
    stripeWebhookSecrets: secrets,
    temporalUiUrl: read.url('TEMPORAL_UI_URL', read.optional('TEMPORAL_UI_URL')),
    host: read.optional('HOST') ?? '127.0.0.1',
    port: read.port('PORT') ?? 3000,
  };
  read.finish();
  return config;
}
