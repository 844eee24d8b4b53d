/** What happened to one checkout or refund, in order; told when it went wrong. */
export class Diary {
  readonly #notes: { at: number; line: string; times: number }[] = [];
  readonly #begun = Date.now();

  note(line: string): void {
    const last = this.#notes.at(-1);
    if (last?.line === line) last.times += 1;
    else this.#notes.push({ at: Date.now() - this.#begun, line, times: 1 });
  }

  get lines(): string[] {
    return this.#notes.map(
      ({ at, line, times }) => `${String(at).padStart(6)} ms  ${line}${times > 1 ? ` (${times} times)` : ''}`,
    );
  }
}

/** How often things happened, by name. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(name: string, times = 1): void {
    if (times > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  /** `3 paid, 1 expired`; without any: `none`. */
  get text(): string {
    const all = [...this.counts].sort(([, a], [, b]) => b - a);
    return all.length === 0 ? 'none' : all.map(([name, count]) => `${count} ${name}`).join(', ');
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }
}
