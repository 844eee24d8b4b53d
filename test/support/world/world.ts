import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, Connection } from '@temporalio/client';
import type Stripe from 'stripe';
import { msToTs } from '@temporalio/common/lib/time.js';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  type Worker,
} from '@temporalio/worker';
import { type Activities, createActivities } from '../../../activities/activities.js';
import { createApp } from '../../../api/app.js';
import type { Scope } from '../../../api/authenticate.js';
import { RunWatch } from '../../../api/run-watch.js';
import { ApprovalLinks } from '../../../providers/approval/approval-link.js';
import { RequestSeal } from '../../../providers/approval/request-seal.js';
import { DecisionTokens } from '../../../providers/approval/decision-token.js';
import { QuoteTokens } from '../../../api/quotes/quote-token.js';
import { checkoutWorkflowId } from '../../../contracts/checkout.js';
import { refundLedgerWorkflowId, refundWorkflowId } from '../../../contracts/refund.js';
import type { Tenant } from '../../../domain/tenant.js';
import { startSimulators } from '../../../local/simulators/simulators.js';
import { registerSearchAttributesOnStart } from '../../../local/temporal/search-attributes.js';
import { createStripeClient } from '../../../providers/stripe/client.js';
import { createMailer } from '../../../providers/mail/mailer.js';
import { Ownership } from '../../../providers/stripe/ownership.js';
import { createWebhookSender } from '../../../providers/tenant-webhooks/sender.js';
import { createTwilioClient } from '../../../providers/twilio/client.js';
import { statusCallbackUrl } from '../../../providers/twilio/status-callback.js';
import { deriveKey } from '../../../runtime/keys.js';
import { createLogger } from '../../../runtime/logger.js';
import { createTemporalClient } from '../../../runtime/temporal.js';
import { loadTenantWebhooks } from '../../../runtime/tenant-webhooks.js';
import { loadTenants } from '../../../runtime/tenants.js';
import { createCheckoutWorker } from '../../../workers/worker.js';
import { StandIns } from './stand-ins.js';
import { type TenantEntry, tenants as usualTenants } from './tenants.js';
import { WebhookTap } from './webhook-tap.js';

export interface WorldOptions {
  temporalAddress: string;
  /** Path of the workflow bundle. */
  workflowBundle: string;
  tenants?: readonly TenantEntry[];
  /** Workers at the start; 1 if not given. */
  workers?: number;
  /** Tenants whose own systems take webhooks: the receiver in the stand-ins. */
  webhookTenants?: readonly string[];
  /** A world whose vendors and public address it takes over, as after its Temporal was lost. It must outlive this one. */
  successorOf?: World;
}

export interface RunningWorker {
  /** Ends it as a deploy would. */
  stop(): Promise<void>;
}

/** The product on a real Temporal server with the vendors' stand-ins, all in this process; a namespace of its own. */
export interface World {
  url: string;
  client: Client;
  namespace: string;
  standIns: StandIns;
  webhooks: WebhookTap;
  tokens: QuoteTokens;
  /** The product's own Stripe client, for what somebody else does on the account. */
  stripe: Stripe;
  decisions: DecisionTokens;
  /** What decisions are signed with. */
  decisionKey: Buffer;
  approvalLinks: ApprovalLinks;
  /** Makes the marks that Stripe's objects carry. */
  ownership: Ownership;
  /** The tenants file as API and workers see it; a test may change it while they run. */
  tenants: Map<string, Tenant>;
  /** A key of the tenant with the scopes of a role; the agent's if none is named. */
  keyOf(tenantId: string, role?: Role): string;
  /** The name of that key, as decisions and requests carry it. */
  keyName(tenantId: string, role: Role): string;
  refundOf(tenantId: string, refundId: string): ReturnType<Client['workflow']['getHandle']>;
  ledgerOf(tenantId: string, customerKey: string): ReturnType<Client['workflow']['getHandle']>;
  handleOf(tenantId: string, checkoutId: string): ReturnType<Client['workflow']['getHandle']>;
  startWorker(): Promise<RunningWorker>;
  /** The environment of a worker process of this world. */
  workerEnvironment: Readonly<Record<string, string>>;
  /** Those that poll now. */
  workers: ReadonlySet<RunningWorker>;
  close(): Promise<void>;
}

const scopesOf = {
  agent: ['checkout', 'amount', 'refund'],
  approver: ['approve'],
  second: ['approve'],
  supervisor: ['refund', 'approve'],
  danaAsks: ['refund'],
  danaDecides: ['approve'],
  ops: ['ops'],
} as const satisfies Record<string, readonly Scope[]>;

/** Who holds a key, as in `npm start`; `second` is another approver, the last but one are two keys of the approver Dana. */
export type Role = keyof typeof scopesOf;

const subjectOf: Partial<Record<Role, string>> = { danaAsks: 'dana', danaDecides: 'dana' };

const deployment = { id: 'test', secret: 'a secret of the tests that is long enough' };
const twilioAccount = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'token_of_the_tests' };
const webhookSecret = 'whsec_of_the_tests';

let quiet = false;

/** Native code logs what a test provokes on purpose; only what nobody expects is shown. */
function quietRuntime(): void {
  if (!quiet) {
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
    });
  }
  quiet = true;
}

export async function startWorld(options: WorldOptions): Promise<World> {
  quietRuntime();
  const { temporalAddress, workflowBundle, tenants: entries = usualTenants } = options;
  const folder = mkdtempSync(join(tmpdir(), 'world-'));
  const namespace = `world-${randomBytes(5).toString('hex')}`;
  const client = temporalClient(temporalAddress, namespace, folder);
  const connection = await Connection.connect({ address: temporalAddress });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  await registerSearchAttributesOnStart(connection, namespace, 15_000);
  await connection.close();

  const tenantsFile = join(folder, 'tenants.json');
  writeFileSync(tenantsFile, JSON.stringify(entries));
  const tenants = new Map(loadTenants(tenantsFile));
  const keys = entries.flatMap(({ id: tenant }, index) => keysOf(tenant, index));
  const keyOf = (tenantId: string, role: Role = 'agent') =>
    keys.find(({ tenant, name }) => tenant === tenantId && name === role);

  // Either side has to know where the other one is before it starts, so the ports come first.
  const before = options.successorOf;
  const webhooks = before?.webhooks ?? new WebhookTap();
  if (!before) await webhooks.listen();
  const receiverSecrets = Object.fromEntries(
    (options.webhookTenants ?? []).map((tenant) => [tenant, `whsec_${randomBytes(32).toString('base64')}`]),
  );
  const simulators = before
    ? { url: before.standIns.url, smtp: before.workerEnvironment['SMTP_URL'] ?? '' }
    : await startSimulators({
        receiverSecrets,
        stripeWebhook: {
          url: `${webhooks.url}/webhooks/stripe`,
          connectUrl: `${webhooks.url}/webhooks/stripe/connect`,
          secret: webhookSecret,
        },
        twilioAccount,
      });
  const ownership = new Ownership(deployment.id, deriveKey(deployment, 'ownership'));
  const stripe = createStripeClient({ secretKey: 'sk_test_world', apiBase: simulators.url });
  const tokens = new QuoteTokens(deriveKey(deployment, 'quote'));
  const watch = new RunWatch(client);
  const decisionKey = deriveKey(deployment, 'decision');
  const decisions = new DecisionTokens(decisionKey);
  const approvalLinks = new ApprovalLinks(deriveKey(deployment, 'approval-link'));
  const seal = new RequestSeal(deriveKey(deployment, 'refund-request'));
  const webhooksFile = join(folder, 'tenant-webhooks.json');
  const endpoints = Object.entries(receiverSecrets).map(([tenant, secret]) => ({
    tenant,
    url: `${simulators.url}/_local/receiver/${tenant}`,
    secrets: [secret],
  }));
  writeFileSync(webhooksFile, JSON.stringify({ webhooks: endpoints }));
  const tenantWebhooks = loadTenantWebhooks(webhooksFile, { tenants, livemode: false });
  const app = createApp({
    announces: (id) => tenantWebhooks.has(id),
    seal,
    client,
    decisions,
    approvalLinks,
    stripe,
    tenants,
    keys: new Map(keys.map((key) => [key.id, key])),
    tokens,
    identityKey: deriveKey(deployment, 'identity'),
    ownership,
    watch,
    stripeWebhookSecrets: [webhookSecret],
    twilioAuthToken: twilioAccount.authToken,
    // Twilio signs the URL it was given, which is the tap's.
    publicUrl: webhooks.url,
    temporalUiUrl: 'http://127.0.0.1:8233',
    livemode: false,
    log: createLogger('api', 'error'),
  });
  const server = createServer((request, response) => void app(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  webhooks.target = url;

  const activities = createActivities({
    seal,
    deployment: deployment.id,
    decisions,
    approvalLinks,
    approvalUrl: (token) => `${url}/approvals/${token}`,
    mailer: createMailer(simulators.smtp, 'refunds@example.com'),
    stripe,
    twilio: createTwilioClient({ ...twilioAccount, apiBase: simulators.url }),
    ownership,
    tenant: (id) => tenants.get(id),
    tenantWebhook: (id) => tenantWebhooks.get(id),
    sendWebhook: createWebhookSender({ livemode: false }),
    statusCallbackUrl: (tenantId, checkoutId) =>
      statusCallbackUrl(webhooks.url, ownership.mark({ tenantId, checkoutId })),
  });
  const workers = new Set<RunningWorker>();
  const startWorker = async (): Promise<RunningWorker> => {
    const worker = await pollingWorker(temporalAddress, namespace, activities, workflowBundle);
    const running = { stop: () => worker.stop().finally(() => workers.delete(running)) };
    workers.add(running);
    return running;
  };
  for (let count = options.workers ?? 1; count > 0; count--) await startWorker();

  return {
    url,
    client,
    namespace,
    standIns: new StandIns(simulators.url),
    webhooks,
    tokens,
    stripe,
    decisions,
    decisionKey,
    approvalLinks,
    ownership,
    tenants,
    keyOf: (tenantId, role) => keyOf(tenantId, role)?.secret ?? '',
    keyName: (tenantId, role) => `key:${keyOf(tenantId, role)?.id ?? ''}`,
    refundOf: (tenantId, refundId) => client.workflow.getHandle(refundWorkflowId(tenantId, refundId)),
    ledgerOf: (tenantId, customerKey) =>
      client.workflow.getHandle(refundLedgerWorkflowId(tenantId, customerKey)),
    handleOf: (tenantId, checkoutId) => client.workflow.getHandle(checkoutWorkflowId(tenantId, checkoutId)),
    startWorker,
    workerEnvironment: {
      TEMPORAL_ADDRESS: temporalAddress,
      TEMPORAL_NAMESPACE: namespace,
      TEMPORAL_CONFIG_FILE: join(folder, 'temporal.toml'),
      DEPLOYMENT_ID: deployment.id,
      DEPLOYMENT_SECRET: deployment.secret,
      PUBLIC_URL: webhooks.url,
      STRIPE_SECRET_KEY: 'sk_test_world',
      STRIPE_API_BASE: simulators.url,
      TWILIO_ACCOUNT_SID: twilioAccount.accountSid,
      TWILIO_AUTH_TOKEN: twilioAccount.authToken,
      TWILIO_API_BASE: simulators.url,
      SMTP_URL: simulators.smtp,
      MAIL_FROM: 'refunds@example.com',
      TENANTS_FILE: tenantsFile,
      TENANT_WEBHOOKS_FILE: webhooksFile,
      WORKFLOW_BUNDLE: workflowBundle,
    },
    workers,
    close: async () => {
      watch.close();
      await Promise.all([...workers].map((worker) => worker.stop()));
      if ('close' in simulators) {
        await simulators.close();
        await webhooks.close();
      }
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One key of each role, in clear and as it is stored. */
function keysOf(tenant: string, index: number) {
  return (Object.keys(scopesOf) as Role[]).map((name) => {
    const id = `${name}${index}`;
    const secret = `vc_test_${id}_${randomBytes(24).toString('base64url')}`;
    const sha256 = createHash('sha256').update(secret).digest('hex');
    return { id, tenant, name, subject: subjectOf[name], sha256, scopes: scopesOf[name], secret };
  });
}

/** The product's own client, pointed at the test's server and at no profile of the user. */
function temporalClient(address: string, namespace: string, folder: string) {
  const noProfile = join(folder, 'temporal.toml');
  writeFileSync(noProfile, '[profile.default]\n');
  Object.assign(process.env, {
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    TEMPORAL_CONFIG_FILE: noProfile,
  });
  return createTemporalClient();
}

/** With a connection of its own, as every worker process has. */
async function pollingWorker(
  address: string,
  namespace: string,
  activities: Activities,
  codePath: string,
): Promise<{ stop: () => Promise<void> }> {
  const connection = await NativeConnection.connect({ address });
  const worker: Worker = await createCheckoutWorker({
    connection,
    namespace,
    activities,
    workflowBundle: { codePath },
    log: createLogger('worker', 'fatal'),
  });
  const ended = worker.run();
  return {
    stop: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended.finally(() => connection.close());
    },
  };
}
