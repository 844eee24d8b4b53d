import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  makeContinueAsNewFunc,
  ParentClosePolicy,
  patched,
  setDefaultSignalHandler,
  setHandler,
  startChild,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import {
  paymentRefunded,
  type RefundAnswer,
  type RefundInput,
  type RefundLedgerInput,
  type RefundLedgerMemo,
  type RefundRequest,
  refundSettled,
  requestRefund,
} from '../contracts/refund.js';
import { refundStart } from '../contracts/refund-start.js';
import {
  outcomeOf,
  refundOutcomes,
  refundsByCheckout,
  isOfPayment,
  sumsOf,
  withOutcome,
  withoutRefund,
  withRefund,
} from '../domain/refund-book.js';
import { judgeRefund, refundable } from '../domain/refund-policy.js';
import { examineRefundRequest, findRefund, readRefundable, readRefundRun, refusal } from './steps/effects.js';
import { failureTypes } from '../contracts/failures.js';
import { madeState } from '../domain/refund-state.js';
import type { MadeRefund } from '../activities/refunds.js';
import { refund } from './refund.js';

/** A ledger that was told before there was this patch believed all but "it came to nothing", and asked once. */
const asksOfAll = () => patched('every-outcome-is-asked-for');

/** Pause before a sum is read again that Stripe did not tell, ms: longer each time, so that an outage costs little history. */
const rereadAfterMs = (failures: number) => Math.min(15_000 * 2 ** failures, 3_600_000);

/** Longer than any refund can still fail or be asked for at Stripe. */
const keptMs = 180 * 24 * 3_600_000;

/**
 * The refunds of one customer: the one place where they are let through, so that no two can together exceed what was
 * captured or slip under the threshold side by side. Starts each refund as a run of its own.
 */
export async function refundLedger(input: RefundLedgerInput): Promise<void> {
  const { tenantId, customerKey } = input;
  let entries = input.entries;
  let refunded = input.refunded;
  /** Payments whose sum at Stripe may have changed, by checkout. */
  const toRead = new Map(input.toRead);
  let touchedAt = Date.now();
  /** Signals so far that tell of a sum: each is a reason to read at once. */
  let told = 0;

  /** Refunds of which a signal says that something became of them, and nobody could say what. */
  const toAsk = new Set(input.toAsk);
  /** The last question about each refund. */
  const asked = new Map<string, Promise<unknown>>();
  /** Runs that are being started, by refund: a repeated request is answered when the run can be read. */
  const starting = new Map<string, Promise<void>>();
  /** Refunds whose runs are lost, and which Stripe has: followed anew by whoever asks for them again. */
  const unfollowed = new Set<string>();
  /** Refunds of this run of the ledger that go to Stripe without a person. */
  const automatic = new Set<string>();

  /** How often Stripe was asked for a sum, and of each checkout which answer is shown: an older question may be answered last. */
  let questions = 0;
  const shown = new Map<string, number>();

  /** The sum that a question was answered with, or what an answer to a later one has shown since. */
  function newestSum(
    { checkoutId, paymentIntent }: Pick<RefundRequest, 'checkoutId' | 'paymentIntent'>,
    { question, sum }: { question: number; sum: number },
  ): number {
    const known = refunded[checkoutId];
    const isOlder = question < (shown.get(checkoutId) ?? 0) && known && isOfPayment(known, paymentIntent);
    return isOlder && patched('older-sums-are-no-news') ? known.amount : sum;
  }

  function publish(
    payment: Pick<RefundRequest, 'checkoutId' | 'paymentIntent'>,
    answer: { question: number; sum: number },
    refunds?: RefundLedgerMemo['refunds'],
  ): void {
    const { checkoutId, paymentIntent } = payment;
    const amount = newestSum(payment, answer);
    shown.set(checkoutId, Math.max(answer.question, shown.get(checkoutId) ?? 0));
    const before = refunded[checkoutId] ?? { amount: 0, changes: 0 };
    // Before there was this patch an equal sum of another payment was no news.
    const isNews =
      before.amount !== amount || (!isOfPayment(before, paymentIntent) && patched('sums-of-payments'));
    if (!isNews && !refunds) return;
    if (isNews)
      refunded = { ...refunded, [checkoutId]: { amount, changes: before.changes + 1, paymentIntent } };
    upsertMemo({ refunded, ...(refunds && { refunds }) } satisfies RefundLedgerMemo);
  }

  const isKnown = (refundId: string) => entries.some((entry) => entry.refundId === refundId);

  /** The answer to a request that is known already; waits until its run can be read. None when that run is lost, and nothing of it left. */
  async function repeated(refundId: string): Promise<RefundAnswer | undefined> {
    if (!isKnown(refundId)) return undefined;
    await starting.get(refundId);
    // The API asks only for what it could not read.
    if (asksOfAll()) await whatBecameOf(refundId);
    return isKnown(refundId) && !unfollowed.has(refundId) ? { startedBy: '', refundId } : undefined;
  }

  /**
   * Asks a refund's own run what became of it: anyone may signal that. One question after the other, or an older answer could
   * come last. False when nobody answered.
   */
  function whatBecameOf(refundId: string): Promise<boolean> {
    const answer = (asked.get(refundId) ?? Promise.resolve()).then(() => askRun(refundId));
    asked.set(refundId, answer);
    return answer;
  }

  async function askRun(refundId: string): Promise<boolean> {
    try {
      const status = await readRefundRun({ tenantId, refundId });
      const outcome = status && outcomeOf(status);
      if (outcome === 'void' || (outcome && asksOfAll())) entries = withOutcome(entries, refundId, outcome);
      if (status === undefined && asksOfAll()) await lookForLost(refundId);
      return true;
    } catch (error) {
      refusal(error);
      return false;
    }
  }

  /** The run of a refund is lost: what Stripe does not have either, nobody will make any more. */
  async function lookForLost(refundId: string): Promise<void> {
    const entry = entries.find((one) => one.refundId === refundId);
    // The runs of what was made leave Temporal in time.
    if (!entry || entry.outcome === 'at_stripe' || entry.outcome === 'done') return;
    const { checkoutId, paymentIntent } = entry;
    const { kind } = await findRefund({ tenantId, checkoutId, refundId, paymentIntent });
    entries =
      kind === 'absent'
        ? withoutRefund(entries, refundId)
        : withOutcome(entries, refundId, kind === 'failed' ? 'void' : 'at_stripe');
    if (kind !== 'absent' && patched('lost-refund-followed-anew')) unfollowed.add(refundId);
  }

  /**
   * Asks the runs of those that wait for a person: whoever saw that one was denied may ask anew before this ledger is told of
   * it. False: nothing was asked, so nothing can have come in between.
   */
  async function askHeld(): Promise<boolean> {
    const held = entries.filter(({ refundId, outcome }) => outcome === 'pending' && !automatic.has(refundId));
    if (held.length === 0 || !patched('held-refunds-are-asked')) return false;
    await Promise.all(
      held.map(async ({ refundId }) => {
        // Whose run is only being started is not lost.
        if (asksOfAll()) await starting.get(refundId);
        await whatBecameOf(refundId);
      }),
    );
    return true;
  }

  /** Refunds on their way to Stripe, which may or may not count them yet. Those that wait for a person are not. */
  const onTheirWay = (checkoutId: string) =>
    entries.filter(
      (entry) =>
        entry.checkoutId === checkoutId && entry.outcome === 'pending' && automatic.has(entry.refundId),
    ).length;

  /** Stripe has the refund, made by a run that Temporal has lost: nothing is judged or sent any more. */
  async function follow(
    request: RefundRequest,
    made: MadeRefund,
    answer: { question: number; sum: number },
  ): Promise<RefundAnswer> {
    const { refundId, checkoutId, paymentIntent, currency } = request;
    const { refund, amount, requestHash, madeAt: at } = made;
    unfollowed.delete(refundId);
    const outcome = 'at_stripe';
    entries = withRefund(entries, { refundId, checkoutId, paymentIntent, amount, currency, at, outcome });
    publish(request, answer, refundsByCheckout(entries));
    const started = startRefund({
      request: { ...request, amount, requestHash },
      verdict: { kind: 'automatic' },
      requestedAt: at,
      recover: { state: madeState(refund, at) },
    });
    starting.set(refundId, started);
    await started;
    return { startedBy: '', refundId };
  }

  async function letThrough(request: RefundRequest, tries = 5, asked = false): Promise<RefundAnswer> {
    const { refundId, checkoutId, paymentIntent, currency, reason, policy } = request;
    const known = await repeated(refundId);
    if (known) return known;
    const requestedAt = Date.now();
    const sums = sumsOf(entries, { paymentIntent, currency, now: requestedAt });
    const question = ++questions;
    const reading = await examineRefundRequest({ request, sums, requestedAt });
    if (!reading) throw ApplicationFailure.nonRetryable('not sent by the API', 'not_sealed');
    // Other requests may have been let through meanwhile. From here to the entry nothing can come in between.
    if (isKnown(refundId) && !unfollowed.has(refundId)) {
      await starting.get(refundId);
      return { startedBy: '', refundId };
    }
    const answer = { question, sum: reading.refunded };
    if (reading.made) return follow(request, reading.made, answer);
    const refundedAtStripe = newestSum(request, answer);
    const now = Date.now();
    const { captured, disputed, grant } = reading;
    const facts = {
      captured,
      refundedAtStripe,
      disputed,
      ...sumsOf(entries, { paymentIntent, currency, now }),
    };
    const amount = request.rest ? refundable(facts) : request.amount;
    const judged = judgeRefund({ amount, currency }, facts, policy);
    // A claim of fraud once needed a person whatever the sum: a run that held one keeps to the commands of its history.
    const held =
      request.v === 1 &&
      reason === 'fraudulent' &&
      judged.kind === 'automatic' &&
      !patched('approval-by-sum-alone');
    const verdict = held ? { kind: 'needs_approval' as const, because: 'fraud_claim' as const } : judged;
    const travelling = onTheirWay(checkoutId);
    if (verdict.kind === 'refused' && travelling > 0 && tries > 1) {
      // One of them may stand in both sums: at Stripe already, and pending here. Soon it is known.
      await condition(() => onTheirWay(checkoutId) < travelling, 3_000);
      return letThrough(request, tries - 1, asked);
    }
    if (verdict.kind !== 'automatic' && !asked && (await askHeld())) return letThrough(request, tries, true);
    if (verdict.kind === 'refused') {
      throw ApplicationFailure.nonRetryable('refused by policy', verdict.code, facts);
    }
    if (request.v > 1 && (grant?.amount !== amount || grant.verdict !== verdict.kind)) {
      // Others were let through, or came to nothing, while this one was examined. More than a few in a row are a fault.
      if (tries === 1) throw ApplicationFailure.nonRetryable('judged otherwise each time', 'not_judged');
      return letThrough(request, tries - 1, asked);
    }
    if (verdict.kind === 'automatic') automatic.add(refundId);
    const outcome = 'pending';
    entries = withRefund(entries, {
      refundId,
      checkoutId,
      paymentIntent,
      amount,
      currency,
      at: now,
      outcome,
    });
    publish(request, answer, patched('refunds-are-listed') ? refundsByCheckout(entries) : undefined);
    const granted = grant && {
      grant,
      requestedAt,
      request: { ...request, amount, requestHash: grant.requestHash },
    };
    const started = startRefund({ request: { ...request, amount }, verdict, requestedAt: now, ...granted });
    starting.set(refundId, started);
    await started;
    return { startedBy: request.requestId, refundId };
  }

  /** False when a refund remains of which nobody could say what became. */
  async function askAll(): Promise<boolean> {
    const unanswered: string[] = [];
    for (const refundId of toAsk) {
      // Before: who is told of it meanwhile asks again.
      toAsk.delete(refundId);
      if (!(await whatBecameOf(refundId)) && asksOfAll()) unanswered.push(refundId);
    }
    for (const refundId of unanswered) toAsk.add(refundId);
    return unanswered.length === 0;
  }

  /** Publishes the sum that Stripe has given back of one payment. False when Stripe does not answer: the sum is still owed. */
  async function readNext(): Promise<boolean> {
    const [next] = toRead;
    if (!next) return true;
    const [checkoutId, paymentIntent] = next;
    toRead.delete(checkoutId);
    try {
      const question = ++questions;
      const { refunded: sum } = await readRefundable({ tenantId, checkoutId, paymentIntent });
      publish({ checkoutId, paymentIntent }, { question, sum });
      return true;
    } catch (error) {
      // A payment that Stripe does not know never had one.
      if (refusal(error)?.type === failureTypes.requestRefused) return true;
      toRead.set(checkoutId, paymentIntent);
      return false;
    }
  }

  setHandler(
    requestRefund,
    (request) => {
      touchedAt = Date.now();
      return CancellationScope.nonCancellable(() => letThrough(request));
    },
    {
      description: 'Ask for a refund; the request carries the seal of the API',
      validator: (request: Partial<RefundRequest> | undefined) => {
        const { refundId, checkoutId, paymentIntent, seal, policy, approval } = request ?? {};
        const texts = [refundId, checkoutId, paymentIntent, seal].every((text) => typeof text === 'string');
        const ours = request?.tenantId === tenantId && request.customerKey === customerKey;
        if (!texts || !ours || !policy || !approval)
          throw ApplicationFailure.nonRetryable('not a request', 'not_sealed');
      },
    },
  );
  // Anyone with access to Temporal may signal anything: what has not the right form is dropped.
  setHandler(refundSettled, async (message: { refundId?: unknown; outcome?: unknown } | undefined) => {
    const entry = entries.find((one) => one.refundId === message?.refundId);
    const outcome = refundOutcomes.find((one) => one === message?.outcome);
    if (!entry || !outcome) return;
    touchedAt = Date.now();
    told++;
    toRead.set(entry.checkoutId, entry.paymentIntent);
    if (!asksOfAll()) {
      if (outcome === 'void') toAsk.add(entry.refundId);
      else entries = withOutcome(entries, entry.refundId, outcome);
      return;
    }
    const { refundId } = entry;
    if (!(await CancellationScope.nonCancellable(() => whatBecameOf(refundId)))) toAsk.add(refundId);
  });
  setHandler(paymentRefunded, (message: { checkoutId?: unknown; paymentIntent?: unknown } | undefined) => {
    const { checkoutId, paymentIntent } = message ?? {};
    if (typeof checkoutId !== 'string' || typeof paymentIntent !== 'string') return;
    touchedAt = Date.now();
    told++;
    toRead.set(checkoutId, paymentIntent);
  });
  setDefaultSignalHandler(() => undefined);

  // A cancel from the Temporal UI must not lose the book: the sums of the next request depend on it.
  await CancellationScope.nonCancellable(async () => {
    let failures = 0;
    while (!workflowInfo().continueAsNewSuggested) {
      await condition(
        () => toRead.size > 0 || toAsk.size > 0 || workflowInfo().continueAsNewSuggested,
        touchedAt + keptMs - Date.now(),
      );
      if (toRead.size + toAsk.size === 0 && Date.now() >= touchedAt + keptMs) break;
      const answered = await askAll();
      const read = await readNext();
      if (answered && read) {
        failures = 0;
        continue;
      }
      const before = told;
      await condition(() => told > before, rereadAfterMs(failures++));
    }
    await condition(allHandlersFinished);
    if (Date.now() < touchedAt + keptMs) {
      const memo: RefundLedgerMemo = { refunded, refunds: refundsByCheckout(entries) };
      const goOn = makeContinueAsNewFunc<typeof refundLedger>({ memo: { ...memo } });
      await goOn({ tenantId, customerKey, entries, refunded, toRead: [...toRead], toAsk: [...toAsk] });
    }
  });
}

/** Starts the run of one refund; it outlives this ledger's own run. */
async function startRefund(input: RefundInput): Promise<void> {
  await startChild(refund, {
    ...refundStart(input),
    parentClosePolicy: ParentClosePolicy.ABANDON,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
  });
}
