import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../local/simulators/clock.js';

/** Time that moves only when told to. */
export class VirtualClock implements Clock {
  #now: number;
  #timers: { time: number; run: () => void }[] = [];

  constructor(startMs: number) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  seconds(): number {
    return Math.floor(this.#now / 1000);
  }

  at(time: number, run: () => void): void {
    this.#timers.push({ time, run });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.at(this.#now + ms, resolve));
  }

  close(): void {
    this.#timers = [];
  }

  /** Runs all that is due meanwhile, in order, each with whatever follows from it. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await setImmediate();
      const [next] = this.#timers.filter(({ time }) => time <= end).sort((a, b) => a.time - b.time);
      if (next === undefined) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.time);
      next.run();
    }
    this.#now = end;
  }
}
