import { checkoutWorkflowId, checkoutWorkflowType } from '../../contracts/checkout.js';
import type { CheckoutResource } from '../../api/checkouts/resource.js';
import { type ReconciliationResult, reconciliationWorkflowType } from '../../contracts/reconciliation.js';
import { unmatchedPaymentWorkflowId } from '../../contracts/unmatched-payment.js';
import type { Announcement } from '../support/simulation/product.js';
import { Violation } from '../support/simulation/violation.js';
import { Announcements } from './announcements.js';
import { acknowledgedMoney, broughtOnce, nothingLost } from './acknowledged.js';
import { audit, foreignUntouched, linksPerNumber, messages, nothingInVain } from './audit.js';
import { Book, isForPeople, type Payment } from './book.js';
import { LeftOpen } from './left-open.js';
import { Losses } from './losses.js';
import { nothingTold } from './privacy.js';
import { RefundChecks } from './refund-checks.js';
import { beginning, type World } from './world.js';

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

const unpaid = ['declined', 'expired', 'canceled', 'failed'];
/**
 * What a pass may find where all is settled: what waits for a person is told each time, and a charge that was made twice
 * because Stripe stored an error is tidied up (nobody could pay it: I3 was checked).
 */
const mayStay = ['checkout_needs_attention', 'late_payment_needs_attention', 'live_payment'];

export class Oracle {
  readonly refunds: RefundChecks;
  readonly #world: World;
  readonly #book: Book;
  readonly #checkouts = new Map<string, Known>();
  readonly #last = new Map<string, CheckoutResource>();
  /** Checkouts whose run ops ended, and when that was last, epoch ms. */
  readonly #stopped = new Map<string, number>();
  readonly #leftOpen: LeftOpen;
  readonly #announcements: Announcements;
  readonly #losses: Losses;
  readonly #lost = new Set<string>();
  /** Of those, the ones that nobody has been told of since: they may begin once more. */
  readonly #lostJustNow = new Set<string>();
  readonly #forgotten = new Set<string>();
  /** Checkouts whose run ops set back, and how many ways to pay were open then: each may be paid beside the run's next one. */
  readonly #resets = new Map<string, number>();
  /** The paid checkouts that were named, by purchase, when the same was bought again. */
  readonly #again = new Map<number, Set<string>>();
  /** Calls that were about nothing that can be had. */
  readonly #inVain = new Set<string>();
  #postings = 0;

  constructor(world: World) {
    this.#world = world;
    this.#book = new Book(world);
    this.#announcements = new Announcements(this.#book, this.#deployedAt + 60_000);
    this.#losses = new Losses(world, this.#book);
    this.#leftOpen = new LeftOpen(this.#book, () => world.time.now);
    this.refunds = new RefundChecks(world, this.#book, (id) => this.#customerOf(id));
  }

  /** Until then, epoch ms, the code before its patches ran; -Infinity: never. */
  get #deployedAt(): number {
    return beginning + (this.#world.scenario.platform.deploysAt ?? -Infinity);
  }

  /** A price is read out for this checkout. */
  quoted(checkoutId: string, purchase: number): void {
    if (!this.#checkouts.has(checkoutId)) this.#checkouts.set(checkoutId, { purchase, confirmed: new Set() });
  }

  /** A caller has said yes to this amount for this checkout, which is about to be started. */
  confirmed(checkoutId: string, purchase: number, amount: number): void {
    const known = this.#checkouts.get(checkoutId) ?? { purchase, confirmed: new Set() };
    known.confirmed.add(amount);
    this.#announcements.beginsAnew(checkoutId, this.#world.time.now);
    this.#checkouts.set(checkoutId, known);
    this.#losses.begins(checkoutId, purchase);
  }

  /** An agent says that the caller buys the same again after this checkout. */
  buysAgain(purchase: number, after: string): void {
    this.#again.set(purchase, (this.#again.get(purchase) ?? new Set()).add(after));
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
    if (!this.#mayCost(told)) throw new Violation('I2', `nobody said yes to ${amount} for ${checkout_id}`);
    const before = this.#last.get(checkout_id);
    this.#last.delete(checkout_id);
    this.#last.set(checkout_id, told);
    this.#world.story.count(`told ${told.state}`);
    const anew = this.#lostJustNow.delete(checkout_id) || this.#forgotten.has(checkout_id);
    if (before?.terminal && before.state !== told.state && !anew)
      throw new Violation('I4', `${checkout_id} was ${before.state} for good and is ${told.state}`);
    this.#isTrue(told);
  }

  announced(told: Announcement): void {
    const tookMoney = (id: string) => this.#netAsked(id) > 0 && !this.#stopped.has(id);
    const type = this.#announcements.heard(told, this.#world.time.now, tookMoney);
    this.#world.story.count(`announced ${type}`);
  }

  /** Ops ended its run: what it had opened stays open until somebody finds it, and may be paid beside another. */
  stopped(checkoutId: string): void {
    this.#stopped.set(checkoutId, this.#world.time.now);
    this.#leaves(checkoutId);
  }

  /** Ops set its run back: what it opened since then it may open again, or go another way. */
  reset(checkoutId: string): void {
    this.#announcements.beginsAnew(checkoutId, this.#world.time.now);
    const ways = this.#book.live(checkoutId).length + (this.#leaves(checkoutId) ? 1 : 0);
    // What was paid without its run having heard of it is found by a pass, and goes back as late.
    const heard = this.#last.get(checkoutId)?.state === 'paid';
    const open = ways + (heard ? 0 : this.#book.payments(checkoutId).length);
    this.#resets.set(checkoutId, (this.#resets.get(checkoutId) ?? 0) + open);
  }

  /** Ops set the run for its late money back: the code before its patches then knew of no refund of its own. */
  lateReset(checkoutId: string): void {
    const { now } = this.#world.time;
    if (now >= this.#deployedAt) return;
    this.#announcements.forgetsLate(checkoutId, now);
    this.#world.story.count('late run reset before the patches');
  }

  /** True when it was just asking for another way to pay. */
  #leaves(checkoutId: string): boolean {
    const { purchase } = this.#checkouts.get(checkoutId) ?? {};
    const { tenant = '' } = purchase === undefined ? {} : this.#world.scenario.purchases[purchase]!;
    const run = this.#world.server.current(checkoutWorkflowId(tenant, checkoutId));
    const isReaching = run?.isReaching ?? false;
    this.#leftOpen.by(checkoutId, isReaching);
    return isReaching;
  }

  /** Temporal forgot it and the run for its late money: what had gone back by then is in nobody's memory. */
  forgotten(checkoutId: string): void {
    this.lost(checkoutId);
    this.#forgotten.add(checkoutId);
  }

  /** Temporal forgot it: nobody can be told anything of it any more, unless it took money. */
  lost(checkoutId: string): void {
    this.stopped(checkoutId);
    this.#lost.add(checkoutId);
    this.#lostJustNow.add(checkoutId);
    const { purchase } = this.#checkouts.get(checkoutId) ?? {};
    if (purchase !== undefined) this.#losses.of(checkoutId, purchase);
  }

  /** A payment made by hand, with the mark of a checkout. */
  stray(paymentIntent: string): void {
    this.#book.copies.add(paymentIntent);
  }

  /** Where a run was lost, so may be what its customer was called. */
  #customerOf(checkoutId: string): string | undefined {
    const known = this.#checkouts.get(checkoutId);
    if (!known || this.#lost.size > 0) return undefined;
    const { tenant, phone } = this.#world.scenario.purchases[known.purchase]!;
    return `${tenant} ${phone}`;
  }

  /** After every event. */
  always(): void {
    const { postings } = this.#book.state;
    if (postings.length === this.#postings) return;
    this.#postings = postings.length;
    for (const [id, { confirmed }] of this.#checkouts) {
      const net = this.#netAsked(id);
      const amount = Math.max(0, ...confirmed) * (1 + (this.#resets.get(id) ?? 0));
      if (net > amount && !this.#stopped.has(id)) throw new Violation('I2', `${id} took ${net} of ${amount}`);
      if (this.#book.net(id) < 0)
        throw new Violation('I5', `${id} gave back ${-this.#book.net(id)} more than it took`);
    }
  }

  /** After every change at a vendor. */
  instruments(): void {
    const { state } = this.#book;
    for (const id of this.#checkouts.keys()) {
      const live = this.#leftOpen.without(id);
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
      if (this.#stopped.has(id) || this.#book.hasBareApproval(id)) continue;
      throw new Violation('I10', `${id} has not ended, before any pass`);
    }
  }

  /** When nothing moves any more. */
  atRest(): void {
    for (const id of this.#checkouts.keys()) {
      const told = this.#last.get(id);
      const net = this.#book.net(id);
      const captured = this.#book.captured(id);
      const live = this.#book.live(id);
      if (!told) {
        if (captured > 0 || live.length > 0)
          throw new Violation('I12', `${id} took money, and nobody was ever told of it`);
        continue;
      }
      if (live.length > 0)
        throw new Violation('I3', `${id} (${told.state}) can still be paid: ${live.join(', ')}`);
      const late = told.late_payment?.state;
      // What Temporal forgot nobody is told any more, unless it took money that stays.
      const isPast = this.#forgotten.has(id) && net === 0;
      if (late === 'refunding' && !isPast)
        throw new Violation('I10', `late money for ${id} is still being given back`);
      if (!told.terminal) {
        if (this.#mayWait(told)) continue;
        if (this.#lost.has(id) && net === 0) continue;
        throw new Violation('I10', `${id} is still ${told.state} (${told.reason ?? 'no reason'})`);
      }
      this.#moneyAtRest(told);
      const { announces, hookDown } = this.#world.scenario.platform;
      // A receiver that is down too often is given up; what was lost is announced anew only where it took money.
      if (announces && hookDown === 0 && !this.#lost.has(id)) this.#announcements.complete(id, told.state);
    }
    nothingInVain(this.#world, this.#inVain);
    this.#onePaymentEach();
    this.refunds.atRest();
    messages(this.#world);
    linksPerNumber(this.#world);
    foreignUntouched(this.#world);
    audit(this.#world, this.#lost);
    nothingTold(this.#world, [...this.#last.values(), ...this.refunds.told]);
    broughtOnce(this.#world, (id) => this.#resets.has(id));
    nothingLost(this.#world, (id, intent) => this.#knows(id, intent));
  }

  /** I12, without a pass of reconciliation: money that came after ops had ended its run, and was acknowledged, has a run again. */
  acknowledged(): void {
    for (const { checkout, intent, createdMs, type } of acknowledgedMoney(this.#world)) {
      const since = this.#stopped.get(checkout);
      const known = this.#checkouts.get(checkout);
      if (since === undefined || !known || createdMs <= since + 1_000) continue;
      if (type !== 'payment_intent.succeeded' || intent === undefined) continue;
      if (this.#book.sum(checkout, () => true, intent) === 0) continue;
      const { tenant } = this.#world.scenario.purchases[known.purchase]!;
      const run = this.#world.server.current(checkoutWorkflowId(tenant, checkout));
      // Ops have ended the run that was about to bring its checkout back: the next pass finds it.
      const late = this.#world.server.current(unmatchedPaymentWorkflowId(tenant, checkout));
      // Or it looks after the money itself: its checkout had come to its end, and was stopped while it told so.
      if (late?.status === 'TERMINATED' || late?.isOpen) continue;
      if (!run || run.status === 'TERMINATED')
        throw new Violation('I12', `${intent} of ${checkout} was acknowledged, and nobody looks after it`);
    }
  }

  /** Whether a checkout has ended with this payment, or with money that went back, so that news of it may be dropped. */
  #knows(checkoutId: string, intent: string | undefined): boolean {
    // An approval whose payment was declined brought nothing.
    if (intent !== undefined && this.#book.sum(checkoutId, (kind) => kind === 'capture', intent) === 0)
      return true;
    // Its history is gone, and what it had taken with it.
    if (this.#lost.has(checkoutId)) return true;
    if (this.#last.get(checkoutId)?.state !== 'paid') return false;
    if (intent === undefined) return true;
    const payment = this.#book.payments(checkoutId).find((one) => one.intent === intent);
    return payment !== undefined && payment.returned === undefined;
  }

  /**
   * I1: one payment stays with each purchase, and one more for each paid checkout after which an agent said that the caller buys
   * the same again. What a lost run had taken nobody can know before a pass has made it good, nor whoever decides on late money
   * by what else was paid. Copies beside a run that waits for a person wait with it.
   */
  #onePaymentEach(): void {
    for (const purchase of this.#world.scenario.purchases.keys()) {
      const mine = [...this.#checkouts].filter(([, known]) => known.purchase === purchase).map(([id]) => id);
      const waits = (told?: CheckoutResource) => told !== undefined && this.#mayWait(told);
      if (mine.some((id) => waits(this.#last.get(id)))) continue;
      const lightSince = this.#losses.lightSince(purchase);
      const kept = mine
        .flatMap((id) => this.#book.payments(id).map((payment) => ({ ...payment, id })))
        .filter((payment) => payment.net > 0 && payment.returned !== 'succeeded' && !isForPeople(payment));
      // Only a later attempt that is known tells a copy for a forgotten one from what the caller paid.
      const noneSince = !mine.some((id) => this.#losses.begunInTheLight.has(id) && !this.#lost.has(id));
      const inTheDark = kept.filter(
        ({ id, intent, takenAt }) =>
          this.#losses.begunInTheDark.has(id) ||
          // Where all was lost, nothing tells somebody's copy, nor late money, from what the caller paid.
          ((takenAt < lightSince || noneSince) && this.#forgotten.has(id) && this.#book.copies.has(intent)) ||
          (takenAt < lightSince && this.#isHonoured(id)),
      );
      const again = this.#again.get(purchase)?.size ?? 0;
      const most = 1 + again + inTheDark.length + this.#honouredAtOnce(mine);
      if (kept.length > most)
        throw new Violation('I1', `purchase ${purchase} keeps ${kept.length} payments, wanted were ${most}`);
      const since = kept.filter(
        (one) =>
          this.#losses.begunInTheLight.has(one.id) && !this.#lost.has(one.id) && !inTheDark.includes(one),
      ).length;
      if (lightSince > -Infinity && since > again && since < kept.length)
        throw new Violation('I1', `purchase ${purchase} was sold again when all was known`);
    }
  }

  #isHonoured(checkoutId: string): boolean {
    return this.#last.get(checkoutId)?.late_payment?.state === 'honoured';
  }

  /** Two attempts' late payments at the same time were both honoured by the code before its patches, which did not look again. */
  #honouredAtOnce(checkouts: readonly string[]): number {
    const honoured = checkouts.filter(
      (id) =>
        this.#isHonoured(id) &&
        this.#book.payments(id).some(({ net, takenAt }) => net > 0 && takenAt < this.#deployedAt),
    );
    return Math.max(0, honoured.length - 1);
  }

  /** One payment stays with a checkout that was paid, in time or late, and none with another. All others went back as a whole. */
  #moneyAtRest(told: CheckoutResource): void {
    const { checkout_id: id, state, amount } = told;
    const late = told.late_payment?.state;
    const payments = this.#book.payments(id);
    const returned = payments.filter((payment) => payment.returned === 'succeeded');
    for (const { intent, net, sentBack } of returned)
      if (net !== 0 && !sentBack)
        throw new Violation('I1', `${intent} came late for ${id}, and ${net} of it stays taken`);
    if (returned.length > 0 && late === undefined && !this.#forgotten.has(id))
      throw new Violation('I4', `late money for ${id} went back, and nobody is told`);
    const kept = payments.filter((payment) => payment.returned !== 'succeeded' && payment.net > 0);
    const forPeople = kept.filter(isForPeople);
    const backWithUs = payments.find((payment) => payment.returned === 'failed');
    // Where all was lost, nothing tells it from the payment that the checkout was paid with.
    const mayBeOwn = this.#forgotten.has(id);
    if (backWithUs && late !== 'needs_attention' && late !== 'honoured' && !mayBeOwn)
      throw new Violation('I4', `${backWithUs.intent} came back from the bank, ${id} says ${String(late)}`);
    if (late === 'needs_attention' && forPeople.length === 0 && !this.#lost.has(id))
      throw new Violation('I4', `late money for ${id} is said to wait for a person, and none of it is open`);
    const isPaid = state === 'paid' || late === 'honoured';
    if (!isPaid) {
      if (kept.length > forPeople.length || (kept.length > 0 && late === undefined))
        throw new Violation('I1', `${id} is ${state}, and ${this.#book.net(id)} stays taken`);
      return;
    }
    const own = payments.filter(
      ({ returned: back }) => back === undefined || (mayBeOwn && back === 'failed'),
    );
    const isNamed = late === 'needs_attention' || late === 'honoured';
    if (kept.length > 1 && (!isNamed || kept.length - 1 > forPeople.length))
      throw new Violation('I1', `${id} is paid, and keeps ${kept.length} payments`);
    if (own.length === 0) throw new Violation('I1', `${id} is ${state}, and its money went back as late`);
    if (own.length > 1) return;
    const [{ intent, captured, net, byHand }] = own as [Payment];
    if (captured !== amount) throw new Violation('I1', `${id} is paid, ${captured} of ${amount} were taken`);
    if (told.amount_captured !== captured)
      throw new Violation('I4', `${id} says ${told.amount_captured} were taken`);
    // Restored from somebody's copy, it shows what was given back of the payment that was agreed to.
    if (mayBeOwn && this.#book.copies.has(intent)) return;
    // What somebody gave back of late money before it was honoured is in no ledger until the next refund, or the next pass.
    if (late === 'honoured' && byHand) return;
    if (told.amount_refunded !== captured - net)
      throw new Violation(
        'I4',
        `${id} says ${told.amount_refunded} were given back, it is ${captured - net}`,
      );
  }

  /** Nothing was wrong: a pass of reconciliation must not say or do anything. */
  quiet(): void {
    for (const { start, result } of this.#world.server.all()) {
      // One that went on as a new run has no result of its own.
      if (start.workflowType !== reconciliationWorkflowType || result === undefined) continue;
      const differences = (result as ReconciliationResult).differences.filter(({ kind, checkoutId = '' }) => {
        const told = this.#last.get(checkoutId);
        // Somebody gave a part of late money back before it was honoured: until then it was in nobody's ledger.
        const ofLate =
          kind === 'refunded_sum' &&
          told?.late_payment?.state === 'honoured' &&
          this.#book.payments(checkoutId).some(({ byHand }) => byHand);
        return !mayStay.includes(kind) && !ofLate && !(told && this.#mayWait(told));
      });
      if (differences.length > 0)
        throw new Violation('I10', `a pass found what was settled: ${JSON.stringify(differences)}`);
    }
  }

  #isTrue(told: CheckoutResource): void {
    const { checkout_id: id, state } = told;
    if (state === 'paid' && this.#book.captured(id) === 0)
      throw new Violation('I4', `${id} is said to be paid, and nothing was captured`);
    if (!unpaid.includes(state)) return;
    const live = this.#book.live(id);
    if (this.#netAsked(id) > 0 && !told.late_payment && !this.#stopped.has(id))
      throw new Violation('I4', `${id} is said to be ${state}, and ${this.#netAsked(id)} was taken`);
    // Nothing tells a checkout made anew what its lost run had left open, unless their keys meet; and a run that was set back
    // to before it opened a way to pay, and then went another, leaves it to the next pass. Its money is late money.
    // The same holds for a request that was still under way when ops ended its run.
    const mayBeLeft = this.#lost.has(id) || this.#resets.has(id);
    if (live.some((way) => !this.#leftOpen.isUnheardOf(way) && !(mayBeLeft && this.#leftOpen.has(way))))
      throw new Violation('I4', `${id} is said to be ${state}, and can be paid: ${live.join(', ')}`);
  }

  /** What the product may not end by itself: an approval without a payment, which only a person can clear up. */
  #mayWait(told: CheckoutResource): boolean {
    const { checkout_id: id, state } = told;
    return state === 'needs_attention' && (this.#book.hasBareApproval(id) || this.#mayStandFor(told));
  }

  /** The code before its patches, where it began a run again, took money at another price for what it waited for. */
  #mayStandFor({ checkout_id: id, amount }: CheckoutResource): boolean {
    if ((this.#stopped.get(id) ?? Infinity) > this.#deployedAt) return false;
    return this.#book.payments(id).some(({ captured, net }) => net > 0 && captured !== amount);
  }

  #mayCost({ checkout_id: id, state, amount }: CheckoutResource): boolean {
    const { purchase, confirmed } = this.#checkouts.get(id) ?? {};
    if (confirmed?.has(amount)) return true;
    if (!this.#lost.has(id)) return false;
    // What a run that Temporal lost was to cost is known from nothing but the payment, and that may be somebody's copy.
    if (this.#book.copies.size > 0) return true;
    // Where nothing was paid either, it is what a later attempt at the same cost.
    const others = [...this.#checkouts.values()].filter((known) => known.purchase === purchase);
    return state === 'expired' && others.some((known) => known.confirmed.has(amount));
  }

  /** Without what was paid by copies. */
  #netAsked(checkoutId: string): number {
    let net = this.#book.net(checkoutId);
    for (const stray of this.#book.copies) net -= this.#book.sum(checkoutId, () => true, stray);
    return net;
  }
}
