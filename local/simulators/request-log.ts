import type { Clock } from './clock.js';

/** One request a vendor would have seen. `status` is null where the connection was dropped without an answer. */
export interface LoggedRequest {
  seq: number;
  at: number;
  vendor: 'stripe' | 'twilio';
  method: string;
  path: string;
  route: string | null;
  idempotency_key: string | null;
  status: number | null;
  replayed: boolean;
  fault: string | null;
  account: string | null;
  params: Record<string, string>;
}

const KEPT = 5_000;

/** What tests count: how often the product really asked, and with which keys. Kept in memory only. */
export class RequestLog {
  readonly #entries: LoggedRequest[] = [];
  #seq = 0;

  constructor(readonly clock: Clock) {}

  add(entry: Omit<LoggedRequest, 'seq' | 'at'>): void {
    this.#seq += 1;
    this.#entries.push({ seq: this.#seq, at: this.clock.now(), ...entry });
    if (this.#entries.length > KEPT * 1.2) this.#entries.splice(0, this.#entries.length - KEPT);
  }

  /** `since` is a time: milliseconds or an ISO string. */
  since(since: string | undefined): LoggedRequest[] {
    const from = since === undefined ? 0 : /^\d+$/.test(since) ? Number(since) : Date.parse(since);
    return this.#entries.slice(-KEPT).filter((entry) => entry.at >= from);
  }
}
