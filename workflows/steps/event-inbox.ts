import { isPaymentEvent, type PaymentEvent } from '../../contracts/payment-event.js';

/** Ids remembered to drop repeated events; above it events only wake. Keeps history and memory bounded. */
const maxRememberedEvents = 1_000;

/** Events the relay brought to a run: repeated and malformed ones are counted and dropped, the rest is news. */
export class EventInbox {
  readonly counts = { repeated: 0, invalid: 0 };
  readonly #seen = new Set<string>();
  readonly #onCount: () => void;
  #news = false;

  /** `onCount` is called when a count has changed, so that what ops see stays true. */
  constructor(onCount: () => void) {
    this.#onCount = onCount;
  }

  /** Notes a message without a valid form. */
  countInvalid(): void {
    this.counts.invalid++;
    this.#onCount();
  }

  /** The event when it is new and well formed. Signals can be typed by hand, so it may be anything. */
  receive(event: unknown): PaymentEvent | undefined {
    if (!isPaymentEvent(event)) {
      this.countInvalid();
      return undefined;
    }
    if (this.#seen.has(event.id)) {
      this.counts.repeated++;
      this.#onCount();
      return undefined;
    }
    if (this.#seen.size < maxRememberedEvents) this.#seen.add(event.id);
    return event;
  }

  /** Wakes the run. */
  announce(): void {
    this.#news = true;
  }

  get hasNews(): boolean {
    return this.#news;
  }

  /** True once for everything announced since the last call. */
  takeNews(): boolean {
    const news = this.#news;
    this.#news = false;
    return news;
  }
}
