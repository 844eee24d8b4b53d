import { setTimeout as sleep } from 'node:timers/promises';
import type { StandIns } from '../support/system-vendors.js';

/** What a caller can pay by: the rest only we could use. */
const payable = ['checkout_session', 'agent_authorization'];

/** Looks again and again whether a caller could pay twice at this very moment. */
export class LiveWatch {
  /** What was seen, by checkout. */
  readonly seen = new Map<string, string>();
  looks = 0;
  readonly #over = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(readonly standIns: StandIns) {}

  begin(): void {
    this.#running = this.#watch();
  }

  async end(): Promise<void> {
    this.#over.abort();
    await this.#running;
  }

  async #watch(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const begun = Date.now();
      await this.#look();
      // A large book takes its time: the stand-ins have other things to do.
      const pauseMs = Math.max(300, (Date.now() - begun) * 10);
      await sleep(pauseMs, undefined, { signal: this.#over.signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { live_instruments } = await this.standIns.ledger();
    this.looks += 1;
    const first = new Map<string, string>();
    for (const { type, id, metadata } of live_instruments) {
      const owner = metadata['vc_checkout'] ?? '';
      if (!payable.includes(type)) continue;
      const other = first.get(owner);
      if (other !== undefined) this.seen.set(owner, `${other} and ${id} could be paid at the same time`);
      first.set(owner, id);
    }
  }
}
