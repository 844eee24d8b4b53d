import { createServer } from 'node:http';
import { Client } from '@temporalio/client';
import { NativeConnection, Runtime, DefaultLogger } from '@temporalio/worker';
import { createActivities } from '../activities/activities.js';
import { ApprovalLinks } from '../providers/approval/approval-link.js';
import { RequestSeal } from '../providers/approval/request-seal.js';
import { DecisionTokens } from '../providers/approval/decision-token.js';
import { createMailer } from '../providers/mail/mailer.js';
import { createStripeClient } from '../providers/stripe/client.js';
import { Ownership } from '../providers/stripe/ownership.js';
import { createWebhookSender } from '../providers/tenant-webhooks/sender.js';
import { createTwilioClient } from '../providers/twilio/client.js';
import { statusCallbackUrl } from '../providers/twilio/status-callback.js';
import { ConfigurationError, readWorkerConfig, type WorkerConfig } from '../runtime/config.js';
import { deriveKey } from '../runtime/keys.js';
import { createLogger } from '../runtime/logger.js';
import { temporalSettings } from '../runtime/temporal.js';
import { loadTenantWebhooks } from '../runtime/tenant-webhooks.js';
import { loadTenants, unreachableApprovers } from '../runtime/tenants.js';
import { watchFile } from '../runtime/watched-file.js';
import { buildWorkflowBundle } from './bundle.js';
import { keepSchedules } from './schedules.js';
import { createCheckoutWorker } from './worker.js';

/** The tenants, all of whose approvers this worker can reach. */
function loadTenantsFor({ mail }: WorkerConfig, path: string): ReturnType<typeof loadTenants> {
  const tenants = loadTenants(path);
  const unreachable = unreachableApprovers(tenants.values(), mail !== undefined);
  if (unreachable.length > 0) throw new ConfigurationError(unreachable);
  return tenants;
}

/** The worker process: reads the configuration, builds the clients, polls until it is told to stop. */
async function main(): Promise<void> {
  const config = readWorkerConfig();
  const log = createLogger('worker', config.logLevel);
  const tenants = watchFile(config.tenantsFile, (path) => loadTenantsFor(config, path), log);
  const { livemode } = config.stripe;
  const webhooks = loadTenantWebhooks(config.tenantWebhooksFile, { tenants: tenants(), livemode });
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) =>
      log[level === 'ERROR' ? 'error' : 'warn'](
        { activity: meta?.['activityType'], workflow: meta?.['workflowId'] },
        message,
      ),
    ),
    shutdownSignals: ['SIGTERM', 'SIGINT'],
  });

  const ownership = new Ownership(config.deployment.id, deriveKey(config.deployment, 'ownership'));
  const activities = createActivities({
    deployment: config.deployment.id,
    stripe: createStripeClient(config.stripe),
    twilio: createTwilioClient(config.twilio),
    ownership,
    decisions: new DecisionTokens(deriveKey(config.deployment, 'decision')),
    seal: new RequestSeal(deriveKey(config.deployment, 'refund-request')),
    approvalLinks: new ApprovalLinks(deriveKey(config.deployment, 'approval-link')),
    mailer: config.mail && createMailer(config.mail.smtpUrl, config.mail.from),
    approvalUrl: (token) => `${config.publicUrl}/approvals/${token}`,
    tenant: (id) => tenants().get(id),
    tenantWebhook: (id) => webhooks.get(id),
    sendWebhook: createWebhookSender({ livemode }),
    statusCallbackUrl: (tenantId, checkoutId) =>
      statusCallbackUrl(config.publicUrl, ownership.mark({ tenantId, checkoutId })),
  });
  const { connectionOptions, namespace } = temporalSettings();
  const connection = await NativeConnection.connect(connectionOptions);
  const worker = await createCheckoutWorker({
    connection,
    namespace,
    activities,
    workflowBundle:
      config.workflowBundle === undefined
        ? { code: await buildWorkflowBundle() }
        : { codePath: config.workflowBundle },
    log,
  });

  const health = createServer((request, response) => {
    const ready =
      request.url === '/healthz' || (request.url === '/readyz' && worker.getState() === 'RUNNING');
    response
      .writeHead(ready ? 200 : 503, { 'content-type': 'application/json' })
      .end(JSON.stringify({ ready }));
  });
  if (config.healthPort !== undefined) health.listen(config.healthPort, '127.0.0.1');
  log.info({ livemode, standIns: config.stripe.apiBase !== undefined }, 'worker polls');
  const schedules = keepSchedules({
    client: new Client({ connection, namespace }),
    deployment: config.deployment.id,
    tenants: () => [...tenants().keys()],
    everyMs: config.reconcileEveryMs,
    log,
  });
  try {
    await worker.run();
  } finally {
    schedules.stop();
    health.close();
    await connection.close();
  }
}

main().catch((error: unknown) => {
  const problems =
    error instanceof ConfigurationError
      ? error.problems
      : [error instanceof Error ? error.message : 'unknown'];
  for (const problem of problems) console.error(`worker: ${problem}`);
  process.exit(1);
});
