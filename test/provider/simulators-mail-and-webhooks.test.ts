import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startSimulators, type Simulators } from '../../local/simulators/simulators.js';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;

let simulators: Simulators;
let dataFile: string;

const start = async (smtpPort = 0): Promise<void> => {
  simulators = await startSimulators({ dataFile, smtpPort, receiverSecrets: { acme: SECRET } });
};

beforeEach(async () => {
  dataFile = join(mkdtempSync(join(tmpdir(), 'simulators-')), 'snapshot.json');
  await start();
});

afterEach(() => simulators.close());

const read = async <T>(path: string): Promise<T> => (await (await fetch(simulators.url + path)).json()) as T;
const shown = async (path: string): Promise<string> => (await fetch(simulators.url + path)).text();
async function fault(rule: object): Promise<number> {
  const answer = await fetch(`${simulators.url}/_local/faults`, {
    method: 'POST',
    body: JSON.stringify(rule),
  });
  return answer.status;
}

describe('mail', () => {
  interface Mail {
    id: string;
    to: string;
    from: string;
    subject: string;
    text: string;
    html?: string;
    message_id: string;
    received: string;
    copies: number;
  }
  const mails = async (to?: string): Promise<Mail[]> =>
    (await read<{ mails: Mail[] }>(`/_local/mails${to === undefined ? '' : `?to=${to}`}`)).mails;
  const send = (mail: object = {}): Promise<{ messageId: string }> =>
    createTransport(simulators.smtp).sendMail({
      from: 'Acme <no-reply@acme.test>',
      to: 'dana@acme.test',
      subject: 'A refund of 80,00 € waits',
      text: 'Décidez: https://example.com/a?t=1&u=2 .',
      ...mail,
    });

  test('is kept as it was sent, for anyone, and found by its address', async () => {
    const { messageId } = await send({ to: 'Dana@acme.test, mira+1@globex.test', html: '<p>Decide</p>' });
    expect(await mails('mira+1@globex.test')).toMatchObject([{ message_id: messageId }]);
    expect(await mails('omar@acme.test')).toEqual([]);
    const [mail] = await mails('dana@acme.test');
    expect(mail).toMatchObject({
      to: 'dana@acme.test',
      from: '"Acme" <no-reply@acme.test>',
      subject: 'A refund of 80,00 € waits',
      html: '<p>Decide</p>',
      message_id: messageId,
      copies: 1,
    });
    expect(mail?.text.trim()).toBe('Décidez: https://example.com/a?t=1&u=2 .');
    expect(Date.parse(mail?.received ?? '')).toBeLessThanOrEqual(Date.now());
  });

  test('sent twice under one message id is one entry with two copies', async () => {
    await send({ messageId: '<rf_1.1@acme.test>' });
    await send({ messageId: '<rf_1.1@acme.test>' });
    await send();
    expect((await mails()).map(({ copies }) => copies)).toEqual([1, 2]);
  });

  test.each([451, 550])('is refused with %i on purpose, then taken', async (status) => {
    expect(await fault({ route: 'SMTP', kind: 'status', status, times: 1 })).toBe(200);
    await expect(send()).rejects.toMatchObject({ responseCode: status });
    expect(await mails()).toEqual([]);
    await send();
    expect(await mails()).toHaveLength(1);
  });

  test('may be taken while the answer is lost, so that the sender cannot know', async () => {
    await fault({ route: 'SMTP', kind: 'after_effect_drop', times: 1 });
    await expect(send({ messageId: '<rf_2@acme.test>' })).rejects.toThrow('closed');
    await fault({ route: 'SMTP', kind: 'before', times: 1 });
    await expect(send({ messageId: '<rf_2@acme.test>' })).rejects.toThrow('closed');
    await send({ messageId: '<rf_2@acme.test>' });
    expect(await mails()).toMatchObject([{ copies: 2 }]);
  });

  test('over 256 KiB is refused for good', async () => {
    await expect(send({ text: 'x'.repeat(300_000) })).rejects.toMatchObject({ responseCode: 552 });
  });

  test('is read in the inbox of its address, with links and never as HTML', async () => {
    await send({ subject: '<b>Refund</b>', html: '<script>alert(1)</script>' });
    expect(await shown('/phone')).toContain('href="/phone/mail/dana%40acme.test"');
    const inbox = await shown('/phone/mail/dana%40acme.test');
    expect(inbox).toContain('<a href="https://example.com/a?t=1&amp;u=2">');
    expect(inbox).toContain('&lt;b&gt;Refund&lt;/b&gt;');
    expect(inbox).not.toContain('alert(1)');
    expect(await shown('/phone/mail/nobody%40acme.test')).toContain('No mail.');
  });

  test('of a thousand keeps the last 500, and survives a restart on the same port', async () => {
    const transport = createTransport({ url: simulators.smtp, pool: true } as object);
    for (let i = 0; i < 505; i += 1)
      await transport.sendMail({ from: 'a@acme.test', to: 'b@acme.test', subject: `${i}`, text: 'x' });
    transport.close();
    const open = connect(Number(new URL(simulators.smtp).port), '127.0.0.1');
    open.on('error', () => undefined);
    const { smtp } = simulators;
    const began = Date.now();
    await simulators.close();
    expect(Date.now() - began).toBeLessThan(2_000);
    open.destroy();
    await start(Number(new URL(smtp).port));
    expect(simulators.smtp).toBe(smtp);
    const subjects = (await mails()).map(({ subject }) => subject);
    expect([subjects.length, subjects[0], subjects.at(-1)]).toEqual([500, '504', '5']);
  });
});

describe("a tenant's webhooks", () => {
  interface Received {
    id: string;
    type: string;
    tenant: string;
    timestamp: number;
    verified: boolean;
    payload: unknown;
    attempts: number;
    status: number | null;
  }
  const received = async (tenant = 'acme'): Promise<Received[]> =>
    (await read<{ received: Received[] }>(`/_local/received?tenant=${tenant}`)).received;
  const payload = { type: 'refund.refunded', timestamp: '2026-01-01T00:00:00Z', data: { refund_id: 'rf_1' } };
  const route = 'POST /_local/receiver/:tenant';

  function post(
    id: string,
    { tenant = 'acme', secret = SECRET, at = new Date(), body = payload }: Partial<PostOptions> = {},
  ): Promise<Response> {
    const text = JSON.stringify(body);
    return fetch(`${simulators.url}/_local/receiver/${tenant}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': new Webhook(secret).sign(id, at, text),
      },
      body: text,
    });
  }
  interface PostOptions {
    tenant: string;
    secret: string;
    at: Date;
    body: object;
  }

  test('signed by the published library are taken and verified', async () => {
    const at = new Date();
    expect((await post('msg_1', { at })).status).toBe(204);
    expect(await received()).toEqual([
      {
        ...{ id: 'msg_1', type: 'refund.refunded', tenant: 'acme', verified: true, attempts: 1, status: 204 },
        timestamp: Math.floor(at.getTime() / 1000),
        payload,
      },
    ]);
    expect(await received('globex')).toEqual([]);
  });

  test('are not verified with another secret, an old time, or for a tenant without a secret', async () => {
    await post('msg_1', { secret: OTHER_SECRET });
    await post('msg_2', { at: new Date(Date.now() - 600_000) });
    await post('msg_3', { tenant: 'globex' });
    expect((await received()).map(({ id, verified }) => [id, verified])).toEqual([
      ['msg_2', false],
      ['msg_1', false],
    ]);
    expect(await received('globex')).toMatchObject([{ id: 'msg_3', verified: false }]);
    const bare = await fetch(`${simulators.url}/_local/receiver/acme`, { method: 'POST', body: '{}' });
    expect(bare.status).toBe(400);
  });

  test('sent again under one id are one entry, which one badly signed attempt spoils', async () => {
    await post('msg_1');
    await post('msg_2');
    await post('msg_1');
    expect(await received()).toMatchObject([
      { id: 'msg_1', attempts: 2, verified: true },
      { id: 'msg_2', attempts: 1 },
    ]);
    await post('msg_1', { secret: OTHER_SECRET, body: { type: 'forged' } });
    expect((await received())[0]).toMatchObject({ attempts: 3, verified: false, payload });
  });

  test('are refused, dropped and cut off on purpose', async () => {
    await fault({ route, kind: 'status', status: 500, retry_after: 3, times: 1 });
    const refused = await post('msg_1');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([500, '3']);
    expect(await received()).toMatchObject([{ attempts: 1, status: 500 }]);
    await fault({ route, kind: 'after_effect_drop', times: 1 });
    await expect(post('msg_1')).rejects.toThrow();
    expect(await received()).toMatchObject([{ attempts: 2, status: null }]);
    await fault({ route: 'POST /_local/receiver/acme', kind: 'before', times: 1 });
    await expect(post('msg_1')).rejects.toThrow();
    expect((await post('msg_1')).status).toBe(204);
    expect(await received()).toMatchObject([{ attempts: 3, status: 204, verified: true }]);
  });

  test('are listed latest first on a page, and after a restart', async () => {
    await post('msg_1');
    await post('msg_2', { body: { type: '<i>checkout.paid</i>' }, secret: OTHER_SECRET });
    expect(await shown('/phone')).toContain('href="/received"');
    await simulators.close();
    await start();
    const listed = await shown('/received');
    expect(listed.indexOf('msg_2')).toBeLessThan(listed.indexOf('msg_1'));
    expect(listed).toContain('✓ verified');
    expect(listed).toContain('✗ not verified');
    expect(listed).toContain('&lt;i&gt;checkout.paid');
  });
});
