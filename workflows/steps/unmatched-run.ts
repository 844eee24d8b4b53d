import {
  patched,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { type PaymentEvent, paymentEventReceived } from '../../contracts/payment-event.js';
import { latePaymentAttribute } from '../../contracts/search-attributes.js';
import {
  explainUnmatchedPayment as explainQuery,
  type UnmatchedPaymentInput,
  type UnmatchedPaymentMemo,
  unmatchedPaymentStatus,
} from '../../contracts/unmatched-payment.js';
import { explainLatePayments } from '../../domain/explain-late-payment.js';
import {
  honouredPayment,
  type LatePayment,
  latePaymentStatus,
  type LatePaymentState,
  withLatePayment,
} from '../../domain/late-payment.js';
import { EventInbox } from './event-inbox.js';

/** Objects looked into; each costs activities, and anyone with access to Temporal can name one. */
const maxObjects = 100;

/** The payments of one checkout that nobody waited for. Registers every handler when made. */
export class UnmatchedRun {
  readonly input: UnmatchedPaymentInput;
  state: LatePaymentState;
  readonly #inbox = new EventInbox(() => this.#showDetails());
  readonly #events: PaymentEvent[] = [];
  readonly #named = new Set<string>();
  readonly #claimed = new Set<string>();
  readonly #waiters = new Set<EventInbox>();
  readonly #announcements = new Set<Promise<void>>();
  #looks = 0;

  constructor(input: UnmatchedPaymentInput) {
    this.input = input;
    this.state = input.before ?? { version: 0, payments: [] };
    // What the run before this one looked after is looked after here.
    for (const { paymentIntent: objectId } of this.state.payments)
      this.#take({ v: 1, id: `before:${objectId}`, kind: 'payment.succeeded', objectId });
    setHandler(paymentEventReceived, (received) => this.#receive(received), {
      description: 'A webhook about money of this checkout',
    });
    setDefaultSignalHandler(() => {
      this.#inbox.countInvalid();
    });
    setHandler(unmatchedPaymentStatus, () => this.state, { description: 'The late payments' });
    setHandler(explainQuery, () => this.#explain(), { description: 'What was done with them, and why' });
    this.#showDetails();
  }

  get hasEvents(): boolean {
    return this.#events.length > 0;
  }

  nextEvent(): PaymentEvent | undefined {
    return this.#events.shift();
  }

  /** Whether another payment of the checkout than this one was honoured. */
  honouredOther(paymentIntent: string): boolean {
    const honoured = honouredPayment(this.state);
    return honoured !== undefined && honoured.paymentIntent !== paymentIntent;
  }

  /** True for the first who asks: several events speak of one payment. */
  claim(paymentIntent: string): boolean {
    if (this.#claimed.has(paymentIntent)) return false;
    this.#claimed.add(paymentIntent);
    return true;
  }

  /** What the run before this one had published of a payment. */
  takenOver(paymentIntent: string): LatePayment | undefined {
    return this.input.before?.payments.find((one) => one.paymentIntent === paymentIntent);
  }

  /** What this run has published of a payment that is not with us any more. */
  returned(paymentIntent: string): LatePayment | undefined {
    return this.state.payments.find(
      (one) => one.paymentIntent === paymentIntent && one.status === 'refunded',
    );
  }

  /** So far nothing came of it that this run has to see to: the next news of it are looked into again. */
  letGo(event: PaymentEvent, paymentIntent?: string): void {
    // A run that dropped such news before there was this way on keeps to the commands of its history.
    if (!patched('news-of-what-was-let-go')) return;
    this.#named.delete(event.objectId);
    if (paymentIntent === undefined) return;
    this.#named.delete(paymentIntent);
    this.#claimed.delete(paymentIntent);
  }

  /** The tenant's own system is being told, which has an end of its own. */
  announces(announcement: Promise<void>): void {
    const announced = announcement.finally(() => this.#announcements.delete(announced));
    this.#announcements.add(announced);
  }

  get isAnnouncing(): boolean {
    return this.#announcements.size > 0;
  }

  async allAnnounced(): Promise<void> {
    await Promise.all(this.#announcements);
  }

  /** An inbox that hears of every event from now on. */
  openInbox(): EventInbox {
    const inbox = new EventInbox(() => undefined);
    this.#waiters.add(inbox);
    return inbox;
  }

  /** What became of a payment; it is visible outside at once. Gives it as it is published; undefined when that is no news. */
  learn(payment: LatePayment): LatePayment | undefined {
    const before = this.state;
    this.state = withLatePayment(before, payment);
    if (this.state === before) return undefined;
    upsertMemo({ state: this.state } satisfies UnmatchedPaymentMemo);
    upsertSearchAttributes([{ key: latePaymentAttribute, value: latePaymentStatus(this.state) }]);
    this.#showDetails();
    return this.state.payments.at(-1);
  }

  #receive(received: unknown): void {
    const event = this.#inbox.receive(received);
    if (!event) return;
    for (const inbox of this.#waiters) inbox.announce();
    // A refund of a payment that is being settled: whoever settles it was woken.
    if (event.kind.startsWith('refund.') || this.#named.has(event.objectId)) return;
    if (this.#looks >= maxObjects) return this.#inbox.countInvalid();
    this.#take(event);
  }

  #take(event: PaymentEvent): void {
    this.#looks++;
    this.#named.add(event.objectId);
    this.#events.push(event);
  }

  /** What ops see in the Temporal UI is what `explain` says. Writes nothing to the history. */
  #showDetails(): void {
    setCurrentDetails(this.#explain());
  }

  #explain(): string {
    return explainLatePayments(this.input.checkoutId, this.state, this.#inbox.counts);
  }
}
