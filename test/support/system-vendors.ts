import { expect, vi } from 'vitest';

interface Marked {
  id: string;
  metadata: Record<string, string>;
}

export interface Authorization extends Marked {
  object: string;
  status: string;
}

export interface Session extends Marked {
  status: string;
  url: string | null;
}

interface Charge extends Marked {
  payment_intent: string;
  amount: number;
  amount_refunded: number;
}

interface GivenBack extends Marked {
  payment_intent: string;
  amount: number;
  status: string;
}

interface Mail {
  to: string;
  text: string;
}

interface Instrument extends Marked {
  type: string;
}

interface WaitingFault {
  kind?: string;
  webhook?: string;
  times: number;
}

interface LoggedRequest {
  at: number;
  method: string;
  path: string;
  status: number | null;
}

interface Message {
  sid: string;
  to: string;
  body: string;
}

/** One movement of money in the stand-in's own double-entry book. */
interface Posting {
  number: number;
  kind: string;
  currency: string;
  lines: { account: string; amount: number }[];
}

/** All that an auditor finds at Stripe, of all checkouts together. */
export interface Ledger {
  charges: Charge[];
  refunds: GivenBack[];
  live_instruments: Instrument[];
  postings: Posting[];
}

/** What the vendors hold of one checkout. */
export interface Book {
  charges: Charge[];
  live: Instrument[];
  authorizations: Authorization[];
  sessions: Session[];
  /** Texts with the link of one of the sessions. */
  texts: Message[];
}

/** The vendors' and the caller's side: what people do in the wallet and on the page, and what goes wrong on the way. */
export class StandIns {
  constructor(private readonly url: () => string) {}

  async fault(rule: object): Promise<void> {
    await this.#request('POST', '/_local/faults', rule);
  }

  /** Faults that nothing has met so far. */
  waitingFaults(): Promise<{ routes: WaitingFault[]; webhooks: WaitingFault[] }> {
    return this.#get('/_local/faults');
  }

  async clearFaults(): Promise<void> {
    await this.#request('DELETE', '/_local/faults');
  }

  /** Until an answer of the route was dropped: the vendor has acted, and nobody was told. */
  async untilDropped(method: string, path: RegExp): Promise<void> {
    await vi.waitFor(
      async () => {
        const { requests } = await this.#get<{ requests: LoggedRequest[] }>('/_local/requests');
        const dropped = requests.filter(
          (request) => request.method === method && path.test(request.path) && request.status === null,
        );
        expect(dropped.length, `answers of ${path.source} dropped`).toBeGreaterThan(0);
      },
      { timeout: 10_000, interval: 25 },
    );
  }

  async approve(checkoutId: string, choice: { grants?: string; outcome?: string } = {}): Promise<void> {
    const { id } = await this.authorization(checkoutId);
    await this.#request('POST', `/_local/agent_authorizations/${id}/approve`, choice);
  }

  async deny(checkoutId: string): Promise<void> {
    const { id } = await this.authorization(checkoutId);
    await this.#request('POST', `/_local/agent_authorizations/${id}/decline`, {});
  }

  async pay(checkoutId: string, outcome = 'succeeded'): Promise<void> {
    const { id } = await this.session(checkoutId);
    await this.#request('POST', `/_local/checkout_sessions/${id}/pay`, { outcome });
  }

  async authorization(checkoutId: string): Promise<Authorization> {
    return only(
      await this.#marked<Authorization>('agent_authorizations', checkoutId),
      `authorization of ${checkoutId}`,
    );
  }

  async session(checkoutId: string): Promise<Session> {
    return only(await this.#marked<Session>('checkout_sessions', checkoutId), `session of ${checkoutId}`);
  }

  async book(checkoutId: string): Promise<Book> {
    const [ledger, authorizations, sessions, messages] = await Promise.all([
      this.ledger(),
      this.#marked<Authorization>('agent_authorizations', checkoutId),
      this.#marked<Session>('checkout_sessions', checkoutId),
      this.messages(),
    ]);
    const own = <T extends Marked>(list: readonly T[]): T[] =>
      list.filter(({ metadata }) => metadata['vc_checkout'] === checkoutId);
    return {
      charges: own(ledger.charges),
      live: own(ledger.live_instruments),
      authorizations,
      sessions,
      texts: messages.filter(({ body }) => sessions.some(({ id }) => body.includes(id))),
    };
  }

  async messages(): Promise<Message[]> {
    return (await this.#get<{ messages: Message[] }>('/_local/messages')).messages;
  }

  ledger(): Promise<Ledger> {
    return this.#get('/_local/ledger');
  }

  /** Refunds at Stripe, of this checkout. */
  async refunds(checkoutId: string): Promise<GivenBack[]> {
    const { refunds } = await this.ledger();
    return refunds.filter(({ metadata }) => metadata['vc_checkout'] === checkoutId);
  }

  /** The link to the page of this refund in the one e-mail about it that this person gets. */
  async approvalLink(refundId: string, to: string): Promise<string> {
    const links = await vi.waitFor(
      async () => {
        const { mails } = await this.#get<{ mails: Mail[] }>(`/_local/mails?to=${encodeURIComponent(to)}`);
        const found = mails.flatMap(({ text }) => /https?:\/\/\S+\/approvals\/\S+/.exec(text)?.[0] ?? []);
        const own = found.filter((link) => link.includes(refundId));
        expect(own, `e-mails about ${refundId}`).not.toEqual([]);
        return own;
      },
      { timeout: 10_000, interval: 25 },
    );
    return only(links, `e-mail about ${refundId}`);
  }

  /** Money that moved, of all checkouts together. */
  async captured(): Promise<number> {
    const { totals } = await this.#get<{ totals: Record<string, { captured: number }> }>('/_local/ledger');
    return totals['usd']?.captured ?? 0;
  }

  async #marked<T extends Marked>(list: string, checkoutId: string): Promise<T[]> {
    const query = new URLSearchParams({ 'metadata[vc_checkout]': checkoutId });
    return (await this.#get<{ data: T[] }>(`/_local/${list}?${query.toString()}`)).data;
  }

  #get<T>(path: string): Promise<T> {
    return this.#request('GET', path) as Promise<T>;
  }

  async #request(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(this.url() + path, {
      method,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(10_000),
      ...(body && { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }
}

function only<T>(list: readonly T[], what: string): T {
  const [first] = list;
  if (first === undefined || list.length > 1) throw new Error(`${list.length} instead of one ${what}`);
  return first;
}

/** The vendors' book of a paid checkout: the money once, one instrument of each rail that was tried, none left open. */
export function expectPaidOnce(
  book: Book,
  amount: number,
  tried: { authorizations: number; sessions: number },
): void {
  expect(book.charges.map((charge) => charge.amount)).toEqual([amount]);
  expect(book.live).toEqual([]);
  expect(book.authorizations).toHaveLength(tried.authorizations);
  expect(book.sessions).toHaveLength(tried.sessions);
  expect(book.texts).toHaveLength(tried.sessions);
}
