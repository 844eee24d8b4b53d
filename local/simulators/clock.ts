/** The one source of time of the stand-ins; a simulation gives them its own. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Unix seconds, as Stripe writes times. */
  seconds(): number;
  /** Runs once at this time, or soon if it is past; never after `close`. */
  at(time: number, run: () => void): void;
  sleep(ms: number): Promise<void>;
  close(): void;
}

/** Real time. No timer keeps the process alive, all end with `close`. */
export class SystemClock implements Clock {
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  now(): number {
    return Date.now();
  }

  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  at(time: number, run: () => void): void {
    if (this.#closed) return;
    // Node fires a timer beyond 2^31 ms at once.
    const delay = Math.min(Math.max(0, time - this.now()), 2 ** 31 - 1);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delay);
    timer.unref();
    this.#timers.add(timer);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.at(this.now() + ms, resolve));
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
