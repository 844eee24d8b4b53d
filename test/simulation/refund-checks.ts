import type { RefundMemo } from '../../contracts/refund.js';
import { Violation } from '../support/simulation/violation.js';
import type { Book } from './book.js';
import { longestUnderWayMs } from './left-open.js';
import type { World } from './world.js';

interface Decided {
  at: number;
  by: string;
  decision: string;
  requestedBy: string;
}

/** A refund at Stripe, minor units. */
interface Made {
  id: string;
  amount: number;
  approved: boolean;
  /** Epoch ms. */
  madeAt: number;
}

/** How long a refund that was let through takes to be at Stripe, to the second, where nothing goes wrong. */
const onTheWayMs = 2_000;

/** What a person who may decide is called. */
const approvers = ['person:dana', 'person:omar', 'key:boss', 'key:agent'];

/** I5 and I6: what was asked for, decided and told about refunds, against the book. */
export class RefundChecks {
  readonly #world: World;
  readonly #book: Book;
  readonly #customerOf: (checkoutId: string) => string | undefined;
  readonly #refunds = new Map<string, RefundMemo>();
  readonly #refundsAsked = new Map<string, { askedAt: number; knownAt: number }>();
  /** The refund that each request was answered with. */
  readonly #answers = new Map<string, Pick<RefundMemo['refund'], 'refundId' | 'paymentIntent'>>();
  /** When a customer's book was lost, epoch ms. */
  readonly #booksLost: number[] = [];
  readonly #decided = new Map<string, Decided[]>();

  /** `customerOf`: whose a checkout is; undefined where a loss has made that unknown. */
  constructor(world: World, book: Book, customerOf: (checkoutId: string) => string | undefined) {
    this.#world = world;
    this.#book = book;
    this.#customerOf = customerOf;
  }

  /** What was told last of each. */
  get told(): RefundMemo[] {
    return [...this.#refunds.values()];
  }

  /**
   * A refund was answered now that somebody asked for first at that time. `request`: checkout, sum and call, which together are
   * one wish, however often it is repeated. After a loss of everything a copy may stand for the payment that it is about.
   */
  asked(
    { refundId, paymentIntent, checkoutId }: RefundMemo['refund'],
    request: string,
    askedAt: number,
  ): void {
    const before = this.#answers.get(request);
    const isPaidAnew = before?.paymentIntent !== paymentIntent && this.#customerOf(checkoutId) === undefined;
    if (before && before.refundId !== refundId && !isPaidAnew)
      throw new Violation('I5', `${request} made the refunds ${before.refundId} and ${refundId}`);
    this.#answers.set(request, { refundId, paymentIntent });
    if (!this.#refundsAsked.has(refundId))
      this.#refundsAsked.set(refundId, { askedAt, knownAt: this.#world.time.now });
  }

  /** Temporal forgot its run: whoever asks for it is told that there is none. */
  lost(refundId: string): void {
    this.#refunds.delete(refundId);
  }

  /** A customer's book was lost, or set back: what was let through in the last day may not be known any more. */
  bookLost(): void {
    this.#booksLost.push(this.#world.time.now);
  }

  heard(tenantId: string, memo: RefundMemo): void {
    this.#refunds.set(memo.refund.refundId, memo);
    this.#world.story.count(`refund ${memo.state.status}`);
    this.#world.story.tell(
      'agent',
      `hears of refund ${memo.refund.refundId.slice(-6)} (${tenantId}): ${memo.state.status}`,
    );
  }

  /** Somebody is about to decide. */
  decided(refundId: string, { by, decision, requestedBy }: Omit<Decided, 'at'>): void {
    const all = this.#decided.get(refundId) ?? [];
    all.push({ at: this.#world.time.now, by, decision, requestedBy });
    this.#decided.set(refundId, all);
  }

  atRest(): void {
    const byRequest = new Map<string, { amount: number; at: number; failed: boolean }[]>();
    const byPayment = new Map<string, Made[]>();
    const byCustomer = new Map<string, Made[]>();
    for (const { object } of Object.values(this.#book.state.refunds)) {
      const id = object.metadata?.['vc_refund'];
      if (id === undefined || id.startsWith('late_')) continue;
      const payment = typeof object.payment_intent === 'string' ? object.payment_intent : '';
      // A refund that the bank sent back gives nothing.
      const amount = object.status === 'failed' ? 0 : object.amount;
      const one = { id, amount, approved: this.#approvedBefore(id), madeAt: object.created * 1_000 };
      byPayment.set(payment, [...(byPayment.get(payment) ?? []), one]);
      const customer = this.#customerOf(object.metadata?.['vc_checkout'] ?? '');
      if (customer !== undefined) byCustomer.set(customer, [...(byCustomer.get(customer) ?? []), one]);
      const list = byRequest.get(id) ?? [];
      list.push({ amount: object.amount, at: object.created, failed: object.status === 'failed' });
      byRequest.set(id, list);
      if (list.length > 1) throw new Violation('I5', `refund ${id} was made ${list.length} times`);
    }
    for (const [payment, refunds] of byPayment) this.#approvals(payment, refunds);
    if (this.#booksLost.length === 0)
      for (const [customer, refunds] of byCustomer) this.#approvals(customer, refunds, 24 * 3_600_000);
    for (const [id, { refund, state }] of this.#refunds) {
      const made = byRequest.get(id) ?? [];
      if (['denied', 'approval_expired', 'rejected'].includes(state.status) && made.length > 0)
        throw new Violation('I5', `refund ${id} is ${state.status}, and was made`);
      if (['refunded', 'failed', 'submitted'].includes(state.status)) {
        if (made.length === 0)
          throw new Violation('I5', `refund ${id} is ${state.status}, and was never made`);
        if (state.status === 'refunded' && made[0]!.failed)
          throw new Violation('I4', `refund ${id} is refunded, and the bank has sent it back`);
        if (made[0]!.amount !== refund.amount && refund.amount !== 0)
          throw new Violation('I5', `refund ${id} of ${refund.amount} gave back ${made[0]!.amount}`);
      }
      if (['submitting', 'awaiting_approval', 'needs_attention', 'submitted'].includes(state.status))
        throw new Violation('I10', `refund ${id} is still ${state.status}`);
    }
  }

  /**
   * I6: what nobody approved stays within the tenant's threshold, together with what was approved before it was asked for.
   * (An approval given later knew of what was already allowed.) `withinMs`: only what was surely asked for so shortly before.
   */
  #approvals(what: string, refunds: readonly Made[], withinMs = Infinity): void {
    for (const { id, approved, madeAt } of refunds) {
      const asked = this.#refundsAsked.get(id);
      if (approved || !asked) continue;
      const before = refunds.filter((one) => {
        const { askedAt = -Infinity, knownAt = Infinity } = this.#refundsAsked.get(one.id) ?? {};
        if (withinMs < Infinity && (knownAt > asked.knownAt || askedAt <= asked.knownAt - withinMs))
          return false;
        // A new book knows of those at Stripe alone, and not of those on their way there.
        const isNew = this.#booksLost.some((at) => Math.abs(at - madeAt) < longestUnderWayMs);
        const onItsWay = one.madeAt > Math.min(asked.knownAt, isNew ? madeAt - onTheWayMs : Infinity);
        if (this.#booksLost.length > 0 && one.id !== id && onItsWay) return false;
        return !one.approved || knownAt < asked.askedAt;
      });
      const sum = before.reduce((total, { amount }) => total + amount, 0);
      if (sum > this.#world.scenario.policy.threshold)
        throw new Violation('I6', `refund ${id} brings ${what} to ${sum}, and nobody approved it`);
    }
  }

  #approvedBefore(refundId: string): boolean {
    return (this.#decided.get(refundId) ?? []).some(
      ({ by, decision, requestedBy }) =>
        decision === 'approved' && approvers.includes(by) && by !== requestedBy,
    );
  }
}
