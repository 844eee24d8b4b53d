import { mkdtempSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';
import twilio from 'twilio';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startSimulators, type Simulators } from '../../local/simulators/simulators.js';

const SECRET = 'whsec_current';
const SID = `AC${'0'.repeat(32)}`;
const TOKEN = 'twilio_test_token';
const PHONE = '+15551230001';

interface Received {
  path: string;
  headers: Record<string, string>;
  body: string;
}

/** Our side of the webhooks: remembers what came, and answers what the test wants. */
class Receiver {
  readonly received: Received[] = [];
  readonly answers: number[] = [];
  #server: Server | undefined;
  url = '';

  async start(): Promise<void> {
    this.#server = createServer((req, res) => {
      let body = '';
      req.on('data', (part: Buffer) => (body += part.toString()));
      req.on('end', () => {
        const headers = Object.fromEntries(Object.entries(req.headers).map(([k, v]) => [k, String(v)]));
        this.received.push({ path: req.url ?? '', headers, body });
        res.writeHead(this.answers.shift() ?? 200).end();
      });
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  events(
    path = '/stripe',
  ): { id: string; type: string; account?: string; data: { object: { id: string } } }[] {
    return this.received
      .filter((r) => r.path === path)
      .map((r) => JSON.parse(r.body) as { id: string; type: string; data: { object: { id: string } } });
  }
}

async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > deadline) throw new Error(`never seen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let simulators: Simulators;
let stripe: Stripe;
const receiver = new Receiver();
const data = (): string => join(mkdtempSync(join(tmpdir(), 'simulators-')), 'snapshot.json');
let dataFile: string;

async function start(port = 0): Promise<void> {
  simulators = await startSimulators({
    port,
    dataFile,
    stripeWebhook: {
      url: `${receiver.url}/stripe`,
      connectUrl: `${receiver.url}/connect`,
      secret: `${SECRET},whsec_old`,
    },
    twilioAccount: { accountSid: SID, authToken: TOKEN },
  });
  stripe = new Stripe('sk_test_simulators', {
    host: '127.0.0.1',
    port: Number(new URL(simulators.url).port),
    protocol: 'http',
    telemetry: false,
    maxNetworkRetries: 0,
  });
}

beforeEach(async () => {
  dataFile = data();
  receiver.received.length = 0;
  receiver.answers.length = 0;
  await receiver.start();
  await start();
});

afterEach(async () => {
  await simulators.close();
  receiver.stop();
});

async function local(path: string, body?: object, method = 'POST'): Promise<{ status: number; json: never }> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`${simulators.url}/_local${path}`, init);
  return { status: response.status, json: (await response.json()) as never };
}
const fault = (rule: object) => local('/faults', rule);

interface Ledger {
  charges: {
    id: string;
    payment_intent: string;
    amount: number;
    checkout_session?: string;
    account: string | null;
  }[];
  refunds: { amount: number; status: string }[];
  live_instruments: { type: string; id: string }[];
  totals: Record<string, { captured: number; refunded: number; net: number }>;
}
const ledger = async (): Promise<Ledger> => (await local('/ledger', undefined, 'GET')).json;
interface Logged {
  path: string;
  status: number | null;
  replayed: boolean;
  idempotency_key: string | null;
}
const requests = async (path: string): Promise<Logged[]> => {
  const { requests: all }: { requests: Logged[] } = (await local('/requests', undefined, 'GET')).json;
  return all.filter((r) => r.path === path);
};

const soon = (): number => Math.floor(Date.now() / 1000) + 31 * 60;
const sessionParams = (): Stripe.Checkout.SessionCreateParams => ({
  mode: 'payment',
  line_items: [
    {
      quantity: 1,
      price_data: { currency: 'usd', unit_amount: 4_900, product_data: { name: 'Growth plan' } },
    },
  ],
  success_url: 'https://example.com/thanks',
  expires_at: soon(),
  client_reference_id: 'co_1',
  metadata: { checkout_id: 'co_1' },
  payment_intent_data: { metadata: { checkout_id: 'co_1' } },
  adaptive_pricing: { enabled: false },
});
const newSession = (options?: Stripe.RequestOptions) =>
  stripe.checkout.sessions.create(sessionParams(), options);
const newIntent = (options?: Stripe.RequestOptions) =>
  stripe.paymentIntents.create(
    { amount: 4_900, currency: 'usd', metadata: { checkout_id: 'co_1' } },
    options,
  );

async function refusal(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

interface Authorization {
  id: string;
  status: string;
  payment_intent: string | null;
  shared_payment_granted_token: string | null;
}
const askWallet = async (customer: object, amount = 4_900): Promise<Authorization> =>
  (await stripe.rawRequest('POST', '/v1/link/agent_authorizations', {
    amount,
    currency: 'usd',
    agent_intent: 'Growth plan',
    customer,
    metadata: { checkout_id: 'co_1' },
  })) as Stripe.Response<Authorization>;

describe('idempotency', () => {
  test('a repeated key answers the first result and says so', async () => {
    const first = await newIntent({ idempotencyKey: 'k1' });
    const second = await newIntent({ idempotencyKey: 'k1' });
    expect(second.id).toBe(first.id);
    expect(first.lastResponse.headers['idempotent-replayed']).toBeUndefined();
    expect(second.lastResponse.headers['idempotent-replayed']).toBe('true');
    expect((await stripe.paymentIntents.list()).data).toHaveLength(1);
  });

  test('the same key with other parameters, or on another path, is refused', async () => {
    await newIntent({ idempotencyKey: 'k1' });
    const otherAmount = await refusal(
      stripe.paymentIntents.create({ amount: 5_000, currency: 'usd' }, { idempotencyKey: 'k1' }),
    );
    expect(otherAmount).toMatchObject({ statusCode: 400, type: 'StripeIdempotencyError' });
    expect(await refusal(newSession({ idempotencyKey: 'k1' }))).toMatchObject({ statusCode: 400 });
  });

  test('keys of different accounts do not meet', async () => {
    const one = await newIntent({ idempotencyKey: 'k1' });
    const other = await newIntent({ idempotencyKey: 'k1', stripeAccount: 'acct_1' });
    expect(other.id).not.toBe(one.id);
  });

  test('a concurrent use of a key is a conflict that is not remembered', async () => {
    await fault({ route: 'POST /v1/payment_intents', kind: 'slow', ms: 400, times: 1 });
    const slow = newIntent({ idempotencyKey: 'k1' });
    const conflict = await until('conflict', async () => {
      const outcome = await Promise.race([refusal(newIntent({ idempotencyKey: 'k1' })), slow]);
      return outcome instanceof Stripe.errors.StripeError && outcome;
    });
    expect(conflict).toMatchObject({ statusCode: 409, code: 'idempotency_key_in_use' });
    expect((await newIntentAfter(slow)).id).toBe((await slow).id);
  });

  test('a held request is carried out when its rule is removed, and not before', async () => {
    const route = 'POST /v1/payment_intents';
    await fault({ route, kind: 'hold' });
    let answered = false;
    const held = newIntent({ idempotencyKey: 'k1' }).finally(() => (answered = true));
    await until('the request to be held', async () => {
      const { routes } = (await local('/faults', undefined, 'GET')).json as { routes: object[] };
      return routes.length === 0;
    });
    expect(await refusal(newIntent({ idempotencyKey: 'k1' }))).toMatchObject({ statusCode: 409 });
    await local(`/faults?route=${encodeURIComponent('POST /v1/refunds')}`, undefined, 'DELETE');
    expect(answered).toBe(false);
    await local(`/faults?route=${encodeURIComponent(route)}`, undefined, 'DELETE');
    expect((await held).object).toBe('payment_intent');
  });
  const newIntentAfter = async (slow: Promise<unknown>) => {
    await slow;
    return newIntent({ idempotencyKey: 'k1' });
  };

  test('a 500 after the effect is saved and replayed; one before it is not', async () => {
    await fault({
      route: 'POST /v1/payment_intents',
      kind: 'status',
      status: 500,
      after_effect: true,
      times: 1,
    });
    expect(await refusal(newIntent({ idempotencyKey: 'k1' }))).toMatchObject({ statusCode: 500 });
    const replay = await refusal(newIntent({ idempotencyKey: 'k1' }));
    expect(replay.statusCode).toBe(500);
    expect(replay.headers?.['idempotent-replayed']).toBe('true');
    expect((await stripe.paymentIntents.list()).data).toHaveLength(1);

    await fault({ route: 'POST /v1/payment_intents', kind: 'status', status: 503, times: 1 });
    expect(await refusal(newIntent({ idempotencyKey: 'k2' }))).toMatchObject({ statusCode: 503 });
    await newIntent({ idempotencyKey: 'k2' });
  });

  test('a validation failure is not saved: the corrected request may use the key again', async () => {
    const wrong = stripe.paymentIntents.create({ amount: -5, currency: 'usd' }, { idempotencyKey: 'k1' });
    expect(await refusal(wrong)).toMatchObject({ statusCode: 400, param: 'amount' });
    await newIntent({ idempotencyKey: 'k1' });
  });

  test('a dropped answer leaves the effect, and the retry under its key finds it', async () => {
    // Two, because the client itself repeats once after a reset.
    await fault({ route: 'POST /v1/payment_intents', kind: 'after_effect_drop', times: 2 });
    expect(await refusal(newIntent({ idempotencyKey: 'k1' }))).toBeInstanceOf(
      Stripe.errors.StripeConnectionError,
    );
    const found = await newIntent({ idempotencyKey: 'k1' });
    expect((await stripe.paymentIntents.list()).data.map((intent) => intent.id)).toEqual([found.id]);
    const seen = await requests('/v1/payment_intents');
    expect(seen.filter((r) => r.idempotency_key === 'k1').map((r) => r.status)).toEqual([null, null, 200]);
  });

  test('a connection reset before the effect leaves nothing', async () => {
    await fault({ route: 'POST /v1/payment_intents', kind: 'before', times: 2 });
    expect(await refusal(newIntent())).toBeInstanceOf(Stripe.errors.StripeConnectionError);
    expect((await stripe.paymentIntents.list()).data).toEqual([]);
  });
});

describe('requests', () => {
  test('unknown parameters, live keys and unknown routes are refused with an error object', async () => {
    const removed = await refusal(
      stripe.rawRequest('POST', '/v1/checkout/sessions', { mode: 'payment', payment_method_types: ['card'] }),
    );
    expect(removed).toMatchObject({
      statusCode: 400,
      code: 'parameter_unknown',
      param: 'payment_method_types[0]',
    });
    expect(await refusal(stripe.rawRequest('GET', '/v1/nothing_here'))).toMatchObject({
      statusCode: 404,
      type: 'StripeInvalidRequestError',
    });
    const answer = await fetch(`${simulators.url}/v1/events`, {
      headers: { authorization: 'Bearer sk_live_1' },
    });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('request-id')).toMatch(/^req_/);
    expect((await fetch(`${simulators.url}/v1/events`)).status).toBe(401);
  });

  test('an object of one account does not exist for another', async () => {
    const intent = await newIntent({ stripeAccount: 'acct_1' });
    expect(await refusal(stripe.paymentIntents.retrieve(intent.id))).toMatchObject({
      code: 'resource_missing',
    });
    expect((await stripe.paymentIntents.retrieve(intent.id, {}, { stripeAccount: 'acct_1' })).id).toBe(
      intent.id,
    );
  });

  test('a fault on creating a session leaves expiring one alone', async () => {
    const session = await newSession();
    await fault({
      route: 'POST /v1/checkout/sessions',
      kind: 'status',
      status: 429,
      retry_after: 7,
      times: 1,
    });
    expect((await stripe.checkout.sessions.expire(session.id)).status).toBe('expired');
    const limited = await refusal(newSession());
    expect(limited.statusCode).toBe(429);
    expect(limited.headers?.['retry-after']).toBe('7');
    await newSession();
  });

  test('lists are newest first and page by cursor', async () => {
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) made.unshift((await newIntent()).id);
    const listed = await stripe.paymentIntents.list({ limit: 2 }).autoPagingToArray({ limit: 10 });
    expect(listed.map((intent) => intent.id)).toEqual(made);
  });

  test('a price is read with its product', async () => {
    const price = await stripe.prices.retrieve('price_growth', { expand: ['product'] });
    expect(price).toMatchObject({ unit_amount: 4_900, currency: 'usd', product: { name: 'Growth plan' } });
    expect((await stripe.prices.retrieve('price_inactive')).active).toBe(false);
  });
});

describe('checkout sessions', () => {
  test('paying one completes it with a charge that carries the metadata of the intent', async () => {
    const session = await newSession();
    expect(session).toMatchObject({
      status: 'open',
      payment_intent: null,
      amount_total: 4_900,
      livemode: false,
    });
    await local(`/checkout_sessions/${session.id}/pay`, { outcome: 'succeeded' });
    const paid = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ['payment_intent', 'payment_intent.latest_charge'],
    });
    expect(paid).toMatchObject({
      status: 'complete',
      payment_status: 'paid',
      payment_intent: {
        status: 'succeeded',
        metadata: { checkout_id: 'co_1' },
        latest_charge: { paid: true },
      },
    });
    const book = await ledger();
    expect(book.charges).toMatchObject([{ amount: 4_900, checkout_session: session.id }]);
    expect(book.live_instruments).toEqual([]);
    expect(book.totals['usd']).toEqual({ captured: 4_900, refunded: 0, net: 4_900 });
    await until('completed', () => receiver.events().find((e) => e.type === 'checkout.session.completed'));
  });

  test('an expired one cannot be paid, and a paid one cannot be expired', async () => {
    const expired = await newSession();
    await stripe.checkout.sessions.expire(expired.id);
    expect((await local(`/checkout_sessions/${expired.id}/pay`, { outcome: 'succeeded' })).status).toBe(400);
    const paid = await newSession();
    await local(`/checkout_sessions/${paid.id}/pay`, { outcome: 'succeeded' });
    expect(await refusal(stripe.checkout.sessions.expire(paid.id))).toMatchObject({ statusCode: 400 });
    await until('expired event', () =>
      receiver.events().find((e) => e.type === 'checkout.session.expired' && e.data.object.id === expired.id),
    );
  });

  test('an expiry outside 30 minutes to 24 hours is refused', async () => {
    const early = stripe.checkout.sessions.create({ ...sessionParams(), expires_at: soon() - 600 });
    expect(await refusal(early)).toMatchObject({ statusCode: 400, param: 'expires_at' });
  });

  test('a decline on the page leaves the session open, and another card pays it', async () => {
    const session = await newSession();
    const page = session.url ?? '';
    const submit = (card: string) =>
      fetch(page, {
        method: 'POST',
        body: new URLSearchParams({ email: 'ada@example.com', card_number: card, method: 'card' }),
      });
    expect(await (await submit('4000 0000 0000 0002')).text()).toContain('Your card was declined.');
    const open = await stripe.checkout.sessions.retrieve(session.id, { expand: ['payment_intent'] });
    expect(open).toMatchObject({
      status: 'open',
      payment_intent: {
        status: 'requires_payment_method',
        last_payment_error: { decline_code: 'generic_decline' },
      },
    });
    expect(await (await submit('4111 1111 1111 1111')).text()).toContain('Only test cards');
    expect(await (await submit('4242 4242 4242 4242')).text()).toContain('Payment complete');
    expect((await ledger()).charges).toHaveLength(1);
    const types = await until('all events', () => {
      const seen = receiver.events().map((e) => e.type);
      return seen.includes('checkout.session.completed') && seen;
    });
    expect(types).toContain('payment_intent.payment_failed');
  });

  test('a processing payment completes the session unpaid and settles later', async () => {
    const session = await newSession();
    await local(`/checkout_sessions/${session.id}/pay`, { outcome: 'processing' });
    const waiting = await stripe.checkout.sessions.retrieve(session.id);
    expect(waiting).toMatchObject({ status: 'complete', payment_status: 'unpaid' });
    expect((await ledger()).live_instruments).toMatchObject([{ type: 'payment_intent' }]);
    const intent = typeof waiting.payment_intent === 'string' ? waiting.payment_intent : '';
    expect(await refusal(stripe.paymentIntents.cancel(intent))).toMatchObject({ statusCode: 400 });
    await local(`/payment_intents/${intent}/settle`, { outcome: 'succeeded' });
    expect((await stripe.checkout.sessions.retrieve(session.id)).payment_status).toBe('paid');
    await until('async event', () =>
      receiver.events().find((e) => e.type === 'checkout.session.async_payment_succeeded'),
    );
  });
});

describe('payment intents and refunds', () => {
  test('a declined confirmation is a 402 with the intent in it, and moves no money', async () => {
    const { id } = await newIntent();
    const declined = await refusal(
      stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa_chargeDeclined' }),
    );
    expect(declined).toMatchObject({
      statusCode: 402,
      code: 'card_declined',
      decline_code: 'generic_decline',
      payment_intent: { id, status: 'requires_payment_method' },
    });
    expect((await ledger()).charges).toEqual([]);
    expect((await stripe.paymentIntents.cancel(id)).status).toBe('canceled');
    expect(await refusal(stripe.paymentIntents.cancel(id))).toMatchObject({
      code: 'payment_intent_unexpected_state',
    });
  });

  test('a refund in a currency of three decimals ends with 0', async () => {
    const { id } = await stripe.paymentIntents.create({ amount: 20_000, currency: 'kwd' });
    await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
    const odd = stripe.refunds.create({ payment_intent: id, amount: 1_234 });
    expect(await refusal(odd)).toMatchObject({ statusCode: 400, param: 'amount' });
    expect((await stripe.refunds.create({ payment_intent: id, amount: 1_230 })).amount).toBe(1_230);
  });

  test('refunds add up to the charge at most, and a failed one gives its amount back', async () => {
    const { id } = await newIntent();
    await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
    const part = await stripe.refunds.create({
      payment_intent: id,
      amount: 1_000,
      metadata: { refund_id: 'rf_1' },
    });
    expect(part.status).toBe('succeeded');
    expect(await refusal(stripe.refunds.create({ payment_intent: id, amount: 4_000 }))).toMatchObject({
      statusCode: 400,
      param: 'amount',
    });
    await stripe.refunds.create({ payment_intent: id });
    expect(await refusal(stripe.refunds.create({ payment_intent: id }))).toMatchObject({
      code: 'charge_already_refunded',
    });
    expect((await stripe.refunds.list({ payment_intent: id })).data).toHaveLength(2);
    await local(`/refunds/${part.id}/fail`, {});
    expect((await ledger()).totals['usd']).toEqual({ captured: 4_900, refunded: 3_900, net: 1_000 });
    const seen = ['refund.created', 'refund.updated', 'charge.refunded', 'refund.failed'];
    await until('refund events', () => seen.every((type) => receiver.events().some((e) => e.type === type)));
  });
});

test('a refund of a bank debit is pending until the bank has answered', async () => {
  const session = await newSession();
  await local(`/checkout_sessions/${session.id}/pay`, { outcome: 'processing' });
  const { payment_intent: intent } = await stripe.checkout.sessions.retrieve(session.id);
  const payment = typeof intent === 'string' ? intent : '';
  await local(`/payment_intents/${payment}/settle`, { outcome: 'succeeded' });
  const refund = () => stripe.refunds.create({ payment_intent: payment, amount: 1_000 });
  const [first, second] = [await refund(), await refund()];
  expect([first.status, second.status]).toEqual(['pending', 'pending']);
  // The money has left the account with the request.
  expect((await ledger()).totals['usd']?.refunded).toBe(2_000);
  await local(`/refunds/${first.id}/settle`, { outcome: 'succeeded' });
  await local(`/refunds/${second.id}/settle`, { outcome: 'failed' });
  expect((await stripe.refunds.retrieve(first.id)).status).toBe('succeeded');
  expect((await stripe.refunds.retrieve(second.id)).status).toBe('failed');
  expect((await ledger()).totals['usd']?.refunded).toBe(1_000);
});

describe('agent authorizations', () => {
  test('an approval that grants a payment names a paid intent with the metadata', async () => {
    const { id, status } = await askWallet({ phone: PHONE });
    expect(status).toBe('pending');
    expect((await ledger()).live_instruments).toMatchObject([{ type: 'agent_authorization', id }]);
    await local(`/agent_authorizations/${id}/approve`, {});
    const [charge] = (await ledger()).charges;
    const intent = await stripe.paymentIntents.retrieve(charge?.payment_intent ?? '');
    expect(intent).toMatchObject({ status: 'succeeded', metadata: { checkout_id: 'co_1' } });
    await until('approved', () =>
      receiver
        .events()
        .find((e) => e.type === 'link.agent_authorization.approved' && e.data.object.id === id),
    );
    const late = await refusal(stripe.rawRequest('POST', `/v1/link/agent_authorizations/${id}/cancel`));
    expect(late).toMatchObject({ statusCode: 400, code: 'agent_authorization_unexpected_state' });
  });

  test('a granted token pays one intent once', async () => {
    const { id } = await askWallet({ email: 'ada@example.com' });
    const approved: Authorization = (
      await local(`/agent_authorizations/${id}/approve`, { grants: 'shared_payment_token' })
    ).json;
    const spend = async (token: string | null): Promise<unknown> => {
      const intent = await newIntent();
      return stripe.rawRequest('POST', `/v1/payment_intents/${intent.id}/confirm`, {
        payment_method_data: { shared_payment_granted_token: token },
      });
    };
    await spend(approved.shared_payment_granted_token);
    expect(await refusal(spend(approved.shared_payment_granted_token))).toMatchObject({ statusCode: 400 });
    expect((await ledger()).charges).toHaveLength(1);
  });

  test('a token chosen to need authentication is a 402 of that code', async () => {
    const { id } = await askWallet({ email: 'ada@example.com' });
    const approved: Authorization = (
      await local(`/agent_authorizations/${id}/approve`, {
        grants: 'shared_payment_token',
        outcome: 'authentication_required',
      })
    ).json;
    const intent = await newIntent();
    const refused = await refusal(
      stripe.rawRequest('POST', `/v1/payment_intents/${intent.id}/confirm`, {
        payment_method_data: { shared_payment_granted_token: approved.shared_payment_granted_token },
      }),
    );
    expect(refused).toMatchObject({ statusCode: 402, code: 'authentication_required' });
  });

  test('too large an amount and an unknown customer are refused, and a withdrawn request cannot be approved', async () => {
    expect(await refusal(askWallet({ phone: PHONE }, 50_001))).toMatchObject({ code: 'amount_too_large' });
    expect(await refusal(askWallet({ email: 'x@nolink.test' }))).toMatchObject({ statusCode: 404 });
    const { id } = await askWallet({ phone: PHONE });
    await stripe.rawRequest('POST', `/v1/link/agent_authorizations/${id}/cancel`);
    expect((await local(`/agent_authorizations/${id}/approve`, {})).status).toBe(400);
    expect((await ledger()).live_instruments).toEqual([]);
  });

  test('the caller approves on the phone page', async () => {
    const { id } = await askWallet({ phone: PHONE });
    const phone = `${simulators.url}/phone/${encodeURIComponent(PHONE)}`;
    const shown = await (await fetch(phone)).text();
    expect(shown).toContain('$49.00');
    expect(shown).toContain('no real money');
    await fetch(`${phone}/${id}`, { method: 'POST', body: new URLSearchParams({ decision: 'approve' }) });
    expect((await ledger()).charges).toHaveLength(1);
  });
});

describe('webhooks', () => {
  const created = () => receiver.received.filter((r) => r.body.includes('"payment_intent.created"'));

  test('an event is signed so that the real client accepts it, and a connected one goes to its own url', async () => {
    const intent = await newIntent();
    const [first] = await until('event', () => created().length > 0 && created());
    const signature = first?.headers['stripe-signature'] ?? '';
    const event = stripe.webhooks.constructEvent(first?.body ?? '', signature, SECRET);
    expect(event).toMatchObject({
      type: 'payment_intent.created',
      livemode: false,
      data: { object: { id: intent.id } },
    });
    expect((await stripe.events.retrieve(event.id)).id).toBe(event.id);
    await newIntent({ stripeAccount: 'acct_1' });
    const connected = await until('connected event', () => receiver.events('/connect')[0]);
    expect(connected.account).toBe('acct_1');
  });

  test('a refused event comes again, with the same id', async () => {
    receiver.answers.push(500);
    await newIntent();
    const [first, second] = await until('redelivery', () => created().length === 2 && receiver.events());
    expect(second?.id).toBe(first?.id);
    await until(
      'delivered',
      async () => (await stripe.events.list({ delivery_success: false })).data.length === 0,
    );
  });

  test('duplicate, lost, reordered and wrongly signed events', async () => {
    await fault({ webhook: 'duplicate', type: 'payment_intent.created', times: 1 });
    await newIntent();
    await until('three copies', () => created().length === 3);

    await fault({ webhook: 'lose', times: 1 });
    const lost = await newIntent();
    const unseen = await stripe.events.list({ delivery_success: false, type: 'payment_intent.created' });
    expect(unseen.data).toMatchObject([{ data: { object: { id: lost.id } } }]);

    receiver.received.length = 0;
    await fault({ webhook: 'reorder', times: 1 });
    const held = await newIntent();
    const next = await newIntent();
    const order = await until('both', () => receiver.events().length === 2 && receiver.events());
    expect(order.map((e) => e.data.object.id)).toEqual([next.id, held.id]);

    receiver.received.length = 0;
    await fault({ webhook: 'bad_signature', times: 1 });
    await newIntent();
    const [spoiled, good] = await until('second attempt', () => created().length === 2 && created());
    const verify = (r: Received | undefined) =>
      stripe.webhooks.constructEvent(r?.body ?? '', r?.headers['stripe-signature'] ?? '', SECRET);
    expect(() => verify(spoiled)).toThrow();
    expect(verify(good).type).toBe('payment_intent.created');
  });
});

test('a restart keeps objects, keys, faults, expiries and undelivered events', async () => {
  receiver.answers.push(500, 500, 500);
  const intent = await newIntent({ idempotencyKey: 'k1' });
  const session = await newSession();
  await fault({ route: 'POST /v1/refunds', kind: 'status', status: 503, times: 1 });
  await until('first attempt', () => receiver.received.length > 0);
  await simulators.close();
  receiver.answers.length = 0;
  const before = receiver.received.length;
  await start(Number(new URL(simulators.url).port));
  expect((await newIntent({ idempotencyKey: 'k1' })).id).toBe(intent.id);
  expect((await stripe.checkout.sessions.retrieve(session.id)).status).toBe('open');
  expect((await local('/faults', undefined, 'GET')).json).toMatchObject({
    routes: [{ route: 'POST /v1/refunds' }],
  });
  await until('redelivered after the restart', () => receiver.received.length > before);
});

describe('messages', () => {
  /** The real client, sent to the stand-in: only the host changes. */
  class LocalClient extends twilio.RequestClient {
    override request<T>(options: Parameters<twilio.RequestClient['request']>[0]) {
      const uri = options.uri.replace('https://api.twilio.com', simulators.url);
      return super.request<T>({ ...options, uri } as Parameters<twilio.RequestClient['request']>[0] & {
        data: T;
      });
    }
  }
  const client = (token = TOKEN) => twilio(SID, token, { httpClient: new LocalClient() });
  const send = (to: string, body: string | undefined = 'Pay here') =>
    client().messages.create({
      to,
      from: '+15550009999',
      body,
      statusCallback: `${receiver.url}/twilio?x=1`,
    });
  const sent = async (): Promise<unknown[]> => {
    const { messages }: { messages: unknown[] } = (
      await local(`/messages?to=${encodeURIComponent(PHONE)}`, undefined, 'GET')
    ).json;
    return messages;
  };

  test('a message is delivered, with signed callbacks for each change', async () => {
    const message = await send(PHONE);
    expect(message.status).toBe('queued');
    await until(
      'delivered',
      async () => (await client().messages(message.sid).fetch()).status === 'delivered',
    );
    const callbacks = await until('two callbacks', () => {
      const seen = receiver.received.filter((r) => r.path === '/twilio?x=1');
      return seen.length === 2 && seen;
    });
    const statuses = callbacks.map(({ body, headers }) => {
      const params = Object.fromEntries(new URLSearchParams(body));
      const signature = headers['x-twilio-signature'] ?? '';
      expect(twilio.validateRequest(TOKEN, signature, `${receiver.url}/twilio?x=1`, params)).toBe(true);
      expect(params['MessageSid']).toBe(message.sid);
      return params['MessageStatus'];
    });
    expect(statuses).toEqual(['sent', 'delivered']);
    const listed = await client().messages.list({ to: PHONE, dateSentAfter: new Date(Date.now() - 60_000) });
    expect(listed.map((m) => m.sid)).toEqual([message.sid]);
  });

  test('an unreachable handset ends undelivered with its error code', async () => {
    const { sid } = await send('+15551230003');
    const lost = await until('undelivered', async () => {
      const seen = await client().messages(sid).fetch();
      return seen.status === 'undelivered' && seen;
    });
    expect(lost.errorCode).toBe(30_003);
  });

  test.each([
    ['a number that is none', '12345', 21_211],
    ['an invalid magic number', '+15005550001', 21_211],
    ['an opted-out magic number', '+15005550004', 21_610],
    ['a landline', '+15005550009', 21_614],
  ])('%s is refused', async (_what, to, code) => {
    await expect(send(to)).rejects.toMatchObject({ status: 400, code });
  });

  test('an empty body, a wrong token and a number that texted STOP are refused', async () => {
    await expect(send(PHONE, '')).rejects.toMatchObject({ code: 21_602 });
    await expect(client('wrong').messages.list()).rejects.toMatchObject({ status: 401, code: 20_003 });
    await local('/messages/inbound', { from: PHONE, body: 'Stop' });
    await expect(send(PHONE)).rejects.toMatchObject({ code: 21_610 });
  });

  test('a repeat after a dropped answer sends twice: there is no idempotency key', async () => {
    await fault({
      route: 'POST /2010-04-01/Accounts/:sid/Messages.json',
      kind: 'after_effect_drop',
      times: 1,
    });
    await expect(send(PHONE)).rejects.toThrow();
    await send(PHONE);
    expect(await sent()).toHaveLength(2);
    await fault({ route: 'POST /2010-04-01/*', kind: 'status', status: 429, times: 1 });
    await expect(send(PHONE)).rejects.toMatchObject({ status: 429, code: 20_429 });
  });
});
