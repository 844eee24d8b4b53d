import type { RefundMemo } from '../../contracts/refund.js';
import { Violation } from '../support/simulation/violation.js';
import type { Book } from './book.js';
import type { World } from './world.js';

interface Decided {
  at: number;
  by: string;
  decision: string;
  requestedBy: string;
}

/** What a person who may decide is called. */
const approvers = ['person:dana', 'person:omar', 'key:boss', 'key:agent'];

/** I5 and I6: what was asked for, decided and told about refunds, against the book. */
export class RefundChecks {
  readonly #world: World;
  readonly #book: Book;
  readonly #refunds = new Map<string, RefundMemo>();
  readonly #refundsAsked = new Map<string, { askedAt: number; knownAt: number }>();
  readonly #decided = new Map<string, Decided[]>();

  constructor(world: World, book: Book) {
    this.#world = world;
    this.#book = book;
  }

  /** What was told last of each. */
  get told(): RefundMemo[] {
    return [...this.#refunds.values()];
  }

  /** A refund was answered now that somebody asked for first at that time. */
  asked(refundId: string, askedAt: number): void {
    if (!this.#refundsAsked.has(refundId))
      this.#refundsAsked.set(refundId, { askedAt, knownAt: this.#world.time.now });
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
    const byPayment = new Map<string, { id: string; amount: number; approved: boolean }[]>();
    for (const { object } of Object.values(this.#book.state.refunds)) {
      const id = object.metadata?.['vc_refund'];
      if (id === undefined || id.startsWith('late_')) continue;
      const payment = typeof object.payment_intent === 'string' ? object.payment_intent : '';
      // A refund that the bank sent back gives nothing.
      const amount = object.status === 'failed' ? 0 : object.amount;
      const ofPayment = byPayment.get(payment) ?? [];
      ofPayment.push({ id, amount, approved: this.#approvedBefore(id) });
      byPayment.set(payment, ofPayment);
      const list = byRequest.get(id) ?? [];
      list.push({ amount: object.amount, at: object.created, failed: object.status === 'failed' });
      byRequest.set(id, list);
      if (list.length > 1) throw new Violation('I5', `refund ${id} was made ${list.length} times`);
    }
    for (const [payment, refunds] of byPayment) this.#approvals(payment, refunds);
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
   * (An approval given later knew of what was already allowed.)
   */
  #approvals(payment: string, refunds: readonly { id: string; amount: number; approved: boolean }[]): void {
    for (const { id, approved } of refunds) {
      const asked = this.#refundsAsked.get(id);
      if (approved || !asked) continue;
      const before = refunds.filter(
        (one) => !one.approved || (this.#refundsAsked.get(one.id)?.knownAt ?? Infinity) < asked.askedAt,
      );
      const sum = before.reduce((total, { amount }) => total + amount, 0);
      if (sum > this.#world.scenario.policy.threshold)
        throw new Violation('I6', `refund ${id} brings ${payment} to ${sum}, and nobody approved it`);
    }
  }

  #approvedBefore(refundId: string): boolean {
    return (this.#decided.get(refundId) ?? []).some(
      ({ by, decision, requestedBy }) =>
        decision === 'approved' && approvers.includes(by) && by !== requestedBy,
    );
  }
}
