import { type LineSink, styled } from './terminal.js';

/** What an agent hears of a checkout or a refund. */
export interface Spoken {
  state: string;
  terminal: boolean;
  version: number;
  say: string;
}

/** A call must end: without it a lost event would leave the demo hanging. */
const callLimitMs = 25_000;

/** For people, in US form. */
export function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat('en-US', { style: 'currency', currency });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** Lines with the seconds since the call began. What the agent says are only the API's own sentences. */
export class Dialogue {
  private readonly begun = Date.now();
  private lastSaid = '';

  constructor(
    private readonly sink: LineSink,
    title: string,
  ) {
    sink.write(`\n${styled(sink, 'bold', title)}\n`);
  }

  agent(sentence: string): void {
    // One state may be seen several times; a person would say it once.
    if (sentence === this.lastSaid) return;
    this.lastSaid = sentence;
    this.line('Agent', styled(this.sink, 'cyan', sentence));
  }

  caller(sentence: string): void {
    this.lastSaid = '';
    this.line('Caller', sentence);
  }

  action(what: string, who = 'Caller'): void {
    this.line(who, styled(this.sink, 'dim', `(${what})`));
  }

  hear<T extends Spoken>(answer: T, before?: T): T {
    // A repeat may answer with an older view than was already heard.
    if (before && answer.version < before.version) return before;
    this.agent(answer.say);
    return answer;
  }

  /** Listens until the state is the wanted one. `next` asks for what comes after a version. */
  async follow<T extends Spoken>(
    from: T,
    next: (since: number) => Promise<T>,
    reached: (answer: T) => boolean,
  ): Promise<T> {
    let current = from;
    while (!reached(current)) {
      if (Date.now() - this.begun > callLimitMs) {
        throw new Error(`a call is still ${current.state} after ${callLimitMs / 1000} s`);
      }
      current = this.hear(await next(current.version), current);
    }
    return current;
  }

  private line(who: string, text: string): void {
    const seconds = ((Date.now() - this.begun) / 1000).toFixed(1).padStart(5);
    this.sink.write(`${styled(this.sink, 'dim', `${seconds} s`)}  ${who.padEnd(6)}  ${text}\n`);
  }
}
