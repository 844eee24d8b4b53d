import type { VirtualTime } from '../support/simulation/virtual-time.js';

interface Line {
  at: number;
  who: string;
  text: string;
}

/** What happened, to be read by people, and how often each kind of thing did. */
export class Story {
  readonly counts = new Map<string, number>();
  readonly #lines: Line[] = [];
  readonly #time: VirtualTime;
  readonly #beginning: number;

  constructor(time: VirtualTime, beginning: number) {
    this.#time = time;
    this.#beginning = beginning;
  }

  tell(who: string, text: string, counted?: string): void {
    this.#lines.push({ at: this.#time.now - this.#beginning, who, text });
    if (counted !== undefined) this.count(counted);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** One line per happening: the time since the beginning, who, what. */
  text(): string {
    return this.#lines.map(({ at, who, text }) => `${clock(at)}  ${who.padEnd(10)} ${text}`).join('\n');
  }
}

function clock(ms: number): string {
  const pad = (value: number, length = 2) => String(Math.floor(value)).padStart(length, '0');
  const days = Math.floor(ms / 86_400_000);
  const time = `${pad((ms / 3_600_000) % 24)}:${pad((ms / 60_000) % 60)}:${pad((ms / 1_000) % 60)}.${pad(ms % 1_000, 3)}`;
  return days > 0 ? `${days}d ${time}` : `   ${time}`;
}
