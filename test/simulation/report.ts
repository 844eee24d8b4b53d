import { catalogue, rowsReached } from './coverage.js';

const year = 365 * 86_400_000;

/** What is kept of a schedule; plain data, so that processes can tell each other. */
export interface Summary {
  seed: number;
  /** Of the violation, if there was one. */
  message?: string;
  counts: Iterable<readonly [string, number]>;
  /** Virtual time, ms. */
  duration: number;
}

/** Sums over many schedules. */
export class Report {
  readonly counts = new Map<string, number>();
  readonly violations: { seed: number; message: string }[] = [];
  schedules = 0;
  #virtualMs = 0;
  readonly #began = performance.now();

  add({ seed, message, counts, duration }: Summary): void {
    this.schedules++;
    this.#virtualMs += duration;
    for (const [what, often] of counts) this.counts.set(what, (this.counts.get(what) ?? 0) + often);
    if (message !== undefined) this.violations.push({ seed, message });
  }

  /** Where a long run is. */
  progress(): string {
    return `${this.schedules.toLocaleString('en-US')} done, ${this.violations.length} violations, ${this.#pace()}/s`;
  }

  #pace(): string {
    return ((this.schedules * 1_000) / (performance.now() - this.#began)).toFixed(1);
  }

  line(): string {
    const often = (what: string) => (this.counts.get(what) ?? 0).toLocaleString('en-US');
    const reached = rowsReached(this.counts);
    return [
      `${this.schedules.toLocaleString('en-US')} schedules`,
      `${often('crashes')} crashes`,
      `${often('replays')} replays`,
      `${(this.#virtualMs / year).toFixed(1)} virtual years`,
      `${this.violations.length} violations`,
      `${catalogue.filter(({ row }) => (reached.get(row) ?? 0) > 0).length} of ${catalogue.length} rows reached`,
      `${this.#pace()} schedules/s`,
    ].join(', ');
  }
}
