import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { searchAttributeNames } from '../contracts/search-attributes.js';
import {
  apiEnvironment,
  apiUrl,
  localUrl,
  machineEnvironment,
  simulatorEnvironment,
  type Wiring,
  workerEnvironment,
} from '../local/child-environments.js';
import { freePort, loopback } from '../local/ports.js';
import { httpReady, tcpReady, waitUntil } from '../local/readiness.js';
import { apiKeysFile, loadSecrets, tenantKeys } from '../local/secrets.js';
import { readSettings } from '../local/settings.js';
import { runForOutput } from '../local/temporal/cli-version.js';
import { devServerArguments } from '../local/temporal/dev-server.js';
import { registerSearchAttributesOnStart } from '../local/temporal/search-attributes.js';
import { type Measured, startProcess } from './processes.js';

const repository = fileURLToPath(new URL('..', import.meta.url));
const tsxLoader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const readyMs = 60_000;

/** The bare workflow lives beside the product on the same server. */
export const bareNamespace = 'bare';
const namespaces = ['default', bareNamespace] as const;

/** Several tenants, so that one key's limit of requests per second is not what is measured. */
const tenantIds = ['bench-1', 'bench-2', 'bench-3', 'bench-4'];
const hour = 3_600_000;

/** Long deadlines: no checkout ends by itself while it is measured. */
const tenants = tenantIds.map((id) => ({
  id,
  rails: [
    { rail: 'linkWallet', deadline_ms: hour },
    { rail: 'paymentLink', deadline_ms: hour },
  ],
  limits: { sms_per_number: { max: 1_000, window_ms: hour } },
}));

/** A Temporal server, the stand-ins, one API process and workers: all real processes, all ended by `stop`. */
export interface BenchSystem {
  apiUrl: string;
  localUrl: string;
  /** Agent keys, one per tenant. */
  keys: { tenant: string; key: string }[];
  temporal: Measured;
  api: Measured;
  /** Client of the product's namespace and of the bare workflow's. */
  client: Client;
  bareClient: Client;
  startWorker(): Promise<Measured>;
  startBareWorker(): Promise<Measured>;
  stop(): Promise<void>;
}

export async function startSystem(cliPath: string): Promise<BenchSystem> {
  const folder = mkdtempSync(join(tmpdir(), 'voice-checkout-bench-'));
  const file = (name: string) => join(folder, name);
  writeFileSync(file('tenants.json'), JSON.stringify({ tenants }));
  const secrets = loadSecrets(file('secrets.json'));
  writeFileSync(file('api-keys.json'), JSON.stringify(apiKeysFile(secrets, tenantIds)));
  writeFileSync(file('temporal.toml'), '[profile.default]\n');
  const [temporalPort, ui, apiPort, local] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const ports = { temporal: temporalPort, ui, api: apiPort, local };
  const address = `${loopback}:${temporalPort}`;
  const wiring: Wiring = {
    settings: readSettings(
      { TENANTS_FILE: file('tenants.json') },
      { remote: false, sampleTenantsFile: file('tenants.json') },
    ),
    secrets,
    ports,
    temporalAddress: address,
    files: {
      temporalConfig: file('temporal.toml'),
      workflowBundle: file('workflow-bundle.js'),
      apiKeys: file('api-keys.json'),
    },
  };

  const started: Measured[] = [];
  const start = (name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv) => {
    const child = startProcess({ name, command, args, env, cwd: repository, logFolder: folder });
    started.push(child);
    return child;
  };
  const startNode = (name: string, entry: string, args: readonly string[], env: NodeJS.ProcessEnv) =>
    start(name, process.execPath, ['--import', tsxLoader, join(repository, entry), ...args], env);
  const ready = (what: string, probe: () => Promise<boolean>) =>
    waitUntil(`${what} (logs in ${folder})`, probe, { timeoutMs: readyMs });

  const database = {
    port: temporalPort,
    uiPort: ui,
    databaseFile: file('temporal.db'),
    searchAttributes: searchAttributeNames,
  };
  const serverArguments = [...devServerArguments(database), '--namespace', bareNamespace];
  const temporal = start('temporal', cliPath, serverArguments, machineEnvironment(process.env));
  // No --data: the stand-ins write no snapshot, which would be work that no vendor gives us.
  const simulators = [
    ...['--port', String(local), '--public-url', localUrl(ports)],
    ...['--stripe-webhook-url', `${apiUrl(ports)}/webhooks/stripe`],
  ];
  startNode('local', 'local/simulators/main.ts', simulators, simulatorEnvironment(wiring, process.env));
  const bundled = await runForOutput(
    process.execPath,
    ['--import', tsxLoader, 'workers/bundle.ts', wiring.files.workflowBundle],
    readyMs,
    { cwd: repository, env: machineEnvironment(process.env) },
  );
  if (!bundled.ok) throw new Error(`the workflow bundle was not built: ${bundled.reason}`);
  await ready('Temporal', () => tcpReady(address));
  const connection = await Connection.connect({ address });
  for (const namespace of namespaces) await registerSearchAttributesOnStart(connection, namespace, 15_000);
  const api = startNode('api', 'api/main.ts', [], apiEnvironment(wiring, process.env));
  await ready('the API', () => httpReady(`${apiUrl(ports)}/readyz`));
  await ready('the stand-ins', () => httpReady(`${localUrl(ports)}/_local/ledger`));

  let count = 0;
  const startReady = async (launch: (name: string, port: number) => Measured): Promise<Measured> => {
    const port = await freePort();
    const worker = launch(`worker-${++count}`, port);
    await ready('the worker', () => httpReady(`http://${loopback}:${port}/readyz`));
    return worker;
  };
  return {
    apiUrl: apiUrl(ports),
    localUrl: localUrl(ports),
    keys: tenantIds.map((tenant) => ({ tenant, key: tenantKeys(secrets, tenant).agent })),
    temporal,
    api,
    client: new Client({ connection }),
    bareClient: new Client({ connection, namespace: bareNamespace }),
    startWorker: () =>
      startReady((name, port) =>
        startNode(name, 'workers/main.ts', [], {
          ...workerEnvironment(wiring, process.env, port),
          // The bare worker has nothing of the kind beside it.
          RECONCILE_EVERY_MS: 'off',
        }),
      ),
    startBareWorker: () =>
      startReady((name, port) => {
        const options = ['--address', address, '--namespace', bareNamespace, '--health', String(port)];
        return startNode(`bare-${name}`, 'bench/bare-worker.ts', options, machineEnvironment(process.env));
      }),
    stop: async () => {
      await connection.close();
      // Workers and API before the server: they end their tasks with it.
      for (const child of [...started].reverse()) await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
