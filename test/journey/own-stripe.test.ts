import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSimulators, type Simulators } from '../../local/simulators/simulators.js';
import { TestSystem } from '../support/system.js';
import { expectPaidOnce, StandIns } from '../support/system-vendors.js';

/** Somebody's own Stripe: it writes down what it is asked, and sends no webhooks by itself. */
const asked: string[] = [];
let upstream: Simulators;
const recorder = createServer((incoming, outgoing) => {
  asked.push(`${incoming.method} ${incoming.url}`);
  const { method, headers } = incoming;
  const onward = forward(new URL(incoming.url ?? '/', upstream.url), { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
});

let system: TestSystem;
let own: StandIns;

beforeAll(async () => {
  upstream = await startSimulators({ serve: ['stripe'] });
  recorder.listen(0, '127.0.0.1');
  await once(recorder, 'listening');
  const base = `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`;
  own = new StandIns(() => upstream.url);
  system = new TestSystem({ env: { STRIPE_API_BASE: base } });
  await system.start();
}, 70_000);

afterAll(async () => {
  await system.remove();
  recorder.close();
  await upstream.close();
}, 40_000);

async function deliver(event: object, secret: string): Promise<Response> {
  const payload = JSON.stringify(event);
  const signature = new Stripe('sk_test_signs_only').webhooks.generateTestHeaderString({ payload, secret });
  return fetch(`${system.dev.api_url}/webhooks/stripe`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'stripe-signature': signature },
    body: payload,
  });
}

describe('a Stripe of one’s own (STRIPE_API_BASE)', () => {
  it('is used instead of the stand-in, which is not started', async () => {
    const refused = await fetch(`${system.dev.local_url}/v1/payment_intents`, {
      headers: { authorization: 'Bearer sk_test_x' },
    });
    expect(refused.status).toBe(404);
    expect((await fetch(`${upstream.url}/v1/payment_intents`)).status).not.toBe(404);
    const { checkout_id } = await system.agent.begin(['paymentLink']);
    await system.agent.waitFor(checkout_id, 'awaiting_link');
    expect(asked).toContain('POST /v1/checkout/sessions');
    expect((await own.session(checkout_id)).status).toBe('open');
    await system.agent.cancel(checkout_id);
    await system.agent.waitFor(checkout_id, 'canceled');
  });

  it('may send its own webhooks, signed with the secret in dev.json, and only with that', async () => {
    const { checkout_id, amount } = await system.agent.begin(['linkWallet']);
    await system.agent.waitFor(checkout_id, 'awaiting_wallet');
    await own.approve(checkout_id);
    const event = {
      id: `evt_${checkout_id}`,
      object: 'event',
      api_version: '2026-10-28.endive',
      created: Math.floor(Date.now() / 1_000),
      livemode: false,
      type: 'link.agent_authorization.approved',
      data: { object: await own.authorization(checkout_id) },
    };
    expect((await deliver(event, 'whsec_of_somebody_else')).status).toBe(400);
    const begun = Date.now();
    const accepted = await deliver(event, system.dev.webhook_secrets.stripe);
    expect(accepted.status).toBe(200);
    expect(await accepted.json()).toEqual({ effect: 'signaled' });
    await system.agent.waitFor(checkout_id, 'paid');
    // Sooner than the poll, so it was the webhook.
    expect(Date.now() - begun).toBeLessThan(7_000);
    expectPaidOnce(await own.book(checkout_id), amount, { authorizations: 1, sessions: 0 });
    expect(await (await deliver(event, system.dev.webhook_secrets.stripe)).json()).toEqual({
      effect: 'duplicate',
    });
  });
});
