import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { searchAttributeNames } from '../../contracts/search-attributes.js';
import { devServerArguments } from '../../local/temporal/dev-server.js';
import { readApiConfig, readWorkerConfig } from '../../runtime/config.js';
import {
  buildComposeLoader,
  type ComposeProject,
  loadComposeFile,
  repository,
} from '../support/compose-file.js';
import { environmentOf, parseDockerfile, valuesOf } from '../support/dockerfile.js';

const read = (path: string) => readFileSync(join(repository, path), 'utf8');

/** Stands for what an operator writes into .env. Every value is told from every other. */
const variables = {
  DEPLOYMENT_ID: 'compose-test',
  DEPLOYMENT_SECRET: 'value-of-the-deployment-secret-01',
  PUBLIC_URL: 'https://voice.example.com',
  STRIPE_SECRET_KEY: 'sk_test_valueOfTheStripeKey',
  STRIPE_WEBHOOK_SECRET: 'whsec_valueOfTheWebhookSecret',
  TWILIO_ACCOUNT_SID: 'ACvalueOfTheAccount',
  TWILIO_AUTH_TOKEN: 'value-of-the-auth-token',
  TENANTS_FILE: './value-of-tenants.json',
  API_KEYS_FILE: './value-of-api-keys.json',
  POSTGRES_PASSWORD: 'value-of-the-database-password',
};
const optional = [
  'API_PORT',
  'UI_PORT',
  'LOG_LEVEL',
  'RECONCILE_EVERY_MS',
  'SMTP_URL',
  'MAIL_FROM',
  'TENANT_WEBHOOKS_FILE',
];
const secrets = [
  'DEPLOYMENT_SECRET',
  'STRIPE_SECRET_KEY',
  'STRIPE_WEBHOOK_SECRET',
  'TWILIO_AUTH_TOKEN',
  'POSTGRES_PASSWORD',
] as const;

const stages = parseDockerfile(read('Dockerfile'));
let loader: string;
let project: ComposeProject;

beforeAll(async () => {
  loader = await buildComposeLoader();
  project = await loadComposeFile(loader, 'docker-compose.yml', variables);
}, 300_000);

const services = () => Object.entries(project.services);
const service = (name: string) => {
  const found = project.services[name];
  if (!found) throw new Error(`no service ${name}`);
  return found;
};

/** What a process of a built service finds in its environment: the image's variables, then those of the file. */
const processEnvironment = (name: string) => ({
  ...environmentOf(stages, service(name).build?.target ?? ''),
  ...(service(name).environment as Record<string, string>),
});

/** Services that run to their end before others start. */
const steps = () =>
  new Set(
    services().flatMap(([, { depends_on }]) =>
      Object.entries(depends_on ?? {})
        .filter(([, { condition }]) => condition === 'service_completed_successfully')
        .map(([name]) => name),
    ),
  );

describe('docker-compose.yml under the compose specification', () => {
  it('is valid and complete: what it refers to exists', () => {
    expect(Object.keys(project.services).sort()).toEqual(
      ['api', 'postgres', 'schema', 'search-attributes', 'temporal', 'temporal-ui', 'worker'].sort(),
    );
  });

  it.each([
    ['an unknown key', 'read_only: true', 'readonly: true', /not allowed/],
    ['a network that is not declared', 'networks: [database]', 'networks: [nowhere]', /undefined network/],
    [
      'a service that does not exist',
      'postgres: { condition: service_healthy }',
      'mysql: { condition: service_healthy }',
      /depends on undefined service/,
    ],
  ])('would be refused with %s', async (_name, from, to, problem) => {
    const folder = mkdtempSync(join(tmpdir(), 'voice-checkout-compose-'));
    try {
      const file = join(folder, 'docker-compose.yml');
      writeFileSync(file, read('docker-compose.yml').replaceAll(from, to));
      await expect(loadComposeFile(loader, file, variables)).rejects.toThrow(problem);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each(Object.keys(variables))('is refused without %s, by name', async (name) => {
    const others = Object.fromEntries(Object.entries(variables).filter(([key]) => key !== name));
    await expect(loadComposeFile(loader, 'docker-compose.yml', others)).rejects.toThrow(
      `required variable ${name} is missing`,
    );
  });

  it('names in .env.example exactly the variables it reads, without values', () => {
    const lines = read('.env.example')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines.sort()).toEqual([...Object.keys(variables), ...optional].map((name) => `${name}=`).sort());
    const used = [...read('docker-compose.yml').matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name);
    expect([...new Set(used)].sort()).toEqual([...Object.keys(variables), ...optional].sort());
  });
});

describe('every service of docker-compose.yml', () => {
  it('is an image of an exact version, or built here', () => {
    for (const [name, { image, build }] of services()) {
      if (build) expect(image, name).toBeUndefined();
      else expect(image, name).toMatch(/^[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?$/);
    }
    // One version of the server and of the tools that make its schema.
    expect(service('schema').image?.split(':')[1]).toBe(service('temporal').image?.split(':')[1]);
  });

  it('runs without root, with a read-only root, no capability and no way to gain one', () => {
    for (const [name, { user, build, read_only, cap_drop, cap_add, security_opt }] of services()) {
      const account = user ?? valuesOf(stages, build?.target ?? '', 'USER').at(-1);
      expect(account, name).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      expect(read_only, name).toBe(true);
      expect(cap_drop, name).toEqual(['ALL']);
      expect(cap_add, name).toBeUndefined();
      expect(security_opt, name).toEqual(['no-new-privileges:true']);
    }
  });

  it('keeps to itself: no privileges, no device, no namespace and no file of the host that it may change', () => {
    for (const [name, one] of services()) {
      expect(one.privileged, name).toBeUndefined();
      expect(one.devices, name).toBeUndefined();
      for (const namespace of [one.network_mode, one.pid, one.ipc]) expect(namespace, name).toBeUndefined();
      for (const { type, source, read_only, bind } of one.volumes ?? []) {
        if (type === 'volume') continue;
        expect(type, name).toBe('bind');
        expect(read_only, `${name}: ${source}`).toBe(true);
        expect(bind?.create_host_path, `${name}: ${source}`).toBe(false);
        expect(source).not.toContain('docker.sock');
      }
    }
  });

  it('is checked for its health and comes back, or is a step that others wait for', () => {
    for (const [name, { healthcheck, build, restart }] of services()) {
      if (steps().has(name)) {
        expect(restart, name).toMatch(/^on-failure:\d+$/);
        continue;
      }
      const ofImage = valuesOf(stages, build?.target ?? '', 'HEALTHCHECK');
      expect(healthcheck !== undefined || ofImage.length > 0, name).toBe(true);
      expect(healthcheck?.disable, name).toBeUndefined();
      expect(restart, name).toBe('unless-stopped');
    }
    expect([...steps()].sort()).toEqual(['schema', 'search-attributes']);
  });

  it('waits for what it needs', () => {
    const waits = Object.fromEntries(
      services().map(([name, { depends_on }]) => [
        name,
        Object.fromEntries(Object.entries(depends_on ?? {}).map(([on, { condition }]) => [on, condition])),
      ]),
    );
    expect(waits).toEqual({
      postgres: {},
      schema: { postgres: 'service_healthy' },
      temporal: { postgres: 'service_healthy', schema: 'service_completed_successfully' },
      'search-attributes': { temporal: 'service_healthy' },
      'temporal-ui': { temporal: 'service_healthy' },
      api: { 'search-attributes': 'service_completed_successfully' },
      worker: { 'search-attributes': 'service_completed_successfully' },
    });
  });

  it('is reached from outside on loopback only, and the database from Temporal only', () => {
    for (const [name, { ports }] of services()) {
      for (const { host_ip } of ports ?? []) expect(host_ip, name).toBe('127.0.0.1');
    }
    const published = services().filter(([, { ports }]) => ports !== undefined);
    expect(published.map(([name]) => name).sort()).toEqual(['api', 'temporal-ui']);
    const beside = services().filter(([, { networks }]) => 'database' in (networks ?? {}));
    expect(beside.map(([name]) => name).sort()).toEqual(['postgres', 'schema', 'temporal']);
    expect(project.networks['database']?.internal).toBe(true);
    expect(project.networks['temporal']?.internal).toBe(true);
  });
});

describe('the processes of the product in docker-compose.yml', () => {
  it('get a configuration they accept', () => {
    const api = readApiConfig(processEnvironment('api'));
    expect(api).toMatchObject({ host: '0.0.0.0', port: service('api').ports?.[0]?.target });
    const worker = readWorkerConfig(processEnvironment('worker'));
    expect(worker.healthPort).toBeGreaterThan(0);
    expect(worker.workflowBundle).toBe('/app/dist/workflow-bundle.js');
    for (const one of [api, worker]) {
      expect(one.stripe.apiBase).toBeUndefined();
      expect(one.twilio.apiBase).toBeUndefined();
    }
    for (const name of ['api', 'worker']) {
      expect(processEnvironment(name)['TEMPORAL_ADDRESS']).toBe('temporal:7233');
    }
  });

  const mounted = (name: string) =>
    Object.fromEntries((service(name).volumes ?? []).map(({ source, target }) => [target, source]));

  it('read the files of the operator where the configuration says', () => {
    const tenants = processEnvironment('worker')['TENANTS_FILE'] ?? '';
    expect(mounted('worker')).toMatchObject({ [tenants]: join(repository, variables.TENANTS_FILE) });
    expect(mounted('api')).toMatchObject({
      [tenants]: join(repository, variables.TENANTS_FILE),
      [readApiConfig(processEnvironment('api')).apiKeysFile]: join(repository, variables.API_KEYS_FILE),
    });
  });

  it('tell the tenants’ own systems where the operator names a file for it, and else nobody', async () => {
    const without = [
      readApiConfig(processEnvironment('api')).tenantWebhooksFile,
      readWorkerConfig(processEnvironment('worker')).tenantWebhooksFile,
    ];
    expect(without).toEqual([undefined, undefined]);
    const named = './value-of-webhooks.json';
    const own = { ...variables, TENANT_WEBHOOKS_FILE: named };
    const { services: told } = await loadComposeFile(loader, 'docker-compose.yml', own);
    for (const name of ['api', 'worker']) {
      const target = told[name]?.environment?.['TENANT_WEBHOOKS_FILE'];
      const mount = told[name]?.volumes?.find((one) => one.target === target);
      expect([name, mount?.source]).toEqual([name, join(repository, named)]);
      expect(Object.values(mounted(name))).toContain('/dev/null');
    }
  });

  it('have no secret written into the file, and each only those it needs', () => {
    const holders = (value: string) =>
      services()
        .filter(([, { environment }]) => Object.values(environment ?? {}).includes(value))
        .map(([name]) => name)
        .sort();
    expect(Object.fromEntries(secrets.map((name) => [name, holders(variables[name])]))).toEqual({
      DEPLOYMENT_SECRET: ['api', 'worker'],
      STRIPE_SECRET_KEY: ['api', 'worker'],
      STRIPE_WEBHOOK_SECRET: ['api'],
      TWILIO_AUTH_TOKEN: ['api', 'worker'],
      POSTGRES_PASSWORD: ['postgres', 'schema', 'temporal'],
    });
    for (const [name, { environment }] of services()) {
      for (const [key, value] of Object.entries(environment ?? {})) {
        if (!/SECRET|TOKEN|PASSWORD|_PWD|(?<!KEYS)_KEY$/.test(key)) continue;
        expect(
          secrets.map((secret) => variables[secret]),
          `${name}: ${key}`,
        ).toContain(value);
      }
    }
  });

  it('are given the time they need to stop, and two workers take turns', () => {
    const grace = (name: string) => Number(/^(\d+)s$/.exec(service(name).stop_grace_period ?? '')?.[1]);
    const force = /shutdownForceTime: (\d+)_000/.exec(read('workers/worker.ts'))?.[1];
    expect(grace('worker')).toBeGreaterThan(Number(force));
    expect(grace('api')).toBeGreaterThanOrEqual(15);
    expect(service('worker').deploy?.replicas).toBe(2);
    for (const name of ['api', 'worker']) expect(service(name).init).toBe(true);
  });
});

describe('the Temporal cluster of docker-compose.yml', () => {
  it('knows the search attributes of the workflows', () => {
    const script = read('deploy/temporal/set-up-namespace.sh');
    const registered = [...script.matchAll(/--name (\w+) --type Keyword/g)].map(([, name]) => name);
    expect(registered.sort()).toEqual([...searchAttributeNames].sort());
  });

  it('has the latency settings of the dev server', () => {
    const ours = Object.fromEntries(
      [...read('deploy/temporal/dynamic-config.yaml').matchAll(/^(\S+):\n {2}- value: (\S+)$/gm)].map(
        ([, key = '', value = '']) => [key, value] as const,
      ),
    );
    const dev = devServerArguments({ port: 1, uiPort: 2, databaseFile: 'f' })
      .filter((argument) => /^(history|system)\./.test(argument))
      .map((argument) => argument.replaceAll('"', '').split('=') as [string, string]);
    expect(dev.length).toBeGreaterThanOrEqual(5);
    expect(ours).toMatchObject(Object.fromEntries<string>(dev));
  });
});
