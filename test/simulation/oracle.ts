import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { checkoutWorkflowId, checkoutWorkflowType } from '../../contracts/checkout.js';
import type { CheckoutResource } from '../../api/checkouts/resource.js';
import { type ReconciliationResult, reconciliationWorkflowType } from '../../contracts/reconciliation.js';
import { paymentEventReceived } from '../../contracts/payment-event.js';
import type { RefundMemo } from '../../contracts/refund.js';
import { unmatchedPaymentWorkflowType } from '../../contracts/unmatched-payment.js';
import type { LatePaymentState } from '../../domain/late-payment.js';
import type { StripeState } from '../../local/simulators/stripe/stripe-state.js';
import type { Announcement } from '../support/simulation/product.js';
import type { WorkflowRun } from '../support/simulation/workflow-run.js';
import { Violation } from '../support/simulation/violation.js';
import { acknowledgedMoney, nothingLost } from './acknowledged.js';
import { nothingTold } from './privacy.js';
import type { World } from './world.js';

/*
 * Knows only what the stand-ins' book says and what people were told; never how the product got there. Checked at every
 * step: I2, I3, I4 (what is said now is true now), I7. Checked at rest, when nothing moves: I1, I4 (promises are kept), I5,
 * I6, I8, I9, I10, I12, I13, I14. I11 is checked by each replay.
 */

interface Known {
  purchase: number;
  /** What callers said yes to, minor units. */
  confirmed: Set<number>;
}

interface Decided {
  at: number;
  by: string;
  decision: string;
  requestedBy: string;
}

/** One payment of a checkout, by the stand-in's book; minor units. */
interface Payment {
  intent: string;
  captured: number;
  net: number;
  /** The status of the refund that was made because it came late, if there is one. */
  returned: string | undefined;
  disputed: boolean;
  /** Somebody gave some of it back in the dashboard. */
  byHand: boolean;
}

const unpaid = ['declined', 'expired', 'canceled', 'failed'];
/** What a person who may decide is called. */
const approvers = ['person:dana', 'person:omar', 'key:boss', 'key:agent'];

/**
 * What a pass may find where all is settled: what waits for a person is told each time, and a charge that was made twice
 * because Stripe stored an error is tidied up (nobody could pay it: I3 was checked).
 */
const mayStay = ['checkout_needs_attention', 'late_payment_needs_attention', 'live_payment'];

export class Oracle {
  readonly #world: World;
  readonly #checkouts = new Map<string, Known>();
  readonly #last = new Map<string, CheckoutResource>();
  readonly #refunds = new Map<string, RefundMemo>();
  readonly #refundsAsked = new Map<string, { askedAt: number; knownAt: number }>();
  readonly #decided = new Map<string, Decided[]>();
  /** Checkouts whose run ops ended, and when that was last, epoch ms. */
  readonly #stopped = new Map<string, number>();
  /** Ways to pay that were open when ops ended, lost or reset a run: the next one may not know of them. */
  readonly #leftOpen = new Set<string>();
  readonly #lost = new Set<string>();
  /** Checkouts whose run ops set back, and how many ways to pay were open then: each may be paid beside the run's next one. */
  readonly #resets = new Map<string, number>();
  /** Payments that nobody asked the caller for: copies that somebody made by hand. */
  readonly #strays = new Set<string>();
  /** Calls that were about nothing that can be had. */
  readonly #inVain = new Set<string>();
  #postings = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** A caller says yes to this amount for this checkout, before it is started. */
  confirmed(checkoutId: string, purchase: number, amount: number): void {
    const known = this.#checkouts.get(checkoutId) ?? { purchase, confirmed: new Set() };
    known.confirmed.add(amount);
    this.#checkouts.set(checkoutId, known);
  }

  /** Somebody asks, in this call, for what cannot be had. */
  asksInVain(callId: string): void {
    this.#inVain.add(callId);
  }

  /** The paid checkout of a purchase that was told last. */
  lastPaid(purchase: number): string | undefined {
    const paid = [...this.#last.values()].filter(({ state }) => state === 'paid');
    return paid.findLast(({ checkout_id }) => this.#checkouts.get(checkout_id)?.purchase === purchase)
      ?.checkout_id;
  }

  heard(told: CheckoutResource): void {
    const { checkout_id, amount } = told;
    // What a run that Temporal lost was to cost is known from nothing but the payment, and that may be somebody's copy.
    const unknown = this.#lost.has(checkout_id) && this.#strays.size > 0;
    if (!unknown && !this.#checkouts.get(checkout_id)?.confirmed.has(amount))
      throw new Violation('I2', `nobody said yes to ${amount} for ${checkout_id}`);
    const before = this.#last.get(checkout_id);
    this.#last.delete(checkout_id);
    this.#last.set(checkout_id, told);
    this.#world.story.count(`told ${told.state}`);
    if (before?.terminal && before.state !== told.state)
      throw new Violation('I4', `${checkout_id} was ${before.state} for good and is ${told.state}`);
    this.#isTrue(told);
  }

  announced({ body }: Announcement): void {
    const event = JSON.parse(body) as {
      type: string;
      data: { checkout_id: string; amount_captured?: number };
    };
    this.#world.story.count(`announced ${event.type}`);
    if (event.type === 'checkout.paid' && this.captured(event.data.checkout_id) === 0)
      throw new Violation(
        'I4',
        `the tenant was told that ${event.data.checkout_id} is paid, and nothing was captured`,
      );
  }

  /** A refund was answered now that somebody asked for first at that time. */
  refundAsked(refundId: string, askedAt: number): void {
    if (!this.#refundsAsked.has(refundId))
      this.#refundsAsked.set(refundId, { askedAt, knownAt: this.#world.time.now });
  }

  heardRefund(tenantId: string, memo: RefundMemo): void {
    this.#refunds.set(memo.refund.refundId, memo);
    this.#world.story.count(`refund ${memo.state.status}`);
    this.#world.story.tell(
      'agent',
      `hears of refund ${memo.refund.refundId.slice(-6)} (${tenantId}): ${memo.state.status}`,
    );
  }

  /** Ops ended its run: what it had opened stays open until somebody finds it, and may be paid beside another. */
  stopped(checkoutId: string): void {
    this.#stopped.set(checkoutId, this.#world.time.now);
    this.#leaves(checkoutId);
  }

  /** Ops set its run back: what it opened since then it may open again, or go another way. */
  reset(checkoutId: string): void {
    this.#resets.set(checkoutId, (this.#resets.get(checkoutId) ?? 0) + this.#live(checkoutId).length);
    this.#leaves(checkoutId);
  }

  #leaves(checkoutId: string): void {
    for (const way of this.#live(checkoutId)) this.#leftOpen.add(way);
  }

  /** Temporal forgot it: nobody can be told anything of it any more, unless it took money. */
  lost(checkoutId: string): void {
    this.stopped(checkoutId);
    this.#lost.add(checkoutId);
  }

  /** A payment made by hand, with the mark of a checkout. */
  stray(paymentIntent: string): void {
    this.#strays.add(paymentIntent);
  }

  decided(refundId: string, { by, decision, requestedBy }: Omit<Decided, 'at'>): void {
    const all = this.#decided.get(refundId) ?? [];
    all.push({ at: this.#world.time.now, by, decision, requestedBy });
    this.#decided.set(refundId, all);
  }

  /** After every event. */
  always(): void {
    const { postings } = this.#state;
    if (postings.length === this.#postings) return;
    this.#postings = postings.length;
    for (const [id, { confirmed }] of this.#checkouts) {
      const net = this.#netAsked(id);
      const amount = Math.max(...confirmed) * (1 + (this.#resets.get(id) ?? 0));
      if (net > amount && !this.#stopped.has(id)) throw new Violation('I2', `${id} took ${net} of ${amount}`);
      if (this.net(id) < 0) throw new Violation('I5', `${id} gave back ${-this.net(id)} more than it took`);
    }
  }

  /** After every change at a vendor. */
  instruments(): void {
    const { state } = this.#standInWorld;
    for (const id of this.#checkouts.keys()) {
      const live = this.#live(id).filter((way) => !this.#leftOpen.has(way));
      if (live.length > 1) throw new Violation('I3', `${id} can be paid in two ways: ${live.join(' and ')}`);
    }
    const accountOf = (tenant: unknown) =>
      typeof tenant === 'string' ? (this.#world.tenants.get(tenant)?.stripeAccount ?? null) : undefined;
    for (const record of [...Object.values(state.sessions), ...Object.values(state.authorizations)]) {
      const account = accountOf(record.object.metadata?.['vc_tenant']);
      if (account !== undefined && account !== record.account)
        throw new Violation('I7', `${record.object.id} is on the account ${String(record.account)}`);
    }
  }

  /** Checkouts whose runs nobody stopped have come to an end by themselves, whatever webhooks were lost. */
  ended(): void {
    for (const { start, isOpen } of this.#world.server.all()) {
      const id = start.workflowId.split('/').at(-1) ?? '';
      if (!isOpen || start.workflowType !== checkoutWorkflowType) continue;
      if (this.#stopped.has(id) || this.#hasBareApproval(id)) continue;
      throw new Violation('I10', `${id} has not ended, before any pass`);
    }
  }

  /** When nothing moves any more. */
  atRest(): void {
    for (const id of this.#checkouts.keys()) {
      const told = this.#last.get(id);
      const net = this.net(id);
      const captured = this.captured(id);
      const live = this.#live(id);
      if (!told) {
        if (captured > 0 || live.length > 0)
          throw new Violation('I12', `${id} took money, and nobody was ever told of it`);
        continue;
      }
      if (live.length > 0)
        throw new Violation('I3', `${id} (${told.state}) can still be paid: ${live.join(', ')}`);
      const late = told.late_payment?.state;
      if (late === 'refunding') throw new Violation('I10', `late money for ${id} is still being given back`);
      if (!told.terminal) {
        if (this.#mayWait(told)) continue;
        if (this.#lost.has(id) && net === 0) continue;
        throw new Violation('I10', `${id} is still ${told.state} (${told.reason ?? 'no reason'})`);
      }
      this.#moneyAtRest(told);
    }
    this.#nothingInVain();
    this.#refundsAtRest();
    this.#messages();
    this.#audit();
    nothingTold(this.#world, [...this.#last.values(), ...this.#refunds.values()]);
    nothingLost(this.#world, (id, intent) => this.#knows(id, intent));
  }

  /** I12, without a pass of reconciliation: money that came after ops had ended its run, and was acknowledged, has a run again. */
  acknowledged(): void {
    for (const { checkout, intent, createdMs, type } of acknowledgedMoney(this.#world)) {
      const since = this.#stopped.get(checkout);
      const known = this.#checkouts.get(checkout);
      if (since === undefined || !known || createdMs <= since + 1_000) continue;
      if (type !== 'payment_intent.succeeded' || intent === undefined) continue;
      if (this.#sum(checkout, () => true, intent) === 0) continue;
      const { tenant } = this.#world.scenario.purchases[known.purchase]!;
      const run = this.#world.server.current(checkoutWorkflowId(tenant, checkout));
      if (!run || run.status === 'TERMINATED')
        throw new Violation('I12', `${intent} of ${checkout} was acknowledged, and nobody looks after it`);
    }
  }

  /** Whether a checkout has ended with this payment, or with money that went back, so that news of it may be dropped. */
  #knows(checkoutId: string, intent: string | undefined): boolean {
    // An approval whose payment was declined brought nothing.
    if (intent !== undefined && this.#sum(checkoutId, (kind) => kind === 'capture', intent) === 0)
      return true;
    // Its history is gone, and what it had taken with it.
    if (this.#lost.has(checkoutId)) return true;
    if (this.#last.get(checkoutId)?.state !== 'paid') return false;
    if (intent === undefined) return true;
    const payment = this.#payments(checkoutId).find((one) => one.intent === intent);
    return payment !== undefined && payment.returned === undefined;
  }

  /** I2: what cannot be had leaves no trace at Stripe. */
  #nothingInVain(): void {
    const { sessions, authorizations, intents } = this.#state;
    for (const { object } of [sessions, authorizations, intents].flatMap((all) =>
      Object.values<{ object: { id: string; metadata: Record<string, string> | null } }>(all),
    )) {
      if (this.#inVain.has(object.metadata?.['vc_call'] ?? ''))
        throw new Violation('I2', `${object.id} was made for what is not sold`);
    }
  }

  /** One payment stays with a checkout that was paid, in time or late, and none with another. All others went back as a whole. */
  #moneyAtRest(told: CheckoutResource): void {
    const { checkout_id: id, state, amount } = told;
    const late = told.late_payment?.state;
    const payments = this.#payments(id);
    const returned = payments.filter((payment) => payment.returned === 'succeeded');
    for (const { intent, net } of returned)
      if (net !== 0) throw new Violation('I1', `${intent} came late for ${id}, and ${net} of it stays taken`);
    if (returned.length > 0 && late === undefined)
      throw new Violation('I4', `late money for ${id} went back, and nobody is told`);
    const kept = payments.filter((payment) => payment.returned !== 'succeeded' && payment.net > 0);
    // What a person must look at: the bank may take it back, has sent it back, or somebody was faster with a part of it.
    const forPeople = kept.filter(
      (payment) => payment.disputed || payment.returned !== undefined || payment.byHand,
    );
    const isPaid = state === 'paid' || late === 'honoured';
    if (!isPaid) {
      if (kept.length > forPeople.length || (kept.length > 0 && late === undefined))
        throw new Violation('I1', `${id} is ${state}, and ${this.net(id)} stays taken`);
      return;
    }
    const own = payments.filter((payment) => payment.returned === undefined);
    if (kept.length > 1 && kept.length - 1 > forPeople.length)
      throw new Violation('I1', `${id} is paid, and keeps ${kept.length} payments`);
    if (own.length === 0) throw new Violation('I1', `${id} is ${state}, and its money went back as late`);
    // Of money that came late and had been given back in part, only the rest is honoured.
    if (own.length > 1 || (late === 'honoured' && own[0]?.byHand)) return;
    const [{ captured, net }] = own as [Payment];
    if (captured !== amount) throw new Violation('I1', `${id} is paid, ${captured} of ${amount} were taken`);
    if (told.amount_captured !== captured)
      throw new Violation('I4', `${id} says ${told.amount_captured} were taken`);
    if (told.amount_refunded !== captured - net)
      throw new Violation(
        'I4',
        `${id} says ${told.amount_refunded} were given back, it is ${captured - net}`,
      );
  }

  /** What was taken for a checkout, payment by payment. */
  #payments(checkoutId: string): Payment[] {
    const { intents, refunds, charges } = this.#state;
    return Object.keys(intents)
      .filter((intent) => intents[intent]?.object.metadata['vc_checkout'] === checkoutId)
      .map((intent) => {
        const ours = ({ object }: { object: { payment_intent: unknown } }) =>
          object.payment_intent === intent;
        const given = Object.values(refunds).filter(ours);
        const lateOnes = given.filter(({ object }) => object.metadata?.['vc_refund']?.startsWith('late_'));
        return {
          intent,
          captured: this.#sum(checkoutId, (kind) => kind === 'capture', intent),
          net: this.#sum(checkoutId, () => true, intent),
          returned: lateOnes.at(-1)?.object.status ?? undefined,
          disputed: Object.values(charges).some((charge) => ours(charge) && charge.object.disputed),
          byHand: given.some(({ object }) => object.metadata?.['vc_refund'] === undefined),
        };
      })
      .filter(({ captured }) => captured > 0);
  }

  /** Nothing was wrong: a pass of reconciliation must not say or do anything. */
  quiet(): void {
    for (const { start, result } of this.#world.server.all()) {
      // One that went on as a new run has no result of its own.
      if (start.workflowType !== reconciliationWorkflowType || result === undefined) continue;
      const differences = (result as ReconciliationResult).differences.filter(({ kind, checkoutId = '' }) => {
        const told = this.#last.get(checkoutId);
        return !mayStay.includes(kind) && !(told && this.#mayWait(told));
      });
      if (differences.length > 0)
        throw new Violation('I10', `a pass found what was settled: ${JSON.stringify(differences)}`);
    }
  }

  #refundsAtRest(): void {
    const byRequest = new Map<string, { amount: number; at: number; failed: boolean }[]>();
    const byPayment = new Map<string, { id: string; amount: number; approved: boolean }[]>();
    for (const { object } of Object.values(this.#state.refunds)) {
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

  /** I9: each text at most twice, and never more to a number than the tenant allows; one for each payment that went back. */
  #messages(): void {
    const wentBack = Object.values(this.#state.refunds).filter(({ object }) =>
      object.metadata?.['vc_refund']?.startsWith('late_'),
    ).length;
    const most = 2 * Math.max(1, wentBack);
    const texts = new Map<string, number>();
    for (const { to, body } of Object.values(this.#world.standIns.network.state.messages)) {
      const key = `${to} ${body}`;
      texts.set(key, (texts.get(key) ?? 0) + 1);
      if (texts.get(key)! > most)
        throw new Violation('I9', `${to} got the same text ${texts.get(key)!} times`);
    }
  }

  /** A charge that the bank refused is not asked for again on the same method. */
  #declines(): void {
    const refused = new Map<string, string | null>();
    for (const { path, status, idempotency_key: key } of this.#world.standIns.plumbing.log.since(undefined)) {
      if (!path.endsWith('/confirm')) continue;
      if (refused.has(path) && refused.get(path) !== key)
        throw new Violation('I9', `${path} was sent again after a decline`);
      if (status === 402) refused.set(path, key);
    }
  }

  /** A signal without a valid form is counted and wakes nothing: a task that took only such does nothing. */
  #poison(): void {
    for (const { workflowId, log } of this.#world.server.all()) {
      for (const { jobs, commands } of log) {
        const signals = jobs.flatMap(({ signalWorkflow }) =>
          signalWorkflow?.signalName === paymentEventReceived.name ? (signalWorkflow.input?.[0] ?? []) : [],
        );
        if (signals.length < jobs.length || !signals.every(isPoison)) continue;
        if (signals.some(({ data }) => (data?.length ?? 0) > 1_000_000))
          this.#world.story.count('oversize signal left aside');
        if (commands.length > 0) throw new Violation('I10', `a poison signal moved ${workflowId}`);
      }
    }
  }

  /** I14, I8 and I13: a key on every effect, nothing personal in ids and memos, histories of bounded length. */
  #audit(): void {
    this.#declines();
    this.#poison();
    const keys = new Map<string, string>();
    for (const call of this.#world.standIns.plumbing.log.since(undefined)) {
      if (call.vendor !== 'stripe' || call.method !== 'POST') continue;
      const key = call.idempotency_key;
      if (key === null) {
        if (call.route === '/v1/payment_intents/:id') continue;
        throw new Violation('I14', `${call.path} was sent without an idempotency key`);
      }
      const what = `${call.path} ${JSON.stringify(call.params)}`;
      // Refused, because a run that was lost had used the key: it did nothing.
      if ((call.status ?? 400) >= 400 && [...this.#lost].some((id) => key.includes(id))) continue;
      if ((keys.get(key) ?? what) !== what)
        throw new Violation('I14', `the key ${key} was used for two things`);
      keys.set(key, what);
    }
    for (const run of this.#world.server.all()) {
      // A ledger lives as long as its customer: what bounds it is that it goes on as a new run, at 4,096 events.
      if (run.events > this.#mostEvents(run))
        throw new Violation('I13', `${run.workflowId} has ${run.events} events`);
      const memo = Object.values(run.memo)
        .map(({ data }) => Buffer.from(data ?? []).toString())
        .join();
      if (/\+1555\d{7}/.test(memo + run.workflowId))
        throw new Violation('I8', `a phone number in the memo of ${run.workflowId}`);
    }
  }

  /** A ledger sees many refunds, and a run for late money as many payments as came. */
  #mostEvents({ start, memo }: WorkflowRun): number {
    if (start.workflowType === 'refundLedger') return 5_000;
    if (start.workflowType !== unmatchedPaymentWorkflowType || !memo['state']) return 1_500;
    const { payments } = defaultPayloadConverter.fromPayload<LatePaymentState>(memo['state']);
    return Math.max(1_500, 400 * payments.length);
  }

  #isTrue(told: CheckoutResource): void {
    const { checkout_id: id, state } = told;
    if (state === 'paid' && this.captured(id) === 0)
      throw new Violation('I4', `${id} is said to be paid, and nothing was captured`);
    if (!unpaid.includes(state)) return;
    const live = this.#live(id);
    if (this.#netAsked(id) > 0 && !told.late_payment && !this.#stopped.has(id))
      throw new Violation('I4', `${id} is said to be ${state}, and ${this.#netAsked(id)} was taken`);
    // Nothing tells a checkout made anew what its lost run had left open, unless their keys meet; and a run that was set back
    // to before it opened a way to pay, and then went another, leaves it to the next pass. Its money is late money.
    const mayBeLeft = this.#lost.has(id) || this.#resets.has(id);
    if (live.some((way) => !mayBeLeft || !this.#leftOpen.has(way)))
      throw new Violation('I4', `${id} is said to be ${state}, and can be paid: ${live.join(', ')}`);
  }

  /** What the product may not end by itself: an approval without a payment, which only a person can clear up. */
  #mayWait(told: CheckoutResource): boolean {
    return told.state === 'needs_attention' && this.#hasBareApproval(told.checkout_id);
  }

  #hasBareApproval(checkoutId: string): boolean {
    return Object.values(this.#state.authorizations).some(
      ({ object }) =>
        object.metadata['vc_checkout'] === checkoutId &&
        object.status === 'approved' &&
        object.payment_intent === null &&
        object.shared_payment_granted_token === null,
    );
  }

  /** Minor units taken for a checkout, whatever was given back. */
  captured(checkoutId: string): number {
    return this.#sum(checkoutId, (kind) => kind === 'capture');
  }

  net(checkoutId: string): number {
    return this.#sum(checkoutId, () => true);
  }

  /** Without what was paid by copies. */
  #netAsked(checkoutId: string): number {
    let net = this.net(checkoutId);
    for (const stray of this.#strays) net -= this.#sum(checkoutId, () => true, stray);
    return net;
  }

  #sum(checkoutId: string, counts: (kind: string) => boolean, only?: string): number {
    const { postings, intents } = this.#state;
    let sum = 0;
    for (const { kind, lines } of postings) {
      if (!counts(kind)) continue;
      for (const { account, amount } of lines) {
        if (!account.startsWith('cardholder:')) continue;
        const intent = account.slice('cardholder:'.length);
        if (only !== undefined && intent !== only) continue;
        if (intents[intent]?.object.metadata['vc_checkout'] === checkoutId) sum -= amount;
      }
    }
    return sum;
  }

  /** The ways in which a caller could pay now. A page whose link nobody got is none. */
  #live(checkoutId: string): string[] {
    const { sessions, authorizations, tokens, intents } = this.#state;
    const now = Math.floor(this.#world.time.now / 1_000);
    const mine = (metadata: Record<string, string> | null | undefined) =>
      metadata?.['vc_checkout'] === checkoutId;
    const live: string[] = [];
    const texts = Object.values(this.#world.standIns.network.state.messages);
    for (const { object } of Object.values(sessions)) {
      if (!mine(object.metadata) || object.status !== 'open' || object.expires_at <= now) continue;
      if (texts.some(({ body }) => body.includes(object.id))) live.push(`page ${object.id}`);
    }
    const asked = Object.values(authorizations).filter(
      ({ object }) => mine(object.metadata) && object.status === 'pending' && object.expires_at > now,
    );
    for (const { object } of asked) live.push(`wallet ${object.id}`);
    const token = Object.values(tokens).some(
      (one) => mine(one.metadata) && !one.spent && one.expires_at > now,
    );
    const charging = Object.values(intents).some(
      ({ object, session }) =>
        session === null &&
        mine(object.metadata) &&
        !['succeeded', 'canceled'].includes(object.status) &&
        object.amount > 0 &&
        (object.status === 'processing' || token),
    );
    if (charging) live.push('charge');
    return live;
  }

  get #standInWorld() {
    return this.#world.standIns.world;
  }

  get #state(): StripeState {
    return this.#standInWorld.state;
  }
}

/** No event of a vendor has this form: text that is no JSON, another version, ids longer than a vendor's. */
function isPoison(signal: Payload): boolean {
  try {
    const event = defaultPayloadConverter.fromPayload<Record<string, unknown> | null>(signal);
    return event?.['v'] !== 1 || [event['id'], event['objectId']].some((id) => String(id).length > 255);
  } catch {
    return true;
  }
}
