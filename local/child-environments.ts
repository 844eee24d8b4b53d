import type { Ports } from './ports.js';
import { loopback } from './ports.js';
import { splitAddress } from './readiness.js';
import type { Secrets } from './secrets.js';
import type { Settings } from './settings.js';

/** What a process needs of the machine. Everything else is given by name, so that no forgotten variable takes part. */
const machineVariables = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TZ',
  'LANG',
  'LC_ALL',
  'XDG_CACHE_HOME',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
];

/** Only with --remote: what a cluster on another machine asks for beside its address. */
const remoteTemporalVariable = /^TEMPORAL_(NAMESPACE|API_KEY|TLS|TLS_\w+|GRPC_META_\w+)$/;

export interface Wiring {
  settings: Settings;
  secrets: Secrets;
  ports: Ports;
  /** Of the stand-ins' SMTP server; without it no e-mail is sent. */
  smtpPort?: number;
  temporalAddress: string;
  files: { temporalConfig: string; workflowBundle: string; apiKeys: string; tenantWebhooks?: string };
}

export function machineEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return pick(env, (name) => machineVariables.includes(name));
}

export function apiUrl(ports: Ports): string {
  return `http://${loopback}:${ports.api}`;
}

export function localUrl(ports: Ports): string {
  return `http://${loopback}:${ports.local}`;
}

/** Of a server that is not ours only a guess: the UI's usual port beside it. */
export function uiUrl({ settings, ports, temporalAddress }: Wiring): string {
  return settings.temporalAddress
    ? `http://${splitAddress(temporalAddress).host}:8233`
    : `http://${loopback}:${ports.ui}`;
}

/** How to reach Temporal. The config file is an empty one of ours: no profile of the user is ever read. */
export function temporalEnvironment(wiring: Wiring, env: NodeJS.ProcessEnv): Record<string, string> {
  return {
    TEMPORAL_NAMESPACE: 'default',
    ...(wiring.settings.temporalIsRemote ? pick(env, (name) => remoteTemporalVariable.test(name)) : {}),
    TEMPORAL_ADDRESS: wiring.temporalAddress,
    TEMPORAL_CONFIG_FILE: wiring.files.temporalConfig,
  };
}

export function workerEnvironment(
  wiring: Wiring,
  env: NodeJS.ProcessEnv,
  healthPort: number,
): NodeJS.ProcessEnv {
  const { settings, smtpPort } = wiring;
  const smtpUrl = settings.smtpUrl ?? (smtpPort && `smtp://${loopback}:${smtpPort}`);
  return {
    ...productEnvironment(wiring, env),
    ...(smtpUrl ? { SMTP_URL: smtpUrl, MAIL_FROM: settings.mailFrom ?? 'no-reply@voice-checkout.test' } : {}),
    ...(settings.reconcileEveryMs ? { RECONCILE_EVERY_MS: settings.reconcileEveryMs } : {}),
    WORKFLOW_BUNDLE: wiring.files.workflowBundle,
    HEALTH_PORT: String(healthPort),
  };
}

export function apiEnvironment(wiring: Wiring, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...productEnvironment(wiring, env),
    API_KEYS_FILE: wiring.files.apiKeys,
    STRIPE_WEBHOOK_SECRET: stripeWebhookSecret(wiring),
    ...(wiring.settings.temporalAddress ? {} : { TEMPORAL_UI_URL: uiUrl(wiring) }),
    HOST: loopback,
    PORT: String(wiring.ports.api),
  };
}

export function simulatorEnvironment(wiring: Wiring, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...machineEnvironment(env),
    STRIPE_WEBHOOK_SECRET: signingSecret(wiring),
    TWILIO_ACCOUNT_SID: twilioAccountSid(wiring),
    TWILIO_AUTH_TOKEN: twilioAuthToken(wiring),
    RECEIVER_SECRETS: JSON.stringify(wiring.secrets.tenantWebhookSecrets),
  };
}

/** What the file of tenants' webhooks says: each to its receiver in the stand-ins. */
export function tenantWebhooksFile(secrets: Secrets, tenants: readonly string[], base: string): object {
  return {
    webhooks: tenants.map((tenant) => ({
      tenant,
      url: `${base}/_local/receiver/${encodeURIComponent(tenant)}`,
      secrets: [secrets.tenantWebhookSecrets[tenant]],
    })),
  };
}

/** The first of several secrets: what a sender signs with while the receiver accepts all of them. */
export function signingSecret(wiring: Wiring): string {
  return stripeWebhookSecret(wiring).split(',')[0]?.trim() ?? '';
}

export function twilioAuthToken({ settings, secrets }: Wiring): string {
  return settings.twilioAuthToken ?? secrets.twilioAuthToken;
}

function twilioAccountSid({ settings, secrets }: Wiring): string {
  return settings.twilioAccountSid ?? secrets.twilioAccountSid;
}

function stripeWebhookSecret({ settings, secrets }: Wiring): string {
  return settings.stripeWebhookSecret ?? secrets.stripeWebhookSecret;
}

function productEnvironment(wiring: Wiring, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { settings, secrets, ports } = wiring;
  const standIn = localUrl(ports);
  const webhooks = settings.tenantWebhooksFile ?? wiring.files.tenantWebhooks;
  return {
    ...machineEnvironment(env),
    ...temporalEnvironment(wiring, env),
    TENANTS_FILE: settings.tenantsFile,
    ...(webhooks ? { TENANT_WEBHOOKS_FILE: webhooks } : {}),
    DEPLOYMENT_ID: secrets.deploymentId,
    DEPLOYMENT_SECRET: secrets.deploymentSecret,
    PUBLIC_URL: settings.publicUrl ?? apiUrl(ports),
    STRIPE_SECRET_KEY: settings.stripeSecretKey ?? secrets.stripeSecretKey,
    ...baseUrl('STRIPE_API_BASE', settings.stripe, standIn),
    TWILIO_ACCOUNT_SID: twilioAccountSid(wiring),
    TWILIO_AUTH_TOKEN: twilioAuthToken(wiring),
    ...baseUrl('TWILIO_API_BASE', settings.twilio, standIn),
    LOG_LEVEL: settings.logLevel ?? 'info',
  };
}

function baseUrl(name: string, vendor: Settings['stripe'], standIn: string): NodeJS.ProcessEnv {
  switch (vendor.kind) {
    case 'real':
      return {};
    case 'url':
      return { [name]: vendor.url };
    case 'stand-in':
      return { [name]: standIn };
  }
}

function pick(env: NodeJS.ProcessEnv, wanted: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && wanted(entry[0]),
    ),
  );
}
