import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { searchAttributeNames } from '../contracts/search-attributes.js';
import {
  apiEnvironment,
  apiUrl,
  localUrl,
  machineEnvironment,
  signingSecret,
  simulatorEnvironment,
  tenantWebhooksFile,
  temporalEnvironment,
  twilioAuthToken,
  uiUrl,
  type Wiring,
  workerEnvironment,
} from './child-environments.js';
import { type DevFile, removeDevFile, writeDevFile } from './dev-file.js';
import { tsxLoader } from './entry-point.js';
import { writeFileAtomic, writeJson } from './files.js';
import { choosePorts, freePort, loopback, type ChosenPorts } from './ports.js';
import { httpReady, tcpReady, waitUntil } from './readiness.js';
import { forgetRun, recordRun } from './run-record.js';
import { apiKeysFile, loadSecrets, tenantKeys } from './secrets.js';
import type { Settings } from './settings.js';
import { Supervisor } from './supervisor.js';
import { runForOutput } from './temporal/cli-version.js';
import { devServerArguments } from './temporal/dev-server.js';
import { ensureTemporalCli } from './temporal/ensure.js';
import { registerSearchAttributesOnStart } from './temporal/search-attributes.js';
import type { Progress } from './terminal.js';

const repository = fileURLToPath(new URL('..', import.meta.url));

/** What is run; tests bring placeholders. */
export interface EntryFiles {
  simulators: string;
  bundle: string;
  worker: string;
  api: string;
}

export const productEntries: EntryFiles = {
  simulators: join(repository, 'local/simulators/main.ts'),
  bundle: join(repository, 'workers/bundle.ts'),
  worker: join(repository, 'workers/main.ts'),
  api: join(repository, 'api/main.ts'),
};

export interface SystemPlan {
  settings: Settings;
  dataFolder: string;
  workers: number;
  env: NodeJS.ProcessEnv;
  entries: EntryFiles;
  progress: Progress;
}

const readyMs = 60_000;
const workerGraceMs = 8_000;
const otherGraceMs = 4_000;

/** All processes of one data folder. `start` brings them up in the order they need each other, `stop` takes them down. */
export class LocalSystem {
  private readonly supervisor: Supervisor;
  private readonly workerNames: string[];
  private wiring: Wiring | undefined;
  private published = false;

  constructor(private readonly plan: SystemPlan) {
    mkdirSync(plan.dataFolder, { recursive: true, mode: 0o700 });
    removeDevFile(plan.dataFolder);
    recordRun(plan.dataFolder, []);
    this.workerNames = Array.from({ length: plan.workers }, (_, index) => `worker-${index + 1}`);
    this.supervisor = new Supervisor(join(plan.dataFolder, 'logs'), plan.progress, () => {
      recordRun(plan.dataFolder, this.supervisor.running());
      if (this.published) this.publish();
    });
  }

  async start(): Promise<DevFile> {
    const { settings, progress, env } = this.plan;
    // Settled before any child runs: a start without a server leaves nothing behind.
    const cli = settings.temporalAddress ? undefined : await ensureTemporalCli(env, progress);
    const wiring = await this.wire();
    this.wiring = wiring;
    this.startSimulators(wiring);
    const bundled = this.bundle(wiring);
    // Awaited below; a failure of the server must not leave this one unheard.
    bundled.catch(() => undefined);
    if (cli) this.startTemporal(wiring, cli.path);
    await this.temporalReady(wiring);
    this.startNode('api', this.plan.entries.api, [], apiEnvironment(wiring, env), otherGraceMs);
    await bundled;
    const workersReady = await this.startWorkers(wiring);
    await Promise.all([
      this.ready('local', () => httpReady(`${localUrl(wiring.ports)}/_local/ledger`)),
      this.ready('api', () => httpReady(`${apiUrl(wiring.ports)}/readyz`)),
      ...workersReady.map((wait) => wait()),
    ]);
    progress.step(
      `API on ${apiUrl(wiring.ports)}, ${this.plan.workers} worker(s), stand-ins on ${localUrl(wiring.ports)}`,
    );
    this.published = true;
    return this.publish();
  }

  /** First what works, then what it works on: a worker needs Temporal to end its tasks in order. */
  async stop(): Promise<void> {
    this.published = false;
    removeDevFile(this.plan.dataFolder);
    await this.supervisor.stop(['api', ...this.workerNames]);
    forgetRun(this.plan.dataFolder);
  }

  private async wire(): Promise<Wiring> {
    const { dataFolder, settings, progress } = this.plan;
    const file = (name: string): string => join(dataFolder, name);
    const own: (keyof ChosenPorts)[] = settings.temporalAddress
      ? ['api', 'local', 'smtp']
      : ['temporal', 'ui', 'api', 'local', 'smtp'];
    const ports = await choosePorts(file('ports.json'), own, (name, busy, chosen) =>
      progress.warn(`port ${busy} (${name}) is busy; ${chosen} is used`),
    );
    const tenants = settings.tenantIds.slice(0, 2);
    const secrets = loadSecrets(file('secrets.json'), tenants);
    writeJson(file('api-keys.json'), apiKeysFile(secrets, tenants));
    writeJson(file('tenant-webhooks.json'), tenantWebhooksFile(secrets, tenants, localUrl(ports)));
    // An empty profile and not an empty file, which the SDK's reader does not survive.
    writeFileAtomic(file('temporal.toml'), '[profile.default]\n');
    return {
      settings,
      secrets,
      ports,
      smtpPort: ports.smtp,
      temporalAddress: settings.temporalAddress ?? `${loopback}:${ports.temporal}`,
      files: {
        temporalConfig: file('temporal.toml'),
        workflowBundle: file('workflow-bundle.js'),
        apiKeys: file('api-keys.json'),
        tenantWebhooks: file('tenant-webhooks.json'),
      },
    };
  }

  private startTemporal({ ports, settings }: Wiring, cliPath: string): void {
    // Checkouts of the stand-in's ledger mean nothing to Stripe's test mode, and the other way round.
    const database = settings.stripe.kind === 'real' ? 'temporal-stripe-test.db' : 'temporal.db';
    this.supervisor.start({
      name: 'temporal',
      command: cliPath,
      args: devServerArguments({
        port: ports.temporal,
        uiPort: ports.ui,
        databaseFile: join(this.plan.dataFolder, database),
        searchAttributes: searchAttributeNames,
      }),
      env: machineEnvironment(this.plan.env),
      cwd: this.plan.dataFolder,
      ipc: false,
      graceMs: otherGraceMs,
    });
  }

  private async temporalReady(wiring: Wiring): Promise<void> {
    const { progress, env, settings } = this.plan;
    const { temporalAddress } = wiring;
    const own = settings.temporalAddress === undefined;
    if (own) await this.ready('temporal', () => tcpReady(temporalAddress));
    else {
      await waitUntil(`Temporal at ${temporalAddress} (TEMPORAL_ADDRESS)`, () => tcpReady(temporalAddress), {
        timeoutMs: 8_000,
      });
    }
    const { connectionOptions, namespace = 'default' } = loadClientConnectConfig({
      overrideEnvVars: temporalEnvironment(wiring, env),
    });
    const connection = await Connection.connect({ ...connectionOptions, connectTimeout: 10_000 });
    try {
      await registerSearchAttributesOnStart(connection, namespace, own ? 15_000 : 5_000);
    } finally {
      await connection.close();
    }
    progress.step(
      `Temporal on ${temporalAddress}${own ? `, its UI on ${uiUrl(wiring)}` : ' (TEMPORAL_ADDRESS)'}`,
    );
  }

  private startSimulators(wiring: Wiring): void {
    const { settings, ports, smtpPort = 0 } = wiring;
    const serve = [
      ...(settings.stripe.kind === 'stand-in' ? ['stripe'] : []),
      ...(settings.twilio.kind === 'stand-in' ? ['twilio'] : []),
      'phone',
    ];
    const args = [
      ...['--port', String(ports.local), '--data', join(this.plan.dataFolder, 'simulators.json')],
      ...['--smtp-port', String(smtpPort)],
      ...['--serve', serve.join(','), '--public-url', localUrl(ports)],
      ...['--stripe-webhook-url', `${apiUrl(ports)}/webhooks/stripe`],
      ...['--stripe-connect-webhook-url', `${apiUrl(ports)}/webhooks/stripe/connect`],
    ];
    const env = simulatorEnvironment(wiring, this.plan.env);
    this.startNode('local', this.plan.entries.simulators, args, env, otherGraceMs);
  }

  /** Built once for all workers, at every start: the code may have changed. */
  private async bundle({ files }: Wiring): Promise<void> {
    const built = await runForOutput(
      process.execPath,
      ['--import', tsxLoader, this.plan.entries.bundle, files.workflowBundle],
      readyMs,
      { cwd: repository, env: machineEnvironment(this.plan.env) },
    );
    if (!built.ok) throw new Error(`the workflow bundle was not built: ${built.reason}`);
    this.plan.progress.step('Workflow code bundled');
  }

  private async startWorkers(wiring: Wiring): Promise<(() => Promise<void>)[]> {
    const waits: (() => Promise<void>)[] = [];
    for (const name of this.workerNames) {
      const port = await freePort();
      const env = workerEnvironment(wiring, this.plan.env, port);
      this.startNode(name, this.plan.entries.worker, [], env, workerGraceMs);
      waits.push(() => this.ready(name, () => httpReady(`http://${loopback}:${port}/readyz`)));
    }
    return waits;
  }

  private startNode(
    name: string,
    entry: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    graceMs: number,
  ): void {
    this.supervisor.start({
      name,
      command: process.execPath,
      args: ['--import', tsxLoader, entry, ...args],
      env,
      cwd: repository,
      ipc: true,
      graceMs,
    });
  }

  private async ready(name: string, probe: () => Promise<boolean>): Promise<void> {
    await waitUntil(name, probe, { timeoutMs: readyMs, failed: () => this.supervisor.failure(name) });
    this.supervisor.markReady(name);
  }

  private publish(): DevFile {
    const wiring = this.wiring;
    if (!wiring) throw new Error('not started');
    const { settings, secrets, ports, temporalAddress } = wiring;
    const [tenant = '', otherTenant] = settings.tenantIds;
    const pid = (name: string): number | undefined => this.supervisor.pid(name);
    const [temporal, api, local] = [pid('temporal'), pid('api'), pid('local')];
    const dev: DevFile = {
      api_url: apiUrl(ports),
      local_url: localUrl(ports),
      ui_url: uiUrl(wiring),
      temporal_address: temporalAddress,
      webhook_secrets: { stripe: signingSecret(wiring), twilio: twilioAuthToken(wiring) },
      tenant,
      keys: tenantKeys(secrets, tenant),
      ...(otherTenant
        ? { other_tenant: { tenant: otherTenant, keys: tenantKeys(secrets, otherTenant) } }
        : {}),
      pids: {
        start: process.pid,
        ...(temporal ? { temporal } : {}),
        ...(api ? { api } : {}),
        ...(local ? { local } : {}),
        workers: this.workerNames.flatMap((name) => pid(name) ?? []),
      },
    };
    writeDevFile(this.plan.dataFolder, dev);
    return dev;
  }
}
