import type { DevFile } from './dev-file.js';
import type { Spoken } from './dialogue.js';
import { isRecord } from './files.js';

/** What the demo reads of a quote and of a checkout. */
export interface SpokenQuote {
  quote_token: string;
  checkout_id: string;
  amount: number;
  currency: string;
  say: string;
}

export interface SpokenCheckout extends Spoken {
  checkout_id: string;
  deadline_at?: string;
  amount_refunded?: number;
}

export interface SpokenRefund extends Spoken {
  refund_id: string;
  request_hash: string;
}

export interface Ledger {
  totals: Record<string, { captured: number; refunded: number; net: number }>;
  charges: LedgerEntry[];
  live_instruments: LedgerEntry[];
}

export interface LedgerEntry {
  type?: string;
  id: string;
  amount: number;
  amount_refunded?: number;
  currency: string;
  metadata: Record<string, string>;
}

export interface Message {
  to: string;
  body: string;
}

export class DemoRequestError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'DemoRequestError';
  }
}

/** The voice agent's side (the API) and the caller's side (wallet, phone, payment page of the stand-ins). */
export class DemoClient {
  constructor(private readonly dev: DevFile) {}

  quote(body: object): Promise<SpokenQuote> {
    return this.agent('POST', '/v1/quotes', body);
  }

  startCheckout(body: object): Promise<SpokenCheckout> {
    return this.agent('POST', '/v1/checkouts', body);
  }

  /** Answers when the version has grown, or unchanged after `waitMs`. */
  checkout(id: string, since: number, waitMs: number): Promise<SpokenCheckout> {
    return this.agent('GET', `/v1/checkouts/${encodeURIComponent(id)}?since=${since}&wait_ms=${waitMs}`);
  }

  switchRail(id: string, rail: string, contact: object): Promise<SpokenCheckout> {
    return this.agent('POST', `/v1/checkouts/${encodeURIComponent(id)}/rail`, { rail, contact });
  }

  askRefund(body: object): Promise<SpokenRefund> {
    return this.agent('POST', '/v1/refunds', body);
  }

  refund(id: string, since: number, waitMs: number): Promise<SpokenRefund> {
    return this.agent('GET', `/v1/refunds/${encodeURIComponent(id)}?since=${since}&wait_ms=${waitMs}`);
  }

  /** The newest link to the approver's page of this refund in anybody's e-mail. */
  async approvalLink(refundId: string): Promise<string | undefined> {
    const { mails } = await this.local<{ mails: { text: string }[] }>('GET', '/_local/mails');
    const links = mails.flatMap(({ text }) => /https?:\/\/\S+\/approvals\/\S+/.exec(text)?.[0] ?? []);
    return links.find((link) => link.includes(refundId));
  }

  /** Opens the approver's page and presses its button. */
  async approveOnPage(link: string): Promise<void> {
    const page = await fetch(link);
    if (!page.ok) throw new Error(`the approver's page answered ${page.status}`);
    const body = new URLSearchParams({ decision: 'approved', note: 'Agreed on the phone' });
    const decided = await fetch(link, { method: 'POST', body });
    if (!decided.ok) throw new Error(`the decision answered ${decided.status}`);
  }

  ledger(): Promise<Ledger> {
    return this.local('GET', '/_local/ledger');
  }

  async messages(to: string): Promise<Message[]> {
    const answer = await this.local<unknown>('GET', `/_local/messages?to=${encodeURIComponent(to)}`);
    const list: unknown = isRecord(answer) ? answer['messages'] : answer;
    return Array.isArray(list) ? (list as Message[]) : [];
  }

  approveWallet(authorizationId: string): Promise<unknown> {
    return this.local('POST', `/_local/agent_authorizations/${authorizationId}/approve`, {});
  }

  payPage(sessionId: string): Promise<unknown> {
    return this.local('POST', `/_local/checkout_sessions/${sessionId}/pay`, { outcome: 'succeeded' });
  }

  private agent<T>(method: string, path: string, body?: object): Promise<T> {
    return request(method, this.dev.api_url + path, body, { authorization: `Bearer ${this.dev.keys.agent}` });
  }

  private local<T>(method: string, path: string, body?: object): Promise<T> {
    return request(method, this.dev.local_url + path, body, {});
  }
}

async function request<T>(
  method: string,
  url: string,
  body: object | undefined,
  headers: Record<string, string>,
): Promise<T> {
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
    signal: AbortSignal.timeout(30_000),
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  const answer: unknown = text === '' ? {} : JSON.parse(text);
  if (!response.ok) {
    const { code, detail } = isRecord(answer) ? answer : {};
    const why = [code, detail].filter((part) => typeof part === 'string').join(': ');
    throw new DemoRequestError(
      response.status,
      `${method} ${new URL(url).pathname} answered ${response.status} ${why}`,
    );
  }
  return answer as T;
}
