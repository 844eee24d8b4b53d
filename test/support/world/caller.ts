import { randomUUID } from 'node:crypto';
import type { CheckoutResource } from '../../../api/checkouts/resource.js';
import type { QuoteResource } from '../../../api/quotes/schemas.js';
import type { World } from './world.js';

export interface Answer<Body> {
  status: number;
  /** The header `Idempotent-Replayed`. */
  replayed: boolean;
  /** Round trip, ms. */
  ms: number;
  body: Body & { code?: string; checkout_id: string };
}

export type Checkout = CheckoutResource;
export type Rail = Checkout['rails_left'][number];

export interface Wish {
  amount?: number;
  currency?: string;
  description?: string;
  callId?: string;
  after?: string;
}

export interface CallerOptions {
  tenant?: string;
  /** End of the phone number; the stand-ins give some a meaning (0003 unreachable, 0404 no wallet). */
  phoneEnd?: string;
  phone?: string | null;
  email?: string | null;
}

let callers = 1;

/** One caller with a voice agent that speaks HTTP for them. Knows every checkout it started. */
export class Caller {
  readonly world: World;
  readonly tenant: string;
  readonly callId = `call_${randomUUID()}`;
  readonly ref = `customer-${randomUUID()}`;
  readonly phone: string | undefined;
  readonly email: string | undefined;
  readonly checkouts = new Set<string>();
  /** Checkouts that a test leaves open on purpose. */
  readonly leavesOpen = new Set<string>();

  constructor(world: World, options: CallerOptions = {}) {
    const { tenant = 'acme', phoneEnd = '1000', phone, email } = options;
    this.world = world;
    this.tenant = tenant;
    // +1 555: an area code that nobody was given.
    const own = `+1555${String(callers++ % 1_000).padStart(3, '0')}${phoneEnd}`;
    this.phone = phone === null ? undefined : (phone ?? own);
    this.email = email ?? undefined;
  }

  async request<Body>(method: string, path: string, body?: object, key?: string): Promise<Answer<Body>> {
    const began = performance.now();
    const response = await fetch(`${this.world.url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key ?? this.world.keyOf(this.tenant)}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    return {
      status: response.status,
      replayed: response.headers.get('idempotent-replayed') === 'true',
      body: (await response.json()) as Answer<Body>['body'],
      ms: performance.now() - began,
    };
  }

  quote(wish: Wish = {}): Promise<Answer<QuoteResource>> {
    const {
      amount = 4_900,
      currency = 'usd',
      description = 'Growth plan',
      callId = this.callId,
      after,
    } = wish;
    const { ref, phone, email } = this;
    return this.request('POST', '/quotes', {
      call: { id: callId, channel: 'voice' },
      customer: { ref, ...(phone && { phone }), ...(email && { email }) },
      purchase: { kind: 'amount', amount, currency, description },
      ...(after && { after }),
    });
  }

  async start(quote: QuoteResource, more: object = {}): Promise<Answer<Checkout>> {
    const { quote_token, amount, currency, checkout_id } = quote;
    this.checkouts.add(checkout_id);
    return this.request('POST', '/checkouts', {
      quote_token,
      consent: { amount, currency, confirmed_at: new Date().toISOString(), words: 'yes please' },
      ...more,
    });
  }

  /** Quote, consent, start: the id of a checkout that runs. */
  async begin(wish: Wish = {}, more: object = {}): Promise<string> {
    const quote = await this.quote(wish);
    if (quote.status >= 300) throw new Error(`quote refused: ${JSON.stringify(quote.body)}`);
    const started = await this.start(quote.body, more);
    if (started.status >= 300) throw new Error(`start refused: ${JSON.stringify(started.body)}`);
    return started.body.checkout_id;
  }

  get(checkoutId: string, wait: { since?: number; wait_ms?: number } = {}): Promise<Answer<Checkout>> {
    const { since = 0, wait_ms = 0 } = wait;
    return this.request('GET', `/checkouts/${checkoutId}?since=${since}&wait_ms=${wait_ms}`);
  }

  cancel(checkoutId: string, reason?: string): Promise<Answer<Checkout>> {
    return this.request('POST', `/checkouts/${checkoutId}/cancel`, reason === undefined ? {} : { reason });
  }

  switchTo(checkoutId: string, rail: Rail, contact?: object): Promise<Answer<Checkout>> {
    return this.request('POST', `/checkouts/${checkoutId}/rail`, { rail, ...(contact && { contact }) });
  }

  /** Waits, by `since`, for a state, or for whatever else a checkout is to show. */
  async reach(
    checkoutId: string,
    wanted: Checkout['state'] | ((checkout: Checkout) => boolean),
    timeoutMs = 20_000,
  ): Promise<Checkout> {
    const seen = (checkout: Checkout) =>
      typeof wanted === 'string' ? checkout.state === wanted : wanted(checkout);
    const until = Date.now() + timeoutMs;
    for (let since = 0; ;) {
      const wait_ms = Math.min(25_000, Math.max(0, until - Date.now()));
      const { body } = await this.get(checkoutId, { since, wait_ms });
      if (seen(body)) return body;
      if (Date.now() >= until || (body.terminal && typeof wanted === 'string')) {
        throw new Error(`wanted ${String(wanted)}, got ${JSON.stringify(body)}`);
      }
      since = body.version;
    }
  }

  /** The checkout's events, each as `type state rail? (reason)?`. */
  async story(checkoutId: string): Promise<string[]> {
    return (await this.events(checkoutId)).map(({ type, state, rail, reason }) =>
      [type, state, rail, reason && `(${reason})`].filter((part) => part !== undefined).join(' '),
    );
  }

  /** Waits for a state and tells, in short, how the checkout got there. */
  async account(checkoutId: string, state: Checkout['state'], timeoutMs?: number) {
    const { reason, attempts } = await this.reach(checkoutId, state, timeoutMs);
    return {
      reason,
      attempts: attempts.map(({ rail, state: outcome, reason: why }) =>
        [rail, outcome, why && `(${why})`].filter((part) => part !== undefined).join(' '),
      ),
      story: await this.story(checkoutId),
    };
  }

  async events(checkoutId: string) {
    const { body } = await this.request<{
      events: { seq: number; type: string; state: Checkout['state']; rail?: Rail; reason?: string }[];
    }>('GET', `/checkouts/${checkoutId}/events`);
    return body.events;
  }

  explain(checkoutId: string): Promise<string> {
    return this.world.handleOf(this.tenant, checkoutId).query<string>('explain');
  }

  /** The run's history, oldest event first. */
  async history(checkoutId: string) {
    return (await this.world.handleOf(this.tenant, checkoutId).fetchHistory()).events ?? [];
  }

  /** Events in the run's history. */
  async historyLength(checkoutId: string): Promise<number> {
    return (await this.world.handleOf(this.tenant, checkoutId).describe()).historyLength;
  }
}
