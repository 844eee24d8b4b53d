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
import { refundOutcomes, refundsByCheckout, sumsOf, withOutcome, withRefund } from '../domain/refund-book.js';
import { judgeRefund, refundable } from '../domain/refund-policy.js';
import { cameToNothing } from '../domain/refund-state.js';
import { examineRefundRequest, readRefundable, readRefundRun, refusal } from './steps/effects.js';
import { failureTypes } from '../contracts/failures.js';
import { refund } from './refund.js';

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

  /** Refunds of which a signal says that they came to nothing. */
  const toVerify = new Set<string>();
  /** Runs that are being started, by refund: a repeated request is answered when the run can be read. */
  const starting = new Map<string, Promise<void>>();
  /** Refunds of this run of the ledger that go to Stripe without a person. */
  const automatic = new Set<string>();

  function publish(checkoutId: string, amount: number, refunds?: RefundLedgerMemo['refunds']): void {
    const before = refunded[checkoutId] ?? { amount: 0, changes: 0 };
    if (before.amount === amount && !refunds) return;
    if (before.amount !== amount)
      refunded = { ...refunded, [checkoutId]: { amount, changes: before.changes + 1 } };
    upsertMemo({ refunded, ...(refunds && { refunds }) } satisfies RefundLedgerMemo);
  }

  /** The answer to a request that is known already; waits until its run can be read. */
  async function repeated(refundId: string): Promise<RefundAnswer | undefined> {
    if (!entries.some((entry) => entry.refundId === refundId)) return undefined;
    await starting.get(refundId);
    return { startedBy: '', refundId };
  }

  /** Asks a refund's own run whether it came to nothing: then its money is the payment's again. */
  async function askWhetherVoid(refundId: string): Promise<void> {
    const status = await readRefundRun({ tenantId, refundId }).catch(() => undefined);
    if (status !== undefined && cameToNothing.includes(status))
      entries = withOutcome(entries, refundId, 'void');
  }

  /**
   * Asks the runs of those that wait for a person: whoever saw that one was denied may ask anew before this ledger is told of
   * it. False: nothing was asked, so nothing can have come in between.
   */
  async function askHeld(): Promise<boolean> {
    const held = entries.filter(({ refundId, outcome }) => outcome === 'pending' && !automatic.has(refundId));
    if (held.length === 0 || !patched('held-refunds-are-asked')) return false;
    await Promise.all(held.map(({ refundId }) => askWhetherVoid(refundId)));
    return true;
  }

  /** Refunds on their way to Stripe, which may or may not count them yet. Those that wait for a person are not. */
  const onTheirWay = (checkoutId: string) =>
    entries.filter(
      (entry) =>
        entry.checkoutId === checkoutId && entry.outcome === 'pending' && automatic.has(entry.refundId),
    ).length;

  async function letThrough(request: RefundRequest, tries = 5, asked = false): Promise<RefundAnswer> {
    const { refundId, checkoutId, paymentIntent, currency, reason, policy } = request;
    const known = await repeated(refundId);
    if (known) return known;
    const reading = await examineRefundRequest(request);
    if (!reading) throw ApplicationFailure.nonRetryable('not sent by the API', 'not_sealed');
    // Other requests may have been let through meanwhile. From here to the entry nothing can come in between.
    if (entries.some((entry) => entry.refundId === refundId)) {
      await starting.get(refundId);
      return { startedBy: '', refundId };
    }
    const now = Date.now();
    const { captured, refunded: refundedAtStripe, disputed } = reading;
    const facts = { captured, refundedAtStripe, disputed, ...sumsOf(entries, { checkoutId, currency, now }) };
    const amount = request.rest ? refundable(facts) : request.amount;
    const judged = judgeRefund({ amount, currency }, facts, policy);
    // A claim of fraud once needed a person whatever the sum: a run that held one keeps to the commands of its history.
    const held = reason === 'fraudulent' && judged.kind === 'automatic' && !patched('approval-by-sum-alone');
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
    publish(
      checkoutId,
      refundedAtStripe,
      patched('refunds-are-listed') ? refundsByCheckout(entries) : undefined,
    );
    const started = startRefund({ request: { ...request, amount }, verdict, requestedAt: now });
    starting.set(refundId, started);
    await started;
    return { startedBy: request.requestId, refundId };
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
  setHandler(refundSettled, (message: { refundId?: unknown; outcome?: unknown } | undefined) => {
    const entry = entries.find((one) => one.refundId === message?.refundId);
    const outcome = refundOutcomes.find((one) => one === message?.outcome);
    if (!entry || !outcome) return;
    touchedAt = Date.now();
    // "It came to nothing" frees money, and anyone may signal it: the refund's own run is asked first.
    if (outcome === 'void') toVerify.add(entry.refundId);
    else entries = withOutcome(entries, entry.refundId, outcome);
    told++;
    toRead.set(entry.checkoutId, entry.paymentIntent);
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
        () => toRead.size > 0 || workflowInfo().continueAsNewSuggested,
        touchedAt + keptMs - Date.now(),
      );
      for (const refundId of toVerify) {
        toVerify.delete(refundId);
        await askWhetherVoid(refundId);
      }
      const [next] = toRead;
      if (!next) {
        if (Date.now() >= touchedAt + keptMs) break;
        continue;
      }
      const [checkoutId, paymentIntent] = next;
      toRead.delete(checkoutId);
      try {
        const reading = await readRefundable({ tenantId, checkoutId, paymentIntent });
        publish(checkoutId, reading.refunded);
        failures = 0;
      } catch (error) {
        // Stripe does not answer: the sum is still owed. A payment that Stripe does not know never had one.
        if (refusal(error)?.type === failureTypes.requestRefused) continue;
        toRead.set(checkoutId, paymentIntent);
        const before = told;
        await condition(() => told > before, rereadAfterMs(failures++));
      }
    }
    await condition(allHandlersFinished);
    if (Date.now() < touchedAt + keptMs) {
      const memo: RefundLedgerMemo = { refunded, refunds: refundsByCheckout(entries) };
      const goOn = makeContinueAsNewFunc<typeof refundLedger>({ memo: { ...memo } });
      await goOn({ tenantId, customerKey, entries, refunded, toRead: [...toRead] });
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
