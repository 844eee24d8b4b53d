import { AsyncLocalStorage } from 'node:async_hooks';
import crypto, { createHmac, timingSafeEqual, webcrypto } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import type { Random } from './random.js';

/** A process of the simulated system. What a dead one awaited never comes back to it. */
export interface Process {
  alive: boolean;
}

/** Whose code runs now; empty for the vendors and people. */
export const runningProcess = new AsyncLocalStorage<Process>();

interface VirtualEvent {
  at: number;
  sequence: number;
  run: (() => void | Promise<void>) | undefined;
}

/** WebCrypto signs in threads of its own, which no virtual time waits for: here it is done at once. */
function hmacAtOnce({ subtle }: webcrypto.Crypto) {
  const importKey = subtle.importKey.bind(subtle) as (
    format: string,
    secret: Uint8Array,
    ...more: unknown[]
  ) => Promise<webcrypto.CryptoKey>;
  const secrets = new WeakMap<webcrypto.CryptoKey, Uint8Array>();
  const hmac = (key: webcrypto.CryptoKey, data: Uint8Array): Buffer => {
    const { name, hash } = key.algorithm as webcrypto.HmacKeyAlgorithm;
    const secret = secrets.get(key);
    if (name !== 'HMAC' || hash.name !== 'SHA-256' || !secret)
      throw new Error(`not known to the simulation: ${name}`);
    return createHmac('sha256', secret).update(data).digest();
  };
  return {
    importKey: async (format: string, secret: Uint8Array, ...more: unknown[]) => {
      const key = await importKey(format, secret, ...more);
      secrets.set(key, secret);
      return key;
    },
    sign: async (_algorithm: unknown, key: webcrypto.CryptoKey, data: Uint8Array) => hmac(key, data),
    verify: async (
      _algorithm: unknown,
      key: webcrypto.CryptoKey,
      signature: Uint8Array,
      data: Uint8Array,
    ) => {
      const expected = hmac(key, data);
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    },
  };
}

const immediate = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * One queue of events in virtual time. One event runs at a time, and the next only when everything the last one woke waits
 * again for something virtual or has ended: so the order of things never depends on the machine.
 */
export class VirtualTime {
  now: number;
  /** Events run so far. */
  steps = 0;
  /** Called after each event, when nothing moves. */
  afterEach: () => void = () => undefined;
  readonly #heap: VirtualEvent[] = [];
  #sequence = 0;

  constructor(startAt: number) {
    this.now = startAt;
  }

  at(time: number, run: () => void | Promise<void>): VirtualEvent {
    const event: VirtualEvent = { at: Math.max(time, this.now), sequence: this.#sequence++, run };
    this.#push(event);
    return event;
  }

  after(ms: number, run: () => void | Promise<void>): VirtualEvent {
    return this.at(this.now + ms, run);
  }

  cancel(event: VirtualEvent | undefined): void {
    if (event) event.run = undefined;
  }

  /** For the code of a process that died meanwhile it never ends. */
  sleep(ms: number): Promise<void> {
    const process = runningProcess.getStore();
    return new Promise((resolve) => {
      this.after(ms, () => {
        if (process?.alive !== false) resolve();
      });
    });
  }

  /** Runs all events up to `until`, epoch ms. */
  async run(until: number): Promise<void> {
    await this.settle();
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.at > until) break;
      this.#pop();
      if (!next.run) continue;
      this.now = next.at;
      this.steps++;
      await next.run();
      await this.settle();
      this.afterEach();
    }
    this.now = Math.max(this.now, until);
  }

  async settle(): Promise<void> {
    await immediate();
  }

  /** Puts virtual time and seeded randomness under the product's code; returns what undoes it. */
  install(random: Random): () => void {
    const { Date: RealDate } = globalThis;
    const clock = () => Math.floor(this.now);
    const saved = {
      now: RealDate.now,
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval,
      clearInterval: globalThis.clearInterval,
      random: Math.random,
      sleep: timersPromises.setTimeout,
      randomUUID: crypto.randomUUID,
      randomBytes: crypto.randomBytes,
    };
    const { subtle } = webcrypto;
    globalThis.Date = new Proxy(RealDate, {
      construct: (target, args: unknown[], newTarget) =>
        Reflect.construct(
          target,
          args.length === 0 ? [clock()] : args,
          newTarget === globalThis.Date ? target : newTarget,
        ) as object,
      apply: () => new RealDate(clock()).toString(),
    });
    RealDate.now = clock;
    // Inherited, as the methods of `subtle` are.
    Object.defineProperty(performance, 'now', { configurable: true, value: () => this.now });
    Math.random = () => random.next();
    const timer = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const process = runningProcess.getStore();
      const event = this.after(Math.max(1, ms), () => {
        if (process?.alive !== false) run(...args);
      });
      return Object.assign(event, { ref: () => event, unref: () => event, hasRef: () => true });
    };
    const forget = (event: unknown) => this.cancel(event as VirtualEvent | undefined);
    globalThis.setTimeout = timer as unknown as typeof setTimeout;
    globalThis.clearTimeout = forget;
    globalThis.setInterval = () => {
      throw new Error('no interval is known to the simulation');
    };
    globalThis.clearInterval = forget;
    timersPromises.setTimeout = ((ms: number) => this.sleep(ms)) as typeof timersPromises.setTimeout;
    crypto.randomUUID = () => uuid(random.bytes(16));
    crypto.randomBytes = ((length: number) => random.bytes(length)) as unknown as typeof crypto.randomBytes;
    const atOnce = Object.entries(hmacAtOnce(webcrypto));
    for (const [name, value] of atOnce) Object.defineProperty(subtle, name, { configurable: true, value });
    syncBuiltinESMExports();

    return () => {
      globalThis.Date = RealDate;
      RealDate.now = saved.now;
      delete (performance as { now?: unknown }).now;
      globalThis.setTimeout = saved.setTimeout;
      globalThis.clearTimeout = saved.clearTimeout;
      globalThis.setInterval = saved.setInterval;
      globalThis.clearInterval = saved.clearInterval;
      Math.random = saved.random;
      timersPromises.setTimeout = saved.sleep;
      crypto.randomUUID = saved.randomUUID;
      crypto.randomBytes = saved.randomBytes;
      // The methods themselves are inherited: what shadows them goes.
      for (const [name] of atOnce) delete (subtle as unknown as Record<string, unknown>)[name];
      syncBuiltinESMExports();
    };
  }

  #push(event: VirtualEvent): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

const before = (a: VirtualEvent, b: VirtualEvent) =>
  a.at < b.at || (a.at === b.at && a.sequence < b.sequence);

function uuid(bytes: Buffer): `${string}-${string}-${string}-${string}-${string}` {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}
