import type { Express } from 'express';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiUnderTest, publicUrl, quoteRequest, startApi } from '../support/api-under-test.js';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** What the router keeps of a route or a mount. */
interface Layer {
  rawPath: string;
  route?: { methods: Record<string, boolean> };
  handle?: { stack?: Layer[] };
}
interface Schema {
  $ref?: string;
  [key: string]: unknown;
}
interface Operation {
  summary?: string;
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string }>;
  security?: unknown[];
}
interface OpenApi {
  openapi: string;
  info: { title: string; version: string };
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** Every route of the app, in the words of the document: `get /v1/things/{id}`. */
function routesOf(stack: readonly Layer[], above = ''): string[] {
  return stack.flatMap(({ rawPath, route, handle }) => {
    const path = above + (rawPath === '/' ? '' : rawPath);
    if (!route) return routesOf(handle?.stack ?? [], path);
    return Object.keys(route.methods).map((method) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
  });
}

const appRoutes = (app: Express) => routesOf((app.router as unknown as { stack: Layer[] }).stack);
const document = async () => (await api.call('GET', '/openapi.json', { key: '' })).json as unknown as OpenApi;
/** Probes, the document itself, and pages that a person opens in a browser. */
const unlisted = [
  ...['get /healthz', 'get /readyz', 'get /openapi.json', 'get /docs'],
  ...['get /approvals/{token}', 'post /approvals/{token}'],
];

function walk(value: unknown, visit: (object: Record<string, unknown>) => void): void {
  if (Array.isArray(value)) value.forEach((item) => walk(item, visit));
  else if (typeof value === 'object' && value !== null) {
    visit(value as Record<string, unknown>);
    Object.values(value).forEach((item) => walk(item, visit));
  }
}

describe('/openapi.json', () => {
  test('is OpenAPI 3.1 on the public URL, and every operation says what it answers', async () => {
    const { openapi, info, servers, paths } = await document();
    expect(openapi).toMatch(/^3\.1\.\d$/);
    expect(info).toMatchObject({
      title: expect.any(String) as string,
      version: expect.any(String) as string,
    });
    expect(servers).toEqual([{ url: publicUrl }]);
    for (const [path, methods] of Object.entries(paths)) {
      expect(path).toMatch(/^\//);
      for (const [method, operation] of Object.entries(methods)) {
        expect(['get', 'post'], path).toContain(method);
        expect(operation.summary, path).toBeTruthy();
        const statuses = Object.keys(operation.responses);
        expect(
          statuses.some((status) => /^2\d\d$/.test(status)),
          path,
        ).toBe(true);
        for (const { description } of Object.values(operation.responses)) expect(description).toBeTruthy();
        const declared = (operation.parameters ?? [])
          .filter((one) => one.in === 'path')
          .map(({ name }) => name);
        expect(declared).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      }
    }
  });

  test('refers only to schemas that it holds, and uses no word that 3.1 dropped', async () => {
    const whole = await document();
    let references = 0;
    walk(whole, (object) => {
      const { $ref } = object;
      if (typeof $ref === 'string') {
        references++;
        const name = /^#\/components\/schemas\/(\w+)$/.exec($ref)?.[1] ?? '';
        expect(whole.components.schemas, $ref).toHaveProperty(name);
      }
      expect(object).not.toHaveProperty('nullable');
      expect(typeof object['exclusiveMinimum']).not.toBe('boolean');
    });
    expect(references).toBeGreaterThan(5);
  });

  test('lists every route of the app, and no other', async () => {
    const { paths } = await document();
    const listed = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const found = appRoutes(api.app);
    expect(found.filter((route) => !unlisted.includes(route)).sort()).toEqual(listed.sort());
    expect(found).toEqual(expect.arrayContaining(unlisted));
  });

  test('describes requests by the schemas that validate: unknown fields are not allowed', async () => {
    const { paths, components } = await document();
    for (const methods of Object.values(paths)) {
      for (const { requestBody } of Object.values(methods)) {
        if (!requestBody) continue;
        const { $ref = '' } = requestBody.content['application/json']?.schema ?? {};
        const schema = components.schemas[$ref.split('/').at(-1) ?? ''];
        expect(schema, $ref).toMatchObject({ type: 'object', additionalProperties: false });
      }
    }
  });

  test('marks webhooks as open to who signs, and everything else as keyed', async () => {
    const { paths } = await document();
    for (const [path, methods] of Object.entries(paths)) {
      for (const { security } of Object.values(methods)) {
        expect(security, path).toEqual(path.startsWith('/webhooks') ? [] : undefined);
      }
    }
  });
});

describe('/docs', () => {
  test('shows every operation and loads nothing from elsewhere', async () => {
    const { status, text, headers } = await api.call('GET', '/docs', { key: '' });
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    for (const path of Object.keys((await document()).paths)) expect(text).toContain(path);
    expect(text).not.toMatch(/<script|\ssrc=|<link|@import|url\(|<iframe|<img/i);
    for (const [, target = ''] of text.matchAll(/href="([^"]*)"/g)) expect(target).toMatch(/^[/#](?!\/)/);
  });
});

describe('every answer', () => {
  const kinds = ['/healthz', '/docs', '/openapi.json', '/nothing', '/v1/checkouts/x'];

  test.each(kinds)('carries security headers and no name of software: %s', async (path) => {
    const { headers } = await api.call('GET', path);
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('server');
    expect(headers).not.toHaveProperty('access-control-allow-origin');
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'self'");
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  test('returns a harmless request id, and one of its own for any other', async () => {
    const ask = async (id: string) => {
      const answer = await api.call('GET', '/v1/checkouts/x', { headers: { 'x-request-id': id } });
      expect(answer.json['request_id']).toBe(answer.headers['x-request-id']);
      return answer.headers['x-request-id'];
    };
    expect(await ask('my-request.1')).toBe('my-request.1');
    for (const id of ['a b', '<script>', 'x'.repeat(129), 'ä', ''])
      expect(await ask(id)).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('in one line of the log has ids, status and time, and nothing personal', async () => {
    api.log.length = 0;
    await api.post('/v1/quotes', quoteRequest(), { headers: { 'x-request-id': 'r-1' } });
    expect(api.log).toHaveLength(1);
    expect(JSON.parse(api.log[0] ?? '')).toMatchObject({
      request: 'r-1',
      method: 'POST',
      path: '/v1/quotes',
      status: 503,
      tenant: 'acme',
      key: 'agent',
    });
    expect(api.log[0]).not.toMatch(/5550123001|ada@|Bearer|vc_test_|Growth/);
  });

  test.each(['TRACE', 'PUT', 'DELETE'])('to %s is not a success', async (method) => {
    expect((await api.call(method, '/v1/checkouts')).status).toBeGreaterThanOrEqual(400);
  });
});

describe('an error', () => {
  test('is problem+json with the fields of the contract, a code and a speakable sentence', async () => {
    const { headers, json } = await api.call('GET', '/v1/checkouts/x');
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(json).toEqual({
      type: 'urn:voice-checkout:problem:not_found',
      title: 'Not found',
      status: 404,
      code: 'not_found',
      detail: 'Not found',
      safe_to_retry: false,
      say: expect.stringMatching(/^[A-Z][^_{}]{10,219}\.$/) as string,
      request_id: expect.any(String) as string,
    });
  });
});
