import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger } from '@temporalio/worker';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test } from 'vitest';
import { createTenantWebhookActivities, pauseBeforeNext } from '../../activities/tenant-webhooks.js';
import type { TenantEvent } from '../../domain/tenant-event.js';
import { createWebhookSender } from '../../providers/tenant-webhooks/sender.js';
import { isWebhookSecret, signatureHeaders } from '../../providers/tenant-webhooks/signature.js';

const secretOf = (fill: number) => `whsec_${Buffer.alloc(32, fill).toString('base64')}`;
const [current, former, foreign] = [secretOf(1), secretOf(2), secretOf(3)];

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A tenant's own system; the URL of it. */
async function receiver(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

describe('a signature', () => {
  const message = { id: 'msg_co_1.checkout.paid', body: '{"type":"checkout.paid"}', at: new Date() };

  test('is accepted by the library of Standard Webhooks, for the bytes and the id that were sent', () => {
    const headers = signatureHeaders([current], message);
    const verify = (body: string, changes: object = {}) =>
      new Webhook(current).verify(body, { ...headers, ...changes });
    expect(verify(message.body)).toEqual({ type: 'checkout.paid' });
    expect(() => verify(`${message.body} `)).toThrow();
    expect(() => verify(message.body, { 'webhook-id': 'msg_co_2.checkout.paid' })).toThrow();
  });

  test('is there for every secret, so that a receiver may know the old one or the new one', () => {
    const headers = signatureHeaders([current, former], message);
    expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
    for (const secret of [current, former]) new Webhook(secret).verify(message.body, headers);
    expect(() => new Webhook(foreign).verify(message.body, headers)).toThrow('No matching signature');
  });

  test.each([
    ['32 bytes', current, true],
    ['24 bytes', `whsec_${Buffer.alloc(24).toString('base64')}`, true],
    ['too short', `whsec_${Buffer.alloc(23).toString('base64')}`, false],
    ['too long', `whsec_${Buffer.alloc(65).toString('base64')}`, false],
    ['no prefix', current.slice(6), false],
    ['no base64', `whsec_${'!'.repeat(44)}`, false],
    ['hex', `whsec_${'0f'.repeat(24)}`, true],
    ['nothing', '', false],
  ])('takes a secret of the form of the specification: %s', (_name, secret, good) => {
    expect(isWebhookSecret(secret)).toBe(good);
  });
});

describe('the sender', () => {
  const send = (url: string, options: Partial<Parameters<typeof createWebhookSender>[0]> = {}) =>
    createWebhookSender({ livemode: false, ...options })(
      { url, secrets: [current] },
      { id: 'msg_1', body: '{"é":1}' },
    );

  test('posts the body as it was signed', async () => {
    let verified: unknown;
    const url = await receiver((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const headers = request.headers as Record<string, string>;
        verified = new Webhook(current).verify(Buffer.concat(parts).toString(), headers);
        response.writeHead(204).end();
      });
    });
    expect(await send(url)).toEqual({ status: 204, retryAfter: undefined });
    expect(verified).toEqual({ é: 1 });
  });

  test('follows no redirect', async () => {
    let requests = 0;
    const url = await receiver((_request, response) => {
      requests++;
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    expect((await send(url)).status).toBe(307);
    expect(requests).toBe(1);
  });

  test('hands on what Retry-After says', async () => {
    const url = await receiver((_request, response) => {
      response.writeHead(503, { 'retry-after': '120' }).end();
    });
    expect(await send(url)).toEqual({ status: 503, retryAfter: '120' });
  });

  test('hangs up on an answer that does not end', async () => {
    let hungUp: (() => void) | undefined;
    const closed = new Promise<void>((resolve) => (hungUp = resolve));
    let sent = 0;
    const url = await receiver((_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => {
        sent += 512;
        response.write('x'.repeat(512));
      }, 5);
      response.on('close', () => {
        clearInterval(timer);
        hungUp?.();
      });
    });
    expect((await send(url)).status).toBe(200);
    await closed;
    expect(sent).toBeLessThan(64 * 1_024);
  });

  test('does not wait longer than its patience', async () => {
    const url = await receiver(() => undefined);
    await expect(send(url, { timeoutMs: 100 })).rejects.toThrow('no answer in time');
  });

  test('says that nobody answers, without the address', async () => {
    const url = await receiver(() => undefined);
    for (const stop of stops.splice(0)) await stop();
    await expect(send(url)).rejects.toThrow(/^no answer \(ECONNREFUSED\)$/);
  });
});

describe('the pauses', () => {
  const day = 24 * 3_600_000;
  /** When attempts begin that fail at once, in ms from the first. */
  function attempts(random: number): number[] {
    const at = [0];
    for (;;) {
      const elapsedMs = at.at(-1) ?? 0;
      const pause = pauseBeforeNext({ elapsedMs, withinMs: day }, random);
      if (pause === undefined) return at;
      at.push(elapsedMs + pause);
    }
  }

  test('grow from seconds to hours and fill a day, the last attempt in its last minute', () => {
    expect(attempts(0).map((ms) => Math.round(ms / 1_000))).toEqual([
      0, 5, 35, 155, 755, 2_555, 6_155, 13_355, 27_755, 56_555, 85_355, 86_340,
    ]);
  });

  test.each([0.1, 0.5, 0.9, 1])('never grow into more than a dozen attempts (random %d)', (random) => {
    const all = attempts(random);
    expect(all.length).toBeGreaterThanOrEqual(11);
    expect(all.length).toBeLessThanOrEqual(12);
    expect(all.at(-1)).toBe(day - 60_000);
    const pauses = all.map((at, index) => at - (all[index - 1] ?? 0)).slice(1, -2);
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
  });

  test('spread attempts that failed together', () => {
    const times = { elapsedMs: 35_000, withinMs: day };
    expect(pauseBeforeNext(times, 0)).toBe(120_000);
    expect(pauseBeforeNext(times, 1)).toBe(144_000);
  });

  test('are as long as the receiver asks for, as far as the day reaches', () => {
    const ask = (elapsedMs: number, retryAfterMs: number) =>
      pauseBeforeNext({ elapsedMs, withinMs: day, retryAfterMs }, 0);
    expect(ask(0, 600_000)).toBe(600_000);
    expect(ask(0, 1_000)).toBe(5_000);
    expect(ask(day / 2, 10 * day)).toBe(day / 2 - 60_000);
  });
});

describe('an attempt', () => {
  const event: TenantEvent = { type: 'checkout.paid', timestamp: '2026-01-01T00:00:00.000Z', data: {} };
  const input = { v: 1 as const, tenantId: 'acme', eventId: 'co_1.checkout.paid', event };
  const quiet = new DefaultLogger('ERROR', () => undefined);
  const day = 24 * 3_600_000;

  function attempt(url: string | undefined, sinceMs = 0, tenants = createActivities(url)): Promise<unknown> {
    const scheduledTimestampMs = Date.now() - sinceMs;
    const environment = new MockActivityEnvironment(
      { scheduledTimestampMs, scheduleToCloseTimeoutMs: day },
      { logger: quiet },
    );
    return environment.run(
      async (given: typeof input): Promise<unknown> => tenants.deliverTenantWebhook(given),
      input,
    );
  }

  const createActivities = (url: string | undefined) =>
    createTenantWebhookActivities({
      tenantWebhook: () => (url === undefined ? undefined : { url, secrets: [current] }),
      sendWebhook: createWebhookSender({ livemode: false }),
    });

  const failureOf = async (promise: Promise<unknown>): Promise<ApplicationFailure> => {
    const error: unknown = await promise.catch((failure: unknown) => failure);
    if (!(error instanceof ApplicationFailure)) throw new Error('no failure');
    return error;
  };
  const answering = (status: number, headers: Record<string, string> = {}) =>
    receiver((_request, response) => void response.writeHead(status, headers).end());

  test.each([200, 202, 204, 299])('is the last one when the answer is %d', async (status) => {
    expect(await attempt(await answering(status))).toEqual({ outcome: 'delivered', status });
  });

  test('is the last one when the receiver is gone', async () => {
    expect(await attempt(await answering(410))).toEqual({ outcome: 'gone' });
  });

  test.each([301, 308, 400, 401, 404, 429, 500, 503])('is followed by another after %d', async (status) => {
    const failure = await failureOf(attempt(await answering(status)));
    expect(failure).toMatchObject({
      nonRetryable: false,
      message: `the tenant's system: it answered ${status}`,
    });
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(5_000);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(6_000);
  });

  test.each([
    ['seconds', '90', 90_000],
    ['a date', new Date(Date.now() + 95_000).toUTCString(), 90_000],
  ])('waits as long as Retry-After says, in %s', async (_name, value, atLeast) => {
    const failure = await failureOf(attempt(await answering(429, { 'retry-after': value })));
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(atLeast);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(atLeast + 6_000);
  });

  test('is the last one when the day is over', async () => {
    const failure = await failureOf(attempt(await answering(500), day - 30_000));
    expect(failure.nonRetryable).toBe(true);
  });

  test('waits for a tenant that the file does not name', async () => {
    expect(await failureOf(attempt(undefined))).toMatchObject({ nonRetryable: false });
  });

  test('is put off when ten to the same tenant are under way, so that a hanging receiver leaves room', async () => {
    const held: (() => void)[] = [];
    const url = await receiver((_request, response) => {
      held.push(() => response.writeHead(204).end());
    });
    const activities = createActivities(url);
    const running = Array.from({ length: 10 }, () => attempt(url, 0, activities));
    const failure = await failureOf(attempt(url, 0, activities));
    expect(failure.message).toContain('too many requests');
    while (held.length < 10) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const answer of held) answer();
    expect(await Promise.all(running)).toHaveLength(10);
    const next = attempt(url, 0, activities);
    while (held.length < 11) await new Promise((resolve) => setTimeout(resolve, 5));
    held.at(-1)?.();
    expect(await next).toEqual({ outcome: 'delivered', status: 204 });
  });
});
