import { setTimeout as sleep } from 'node:timers/promises';
import type { TestSystem } from '../support/system.js';
import { Tally } from './diary.js';
import type { SeededRandom } from './seeded-random.js';

export interface WeatherOptions {
  /** Shortest and longest pause between two kills, ms. */
  killEveryMs: readonly [number, number];
  /** The same between two faults. */
  faultEveryMs: readonly [number, number];
  /** When Temporal is killed, ms after the begin. */
  temporalAfterMs: number;
}

const reads = [
  'GET /v1/payment_intents/:id',
  'GET /v1/checkout/sessions/:id',
  'GET /v1/link/agent_authorizations/:id',
  'GET /v1/refunds/:id',
  'GET /v1/refunds',
  'GET /2010-04-01/Accounts/:account/Messages.json',
];
const effects = [
  'POST /v1/link/agent_authorizations',
  'POST /v1/link/agent_authorizations/:id/cancel',
  'POST /v1/payment_intents',
  'POST /v1/payment_intents/:id/confirm',
  'POST /v1/payment_intents/:id/cancel',
  'POST /v1/checkout/sessions',
  'POST /v1/checkout/sessions/:id/expire',
  'POST /v1/refunds',
  'POST /2010-04-01/Accounts/:account/Messages.json',
];
/** Where a stored error leaves nothing behind that a caller could still pay: elsewhere Stripe alone knows of it. */
const storable = effects.filter((route) => /(confirm|cancel|expire|refunds)$/.test(route));

/** Vendors that fail and processes that die, at random moments, until it is over. */
export class Weather {
  readonly kills = new Tally();
  readonly #added = new Tally();
  readonly #over = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(
    readonly system: TestSystem,
    readonly random: SeededRandom,
    readonly options: WeatherOptions,
  ) {}

  begin(): void {
    const { killEveryMs, faultEveryMs, temporalAfterMs } = this.options;
    this.#running = Promise.all([
      this.#every(killEveryMs, async () => this.#kill(this.random.chance(0.2) ? 'api' : 'worker')),
      this.#every(faultEveryMs, () => this.#fault()),
      this.#after(temporalAfterMs).then((due) => due && this.#kill('temporal')),
    ]);
  }

  /** Ends it, takes back the faults that nothing met, and waits until every process is there again. Gives those met. */
  async end(): Promise<Tally> {
    this.#over.abort();
    await this.#running;
    const { standIns } = this.system;
    const { routes, webhooks } = await standIns.waitingFaults();
    await standIns.clearFaults();
    const left = new Tally();
    for (const { kind, webhook, times } of [...routes, ...webhooks])
      left.add(kind ?? `${webhook} webhook`, times);
    const met = new Tally();
    for (const [name, count] of this.#added.counts) met.add(name, count - (left.counts.get(name) ?? 0));
    await this.system.untilAllRun();
    return met;
  }

  async #every([least, most]: readonly [number, number], act: () => Promise<void>): Promise<void> {
    while (await this.#after(this.random.between(least, most))) await act();
  }

  /** False when it was over before. */
  #after(ms: number): Promise<boolean> {
    return sleep(ms, true, { signal: this.#over.signal }).catch(() => false);
  }

  #kill(name: 'worker' | 'api' | 'temporal'): void {
    const { pids } = this.system.dev;
    const index = name === 'worker' ? this.random.between(0, 1) : 0;
    const pid = name === 'worker' ? pids.workers[index] : pids[name];
    // Dead already, and not yet started again.
    if (pid === undefined) return;
    try {
      process.kill(pid, 'SIGKILL');
      this.kills.add(name);
    } catch {
      // It ended by itself in this moment.
    }
  }

  async #fault(): Promise<void> {
    const { random } = this;
    const rule = random.chance(0.3) ? this.#webhookFault() : this.#routeFault();
    const { kind, webhook, times } = rule;
    await this.system.standIns.fault(rule);
    this.#added.add(kind ?? `${webhook} webhook`, times);
  }

  #webhookFault(): { webhook: string; kind?: undefined; times: number; ms?: number } {
    const { random } = this;
    const webhook = random.weighted([
      [3, 'lose'],
      [2, 'duplicate'],
      [2, 'reorder'],
      [2, 'delay'],
      [1, 'bad_signature'],
    ]);
    return { webhook, times: random.between(1, 4), ms: random.between(100, 3_000) };
  }

  #routeFault(): { kind: string; webhook?: undefined; route: string; times: number } {
    const { random } = this;
    const any = random.chance(0.7) ? effects : reads;
    const route = any[random.between(0, any.length - 1)] ?? '';
    const rule = random.weighted<{ kind: string; [detail: string]: unknown }>([
      [3, { kind: 'before' }],
      [4, { kind: 'after_effect_drop' }],
      [2, { kind: 'slow', ms: random.between(100, 2_500) }],
      // Longer than the clients wait.
      [1, { kind: 'slow', ms: 8_500 }],
      [2, { kind: 'status', status: 500, after_effect: storable.includes(route) && random.chance(0.5) }],
      [1, { kind: 'status', status: 429, retry_after: 1 }],
    ]);
    // A reset costs two: Stripe's client repeats it once by itself.
    return { ...rule, route, times: random.between(1, 4) };
  }
}
