import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isPublicAddress, urlProblem } from '../../providers/tenant-webhooks/address.js';
import { createWebhookSender } from '../../providers/tenant-webhooks/sender.js';
import { ConfigurationError } from '../../runtime/config.js';
import { loadTenantWebhooks } from '../../runtime/tenant-webhooks.js';

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

describe('an address', () => {
  test.each([
    ['of this network', '0.0.0.0'],
    ['private, 10', '10.0.0.1'],
    ['of a carrier', '100.64.0.1'],
    ['loopback', '127.0.0.1'],
    ['loopback, its end', '127.255.255.254'],
    ["a cloud's metadata", '169.254.169.254'],
    ['private, 172', '172.16.0.1'],
    ['private, 172, its end', '172.31.255.255'],
    ['private, 192', '192.168.1.1'],
    ['documentation', '192.0.2.1'],
    ['benchmarking', '198.19.0.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['none, IPv6', '::'],
    ['loopback, IPv6', '::1'],
    ['mapped, private', '::ffff:10.0.0.1'],
    ['mapped, loopback in hex', '::ffff:7f00:1'],
    ['mapped, metadata', '::ffff:169.254.169.254'],
    ['compatible, loopback', '::127.0.0.1'],
    ['NAT64 of a private one', '64:ff9b::a00:1'],
    ['6to4 of a private one', '2002:a00:1::1'],
    ['Teredo', '2001:0:4136:e378::1'],
    ['documentation, IPv6', '2001:db8::1'],
    ['unique local', 'fd00::1'],
    ["a cloud's metadata, IPv6", 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['multicast, IPv6', 'ff02::1'],
    ['no address', 'example.com'],
    ['nothing', ''],
  ])('is not public: %s (%s)', (_name, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    '8.8.8.8',
    '172.32.0.1',
    '100.128.0.1',
    '169.253.0.1',
    '2606:4700::1111',
    '2a00:1450::1',
    '::ffff:8.8.8.8',
  ])('is public: %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

/** Row S14 of the attacks: a callback URL that leads inside. */
const attacks = [
  'https://10.0.0.1/',
  'https://192.168.0.1:8443/',
  'https://169.254.169.254/latest/meta-data/',
  'https://[::ffff:10.0.0.1]/',
  'https://[fd00::1]/',
  'https://[fe80::1]/',
  'https://0/',
  'https://0.0.0.0/',
  'https://167772161/',
  'https://0x0a000001/',
  'https://012.0.0.1/',
  'https://example.com:22/',
  'https://example.com:80/',
  'https://user@example.com/',
  'https://user:password@example.com/',
  'http://example.com/',
  'http://8.8.8.8/',
  'file:///etc/passwd',
  'gopher://example.com/',
  'javascript:alert(1)',
  'example.com',
  '',
];

const toThisMachine = [
  'https://127.0.0.1/',
  'http://127.0.0.1:3001/hook',
  'https://2130706433/',
  'https://0177.0.0.1/',
  'https://0x7f.1/',
  'https://127.1/',
  'https://[::1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://localhost/',
  'https://localhost./',
  'http://a.localhost:3001/',
];

describe('a URL', () => {
  test.each(attacks)('is refused, with a live key and with a test key: %s', (url) => {
    expect(urlProblem(url, true)).toBeTypeOf('string');
    expect(urlProblem(url, false)).toBeTypeOf('string');
  });

  test.each(toThisMachine)('to this machine needs a test key: %s', (url) => {
    expect(urlProblem(url, true)).toBeTypeOf('string');
    expect(urlProblem(url, false)).toBeUndefined();
  });

  test.each(['https://hooks.example.com/pay?x=1', 'https://example.com:8443/', 'https://8.8.8.8/'])(
    'is taken with any key: %s',
    (url) => {
      expect(urlProblem(url, true)).toBeUndefined();
      expect(urlProblem(url, false)).toBeUndefined();
    },
  );
});

describe('connecting', () => {
  type Addresses = { address: string; family: number }[];
  const v4 = (address: string) => ({ address, family: 4 });
  const v6 = (address: string) => ({ address, family: 6 });

  function send(url: string, livemode: boolean, addresses: Addresses, asked: string[] = []) {
    const lookup: NonNullable<Parameters<typeof createWebhookSender>[0]['lookup']> = (name, _all, answer) => {
      asked.push(name);
      answer(null, addresses);
    };
    const message = { id: 'msg_1', body: '{}' };
    return createWebhookSender({ livemode, lookup, timeoutMs: 500 })({ url, secrets: [secret] }, message);
  }

  test.each([
    ['a private address', [v4('10.0.0.1')]],
    ['loopback', [v4('127.0.0.1')]],
    ['loopback, IPv6', [v6('::1')]],
    ['a mapped private address', [v6('::ffff:10.0.0.1')]],
    ["a cloud's metadata", [v4('169.254.169.254')]],
    ['a public address and a private one beside it', [v4('8.8.8.8'), v4('192.168.0.1')]],
    ['nothing', []],
  ])('is refused when the name leads to %s by now', async (_name, addresses) => {
    await expect(send('https://hooks.example.com/', true, addresses)).rejects.toThrow('not public');
  });

  test('is refused for digits without asking anyone', async () => {
    const asked: string[] = [];
    await expect(send('https://10.0.0.1/', true, [v4('8.8.8.8')], asked)).rejects.toThrow('not public');
    await expect(send('https://127.0.0.1/', true, [v4('8.8.8.8')], asked)).rejects.toThrow('live key');
    expect(asked).toEqual([]);
  });

  test('goes to the very address that was checked, and looks the name up once', async () => {
    const hosts: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      hosts.push(request.headers.host);
      response.writeHead(204).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const asked: string[] = [];
    const answer = await send(`http://pinned.localhost:${port}/`, false, [v4('127.0.0.1')], asked);
    server.close();
    expect(answer.status).toBe(204);
    expect(asked).toEqual(['pinned.localhost']);
    expect(hosts).toEqual([`pinned.localhost:${port}`]);
  });

  test('without TLS stays on this machine, also when its name leads elsewhere', async () => {
    await expect(send('http://a.localhost:3001/', false, [v4('8.8.8.8')])).rejects.toThrow('not public');
  });
});

describe('the file of webhooks', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenant-webhooks-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const tenants = new Map([
    ['acme', {}],
    ['globex', {}],
  ]);
  let files = 0;

  function load(content: unknown, livemode = true) {
    const path = join(folder, `${files++}.json`);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return loadTenantWebhooks(path, { tenants, livemode });
  }

  function problems(content: unknown, livemode = true): readonly string[] {
    try {
      load(content, livemode);
    } catch (error) {
      if (error instanceof ConfigurationError) return error.problems;
      throw error;
    }
    return [];
  }

  const entry = (changes: object = {}) => ({
    tenant: 'acme',
    url: 'https://hooks.example.com/pay',
    secrets: [secret],
    ...changes,
  });

  test('names the URL and the secrets by tenant', () => {
    const loaded = load({ webhooks: [entry()] });
    expect([...loaded]).toEqual([['acme', { url: 'https://hooks.example.com/pay', secrets: [secret] }]]);
  });

  test('need not be there', () => {
    expect(loadTenantWebhooks(undefined, { tenants, livemode: true }).size).toBe(0);
  });

  test('is refused with every problem at once, by place and without values', () => {
    const told = problems({
      webhooks: [
        entry({ url: 'https://10.0.0.1/do_not_print' }),
        entry({ url: 'https://hooks.example.com/' }),
        entry({ tenant: 'initech', url: 'http://hooks.example.com/do_not_print' }),
      ],
    });
    expect(told).toEqual([
      'TENANT_WEBHOOKS_FILE webhooks.0.url: must not lead to an address that is not public',
      'TENANT_WEBHOOKS_FILE webhooks.1.tenant: is named twice',
      'TENANT_WEBHOOKS_FILE webhooks.2.tenant: is not in TENANTS_FILE',
      'TENANT_WEBHOOKS_FILE webhooks.2.url: must be https',
    ]);
  });

  test.each([
    ['no JSON', '{', 'is not valid JSON'],
    ['a list', [], '(top)'],
    ['no secrets', { webhooks: [entry({ secrets: [] })] }, 'webhooks.0.secrets'],
    ['a weak secret', { webhooks: [entry({ secrets: ['whsec_do_not_print'] })] }, 'webhooks.0.secrets.0'],
    ['a misspelt field', { webhooks: [entry({ secret })] }, 'webhooks.0'],
    ['no URL', { webhooks: [entry({ url: undefined })] }, 'webhooks.0.url'],
  ])('is refused: %s', (_name, content, place) => {
    const told = problems(content);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(place);
    expect(told[0]).not.toContain('do_not_print');
  });

  test('leads to this machine with a test key only', () => {
    const content = { webhooks: [entry({ url: 'http://127.0.0.1:3001/hook' })] };
    expect(problems(content, false)).toEqual([]);
    expect(problems(content)).toHaveLength(1);
  });

  test('that cannot be read is told by name', () => {
    const missing = () => loadTenantWebhooks(join(folder, 'none.json'), { tenants, livemode: true });
    expect(missing).toThrow('TENANT_WEBHOOKS_FILE cannot be read');
  });
});
