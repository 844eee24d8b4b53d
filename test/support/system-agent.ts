import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DevFile } from '../../local/dev-file.js';

export interface Quote {
  quote_token: string;
  checkout_id: string;
  amount: number;
  currency: string;
}

export interface Checkout {
  checkout_id: string;
  state: string;
  terminal: boolean;
  version: number;
  say: string;
  rail?: string;
  reason?: string;
  amount: number;
  amount_captured: number;
  amount_refunded: number;
  confirmation_number?: string;
  /** Money that arrived after the end. */
  late_payment?: { state: string };
}

export interface Refund {
  refund_id: string;
  checkout_id: string;
  state: string;
  terminal: boolean;
  version: number;
  amount: number;
  request_hash: string;
  approval?: { decision?: string; decided_by?: string; note?: string };
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
  /** From the request to the whole answer. */
  ms: number;
}

export interface Caller {
  ref: string;
  phone: string;
  email: string;
}

let callers = 0;

/** A caller nobody has met before, with one of the numbers that are kept free for fiction. */
export function newCaller(): Caller {
  const ref = `caller-${randomUUID().slice(0, 8)}`;
  const last = String(callers++ % 100).padStart(2, '0');
  return { ref, phone: `+131255501${last}`, email: `${ref}@example.com` };
}

/** The voice agent's side of the API. */
export class Agent {
  constructor(
    private readonly dev: () => DevFile,
    private readonly key: () => string | undefined = () => this.dev().keys.agent,
  ) {}

  async quote(caller: Caller, amount?: number, description?: string): Promise<Quote> {
    const answer = await this.askQuote(caller, amount, description);
    if (answer.status !== 201) throw new Error(`the quote answered ${answer.status}`);
    return answer.body;
  }

  askQuote(caller: Caller, amount = 4_900, description = 'Growth plan'): Promise<Answer<Quote>> {
    return this.#send('POST', '/v1/quotes', {
      call: { id: `call-${randomUUID()}`, channel: 'voice' },
      customer: caller,
      purchase: { kind: 'amount', amount, currency: 'usd', description },
    });
  }

  /** The body of a start; sent again it is the same request. */
  startBody({ quote_token, amount, currency }: Quote, caller: Caller, rails?: readonly string[]): object {
    const contact = { phone: caller.phone, email: caller.email };
    const consent = { amount, currency, confirmed_at: new Date().toISOString(), words: 'Yes, please.' };
    return { quote_token, consent, contact, ...(rails && { rails }) };
  }

  start(body: object): Promise<Answer<Checkout>> {
    return this.#send('POST', '/v1/checkouts', body);
  }

  /** Quote and start in one, as a call does it. */
  async begin(rails?: readonly string[], caller = newCaller()): Promise<Checkout> {
    const answer = await this.start(this.startBody(await this.quote(caller), caller, rails));
    if (answer.status !== 202) throw new Error(`the start answered ${answer.status}`);
    return answer.body;
  }

  get(checkoutId: string, since = 0, waitMs = 0): Promise<Answer<Checkout>> {
    return this.#send('GET', `/v1/checkouts/${checkoutId}?since=${since}&wait_ms=${waitMs}`);
  }

  cancel(checkoutId: string): Promise<Answer<Checkout>> {
    return this.#send('POST', `/v1/checkouts/${checkoutId}/cancel`, {});
  }

  switchRail(checkoutId: string, rail: string): Promise<Answer<Checkout>> {
    return this.#send('POST', `/v1/checkouts/${checkoutId}/rail`, { rail });
  }

  askRefund(checkoutId: string, amount: number, words?: string): Promise<Answer<Refund>> {
    return this.requestRefund(this.refundBody(checkoutId, amount, words));
  }

  /**
   * The body of a request for a refund; sent again it is the same request. Each is made on a call of its own, so that two
   * of the same amount are two. Without an amount: all that is left.
   */
  refundBody(checkoutId: string, amount?: number, words?: string): object {
    return {
      checkout_id: checkoutId,
      ...(amount !== undefined && { amount }),
      reason: 'requested_by_customer',
      call: { id: `call-${randomUUID()}`, channel: 'voice' },
      ...(words !== undefined && { words }),
    };
  }

  requestRefund(body: object): Promise<Answer<Refund>> {
    return this.#send('POST', '/v1/refunds', body);
  }

  getRefund(refundId: string, since = 0, waitMs = 0): Promise<Answer<Refund>> {
    return this.#send('GET', `/v1/refunds/${refundId}?since=${since}&wait_ms=${waitMs}`);
  }

  decide({ refund_id, request_hash }: Refund, decision: 'approve' | 'deny'): Promise<Answer<Refund>> {
    return this.#send('POST', `/v1/refunds/${refund_id}/${decision}`, { request_hash });
  }

  /**
   * Waits as an agent waits: by `since`, and again when the API is away. Throws when the checkout ends in any other
   * state, or when the time is over.
   */
  waitFor(checkoutId: string, state: string, withinMs = 30_000): Promise<Checkout> {
    return this.#follow(checkoutId, (since, waitMs) => this.get(checkoutId, since, waitMs), state, withinMs);
  }

  /** As `waitFor`, of a refund. */
  waitForRefund(refundId: string, state: string, withinMs = 30_000): Promise<Refund> {
    return this.#follow(
      refundId,
      (since, waitMs) => this.getRefund(refundId, since, waitMs),
      state,
      withinMs,
    );
  }

  async #follow<T extends { state: string; terminal: boolean; version: number }>(
    id: string,
    read: (since: number, waitMs: number) => Promise<Answer<T>>,
    state: string,
    withinMs: number,
  ): Promise<T> {
    const until = Date.now() + withinMs;
    const path: string[] = [];
    let version = 0;
    for (;;) {
      const left = until - Date.now();
      const answer = await read(version, Math.max(0, Math.min(left, 2_000))).catch(() => undefined);
      if (answer?.status === 200) {
        const { body } = answer;
        if (body.version < version) throw new Error(`${id} went back to version ${body.version}`);
        if (body.version > version) path.push(body.state);
        version = body.version;
        if (body.state === state) return body;
        if (body.terminal) throw new Error(`${id} ended as ${path.join(' > ')}, not ${state}`);
      } else {
        path.push(answer ? `(${answer.status})` : '(no answer)');
        await sleep(50);
      }
      if (left <= 0) throw new Error(`${id} is not ${state} after ${withinMs} ms: ${path.join(' > ')}`);
    }
  }

  async #send<T>(method: string, path: string, body?: object): Promise<Answer<T>> {
    const begun = performance.now();
    const response = await fetch(this.dev().api_url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key() ?? ''}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(30_000),
      ...(body && { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as T;
    const ms = Math.round(performance.now() - begun);
    return { status: response.status, headers: response.headers, body: answer, ms };
  }
}
