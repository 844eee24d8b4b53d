import { ApprovalLinks } from '../providers/approval/approval-link.js';
import { RequestSeal } from '../providers/approval/request-seal.js';
import { DecisionTokens } from '../providers/approval/decision-token.js';
import { Ownership } from '../providers/stripe/ownership.js';
import { createStripeClient } from '../providers/stripe/client.js';
import { ConfigurationError, readApiConfig } from '../runtime/config.js';
import { deriveKey } from '../runtime/keys.js';
import { createLogger } from '../runtime/logger.js';
import { createTemporalClient } from '../runtime/temporal.js';
import { loadTenantWebhooks } from '../runtime/tenant-webhooks.js';
import { loadTenants } from '../runtime/tenants.js';
import { watchFile } from '../runtime/watched-file.js';
import { loadApiKeys } from '../runtime/api-keys.js';
import { createApp } from './app.js';
import { RunWatch } from './run-watch.js';
import { QuoteTokens } from './quotes/quote-token.js';

/** The API process: reads the configuration, builds the clients, serves until it is told to stop. */
function main(): void {
  const config = readApiConfig();
  const log = createLogger('api', config.logLevel);
  const tenants = watchFile(config.tenantsFile, loadTenants, log);
  const { livemode } = config.stripe;
  const webhooks = loadTenantWebhooks(config.tenantWebhooksFile, { tenants: tenants(), livemode });
  const keys = watchFile(config.apiKeysFile, loadApiKeys, log);
  const client = createTemporalClient();
  const watch = new RunWatch(client);
  const app = createApp({
    client,
    stripe: createStripeClient(config.stripe),
    tenants: { get: (id) => tenants().get(id) },
    keys: { get: (id) => keys().get(id) },
    tokens: new QuoteTokens(deriveKey(config.deployment, 'quote')),
    identityKey: deriveKey(config.deployment, 'identity'),
    ownership: new Ownership(config.deployment.id, deriveKey(config.deployment, 'ownership')),
    watch,
    decisions: new DecisionTokens(deriveKey(config.deployment, 'decision')),
    seal: new RequestSeal(deriveKey(config.deployment, 'refund-request')),
    approvalLinks: new ApprovalLinks(deriveKey(config.deployment, 'approval-link')),
    stripeWebhookSecrets: config.stripeWebhookSecrets,
    twilioAuthToken: config.twilio.authToken,
    publicUrl: config.publicUrl,
    temporalUiUrl: config.temporalUiUrl,
    announces: (tenantId) => webhooks.has(tenantId),
    livemode,
    log,
  });
  const server = app.listen(config.port, config.host, (error?: Error) => {
    if (error) {
      console.error(`api: cannot listen: ${error.message}`);
      process.exit(1);
    }
    log.info({ livemode, standIns: config.stripe.apiBase !== undefined }, 'api listens');
  });
  // Slow senders are cut off; the longest wait of a client is 25 s.
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;

  const stop = () => {
    watch.close();
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 5_000).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

try {
  main();
} catch (error) {
  const problems =
    error instanceof ConfigurationError
      ? error.problems
      : [error instanceof Error ? error.message : 'unknown'];
  for (const problem of problems) console.error(`api: ${problem}`);
  process.exit(1);
}
