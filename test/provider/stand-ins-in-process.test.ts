import Stripe from 'stripe';
import twilio from 'twilio';
import { describe, expect, test } from 'vitest';
import { createStandIns } from '../../local/simulators/stand-ins.js';
import { approveAuthorization } from '../../local/simulators/stripe/agent-authorizations.js';
import { paySession } from '../../local/simulators/stripe/checkout-sessions.js';
import { InProcessTwilio, inProcessStripe } from '../support/in-process-vendors.js';
import { twilioAccount } from '../support/stand-ins.js';
import { VirtualClock } from '../support/virtual-clock.js';

const START = Date.UTC(2031, 4, 6, 7, 8, 9);
const SECRET = 'whsec_in_process';
const MINUTE = 60_000;

/** A small generator is enough to name things alike in each run. */
function seeded(seed: number) {
  let state = seed;
  return (size: number): Uint8Array =>
    Uint8Array.from({ length: size }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
}

interface Posted {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  at: number;
}

function vendors(seed = 1) {
  const clock = new VirtualClock(START);
  const posted: Posted[] = [];
  const answers: boolean[] = [];
  const standIns = createStandIns({
    ...{ clock, random: seeded(seed), twilioAccount },
    post: (url, headers, body) => {
      posted.push({ url, headers, body, at: clock.now() });
      return Promise.resolve(answers.shift() ?? true);
    },
    stripeWebhook: { url: 'https://api.example.com/webhooks/stripe', secret: SECRET },
  });
  const stripe = new Stripe('sk_test_in_process', {
    ...{ httpClient: inProcessStripe(standIns.stripe, clock), maxNetworkRetries: 0, telemetry: false },
    timeout: 8_000,
  });
  const client = twilio(twilioAccount.accountSid, twilioAccount.authToken, {
    httpClient: new InProcessTwilio(standIns.twilio, clock),
  });
  const types = () => posted.map(({ body }) => (JSON.parse(body) as { type: string }).type);
  const newSession = (idempotencyKey: string) =>
    stripe.checkout.sessions.create(
      {
        mode: 'payment',
        line_items: [
          {
            quantity: 1,
            price_data: { currency: 'usd', unit_amount: 4_900, product_data: { name: 'Growth plan' } },
          },
        ],
        success_url: 'https://example.com/thanks',
        expires_at: clock.seconds() + 31 * 60,
      },
      { idempotencyKey },
    );
  return { ...standIns, ...{ clock, posted, answers, stripe, client, types, newSession } };
}

describe('without a network and in virtual time', () => {
  test('a page expires at its time, and its event is signed with that time', async () => {
    const { clock, stripe, posted, types, newSession } = vendors();
    const { id, created } = await newSession('k1');
    expect(created).toBe(START / 1_000);
    await clock.advance(30 * MINUTE);
    expect((await stripe.checkout.sessions.retrieve(id)).status).toBe('open');
    await clock.advance(2 * MINUTE);
    expect((await stripe.checkout.sessions.retrieve(id)).status).toBe('expired');
    expect(types()).toEqual(['checkout.session.expired']);
    const [event] = posted;
    const signature = event?.headers['stripe-signature'] ?? '';
    const at = Number(/t=(\d+)/.exec(signature)?.[1]);
    expect(at).toBe(START / 1_000 + 31 * 60);
    expect(
      stripe.webhooks.constructEvent(event?.body ?? '', signature, SECRET, 300, undefined, at * 1_000).type,
    ).toBe('checkout.session.expired');
  });

  test('a refused event comes again after its pause, without any real waiting', async () => {
    const { clock, posted, answers, world, newSession } = vendors();
    const { id } = await newSession('k1');
    answers.push(false, false);
    const session = world.state.sessions[id];
    if (session === undefined) throw new Error('no session');
    paySession(world, session, 'declined');
    await clock.advance(10_000);
    const first = posted.filter(({ body }) => body === posted[0]?.body).map(({ at }) => at - START);
    expect(first).toEqual([4, 504]);
  });

  test('the same seed gives the same ids, requests and events', async () => {
    const run = async (seed: number) => {
      const { clock, stripe, world, posted, plumbing, client, newSession } = vendors(seed);
      await newSession('k1');
      const params = { amount: 4_900, currency: 'usd', agent_intent: 'Growth plan' };
      const customer = { phone: '+15551230001' };
      const asked = (await stripe.rawRequest(
        ...(['POST', '/v1/link/agent_authorizations', { ...params, customer }] as const),
        // The client would make a key of its own, out of our hands.
        { idempotencyKey: 'k2' },
      )) as unknown as { id: string };
      const record = world.state.authorizations[asked.id];
      if (record === undefined) throw new Error('no request');
      approveAuthorization(world, record);
      await client.messages.create({ to: '+15551230001', from: '+15550009999', body: 'Pay here' });
      await clock.advance(MINUTE);
      return { posted, requests: plumbing.log.since(undefined), state: world.state };
    };
    const one = await run(7);
    expect(await run(7)).toEqual(one);
    expect(await run(8)).not.toEqual(one);
  });

  test('a dropped answer is a reset: the client asks again with its key and finds the effect', async () => {
    const { stripe, plumbing, newSession } = vendors();
    plumbing.faults.add({ route: 'POST /v1/checkout/sessions', kind: 'after_effect_drop', times: 1 });
    const { id } = await newSession('k1');
    expect((await stripe.checkout.sessions.list()).data.map((session) => session.id)).toEqual([id]);
    expect(plumbing.log.since(undefined).map(({ status, replayed }) => [status, replayed])).toEqual([
      [null, false],
      [200, true],
      [200, false],
    ]);
  });

  test('an answer that comes too late is a time-out for the client, and happened all the same', async () => {
    const { clock, stripe, plumbing, newSession } = vendors();
    plumbing.faults.add({ route: 'POST /v1/checkout/sessions', kind: 'slow', ms: 9_000, times: 1 });
    const asked = expect(newSession('k1')).rejects.toBeInstanceOf(Stripe.errors.StripeConnectionError);
    await clock.advance(10_000);
    await asked;
    expect((await stripe.checkout.sessions.list()).data).toHaveLength(1);
  });

  test('a message is carried by the clock and reported with signed callbacks', async () => {
    const { clock, client, posted } = vendors();
    const url = 'https://api.example.com/webhooks/twilio?x=1';
    const { sid, status } = await client.messages.create({
      ...{ to: '+15551230001', from: '+15550009999', body: 'Pay here', statusCallback: url },
    });
    expect(status).toBe('queued');
    await clock.advance(1_000);
    expect((await client.messages(sid).fetch()).status).toBe('delivered');
    const reports = posted.map(({ headers, body, at }) => {
      const params = Object.fromEntries(new URLSearchParams(body));
      const signature = headers['x-twilio-signature'] ?? '';
      expect(twilio.validateRequest(twilioAccount.authToken, signature, url, params)).toBe(true);
      return [params['MessageStatus'], at - START];
    });
    expect(reports).toEqual([
      ['sent', 150],
      ['delivered', 300],
    ]);
    const listed = await client.messages.list({ to: '+15551230001', dateSentAfter: new Date(START) });
    expect(listed.map((message) => message.sid)).toEqual([sid]);
  });

  test('a refusal of Twilio and one of Stripe are the errors of their clients', async () => {
    const { client, stripe } = vendors();
    await expect(
      client.messages.create({ to: '12345', from: '+15550009999', body: 'Pay here' }),
    ).rejects.toMatchObject({ status: 400, code: 21_211 });
    await expect(stripe.paymentIntents.retrieve('pi_none')).rejects.toMatchObject({
      ...{ statusCode: 404, code: 'resource_missing' },
    });
  });

  test('after close nothing happens any more', async () => {
    const { clock, posted, close, newSession } = vendors();
    await newSession('k1');
    close();
    await clock.advance(40 * MINUTE);
    expect(posted).toEqual([]);
  });
});
