import type { Announcement } from '../support/simulation/product.js';
import { Violation } from '../support/simulation/violation.js';
import type { Book } from './book.js';

interface Told {
  type: string;
  timestamp: string;
  data: { checkout_id: string; late_payment?: { payment_intent: string; state: string } };
}

/** What the tenants' own systems were told, in whatever order: one delivery overtakes another. I4 and I12 for those who only listen. */
export class Announcements {
  readonly #book: Book;
  readonly #told = new Set<string>();
  /** When a checkout was begun once more, epoch ms: what is told of an earlier time may come as late as it likes. */
  readonly #begunAt = new Map<string, number>();
  /** The unpaid end that was told last of each checkout. */
  readonly #unpaidEnds = new Map<string, string>();

  /** Until when, epoch ms, the late money of a checkout may have gone back in a run that nobody remembers. */
  readonly #forgottenUntil = new Map<string, number>();

  /** Until then, epoch ms, the code before its patches may have told an end in a task that was lost. */
  readonly #lostTasksUntil: number;

  constructor(book: Book, lostTasksUntil: number) {
    this.#book = book;
    this.#lostTasksUntil = lostTasksUntil;
  }

  /** `at`: when, epoch ms. `tookMoney`: the checkout has money now that it asked for. Gives the event's type. */
  heard({ body }: Announcement, at: number, tookMoney: (checkoutId: string) => boolean): string {
    const { type, data, timestamp } = JSON.parse(body) as Told;
    const { checkout_id: id, late_payment: late } = data;
    this.#told.add(late ? `${late.payment_intent} ${late.state}` : `${id} ${type}`);
    if (type === 'checkout.paid' && this.#book.captured(id) === 0)
      throw new Violation('I4', `the tenant was told that ${id} is paid, and nothing was captured`);
    const unpaid = ['checkout.declined', 'checkout.expired', 'checkout.canceled', 'checkout.failed'];
    if (!unpaid.includes(type)) return type;
    if (tookMoney(id))
      throw new Violation('I4', `the tenant was told ${type} of ${id}, which has taken money`);
    if (Date.parse(timestamp) < (this.#begunAt.get(id) ?? -Infinity)) return type;
    const before = this.#unpaidEnds.get(id) ?? type;
    if (before !== type)
      throw new Violation('I4', `the tenant was told ${before} of ${id}, and then ${type}`);
    if (at > this.#lostTasksUntil) this.#unpaidEnds.set(id, type);
    return type;
  }

  /** Somebody begins it once more, or sends it back: it may end another way. */
  beginsAnew(checkoutId: string, at: number): void {
    this.#begunAt.set(checkoutId, at);
    this.#unpaidEnds.delete(checkoutId);
  }

  /** What went back of late money that came before `at`, epoch ms, need not be told. */
  forgetsLate(checkoutId: string, at: number): void {
    this.#forgottenUntil.set(checkoutId, at);
  }

  /** At rest: how the checkout ended was told, and that its late money went back. */
  complete(id: string, state: string): void {
    if (!this.#told.has(`${id} checkout.${state}`))
      throw new Violation('I12', `${id} is ${state}, and the tenant was not told`);
    const forgottenUntil = this.#forgottenUntil.get(id) ?? -Infinity;
    for (const { intent, returned, net, takenAt } of this.#book.payments(id)) {
      if (takenAt < forgottenUntil) continue;
      if (returned === 'succeeded' && net === 0 && !this.#told.has(`${intent} refunded`))
        throw new Violation('I12', `${intent} of ${id} went back, and the tenant was not told`);
    }
  }
}
