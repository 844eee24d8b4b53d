import type { Book } from './book.js';

/** Stripe does what it was asked for as much later: `very_slow` in support/simulation/vendor-network, ms. */
export const longestUnderWayMs = 15_000;

/** Ways to pay that were open, or about to be, when ops ended, lost or reset a run: the next one may not know of them. */
export class LeftOpen {
  readonly #book: Book;
  readonly #now: () => number;
  readonly #ways = new Set<string>();
  /** Of those, the ones that their run cannot have heard of: they came into being afterwards, or no answer had arrived yet. */
  readonly #unheardOf = new Set<string>();
  /** Checkouts whose run was just asking for one, and until when, epoch ms, that request may still arrive. */
  readonly #arrives = new Map<string, number>();

  constructor(book: Book, now: () => number) {
    this.#book = book;
    this.#now = now;
  }

  /** The run of a checkout is ended, lost or reset now. `isReaching`: it was just asking for something. */
  by(checkoutId: string, isReaching: boolean): void {
    const live = this.#book.live(checkoutId);
    // The text with its link may be on its way.
    const unsent = this.#book
      .pages(checkoutId)
      .map((id) => `page ${id}`)
      .filter((page) => !live.includes(page));
    for (const way of [...live, ...unsent]) {
      this.#ways.add(way);
      if (isReaching) this.#unheardOf.add(way);
    }
    if (isReaching && unsent.length === 0) this.#arrives.set(checkoutId, this.#now() + longestUnderWayMs);
  }

  /** The ways in which a checkout can be paid that its present run has opened. */
  without(checkoutId: string): string[] {
    const own = this.#book.live(checkoutId).filter((way) => !this.has(way));
    const [arrived] = own;
    if (arrived === undefined || this.#now() > (this.#arrives.get(checkoutId) ?? -Infinity)) return own;
    this.#arrives.delete(checkoutId);
    this.#ways.add(arrived);
    this.#unheardOf.add(arrived);
    return own.slice(1);
  }

  isUnheardOf(way: string): boolean {
    return this.#unheardOf.has(way) || this.#unheardOf.has(this.#book.originOf(way) ?? '');
  }

  has(way: string): boolean {
    return this.#ways.has(way) || this.#ways.has(this.#book.originOf(way) ?? '');
  }
}
