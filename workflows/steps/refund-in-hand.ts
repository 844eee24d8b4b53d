import { failureTypes } from '../../contracts/failures.js';
import type { RefundReading, RefundSubmission } from '../../activities/refunds.js';
import { awaitPaymentEvent, type WaitingRun } from './await-payment-event.js';
import { findRefund, readRefund, refusal } from './effects.js';

/** A refund that is to be made once, whoever wants it. */
export interface RefundInHand extends WaitingRun {
  readonly ref: { tenantId: string; checkoutId: string; refundId: string; paymentIntent: string };
  /** Business attempts before it were made by a run that was stopped; 1 if not given. */
  readonly firstAttempt?: number;
  /** Sends it to Stripe. Throws when no answer came. */
  submit(attempt: number): Promise<RefundSubmission>;
  /** Nobody can say yet whether Stripe has it. */
  uncertain(why: 'outcome_unknown' | 'stripe_refuses_to_answer'): void;
}

/** Business attempts made one after the other; from then on they are spaced like reads of a bank debit. */
const quickAttempts = 3;

/** A bank may return a refund for weeks: it is watched this long, ms. */
export const watchMs = 30 * 24 * 3_600_000;

/**
 * Submits until Stripe's answer is known. An unknown outcome is looked up in the list of the payment's refunds, and only a
 * refund that is proved absent is sent again, as a new business attempt.
 */
export async function submitUntilKnown(refund: RefundInHand): Promise<RefundSubmission> {
  for (let attempt = refund.firstAttempt ?? 1; ; attempt++) {
    try {
      return await refund.submit(attempt);
    } catch (error) {
      const type = refusal(error)?.type;
      if (type === failureTypes.requestRefused) return { kind: 'rejected', failureReason: 'refused' };
      if (type === failureTypes.notOurs) return { kind: 'rejected', failureReason: 'not_approved' };
      if (type !== failureTypes.storedVendorError) refund.uncertain('outcome_unknown');
    }
    const found = await lookUp(refund);
    if (found) return found;
    if (attempt >= quickAttempts) {
      // Stripe keeps answering 5xx and has no such refund: sent again, but not in a hurry.
      refund.uncertain('stripe_refuses_to_answer');
      await awaitPaymentEvent(refund, {
        reads: attempt - quickAttempts,
        interruptible: false,
        pace: 'bank',
      });
    }
  }
}

/** The refund, if Stripe has it; asked until Stripe answers. */
export async function lookUp(
  refund: Pick<RefundInHand, 'ref' | 'uncertain'> & WaitingRun,
): Promise<RefundReading | undefined> {
  const { tenantId, checkoutId, refundId, paymentIntent } = refund.ref;
  for (let reads = 0; ; reads++) {
    try {
      const found = await findRefund({ tenantId, checkoutId, refundId, paymentIntent });
      return found.kind === 'absent' ? undefined : found;
    } catch (error) {
      refusal(error);
      refund.uncertain('outcome_unknown');
    }
    await awaitPaymentEvent(refund, { reads, interruptible: false, pace: 'bank' });
  }
}

/**
 * The refund when it is no longer as it was, or as it is at the deadline. An unanswered read counts as no change, and is
 * repeated soon: what woke it may never be said again.
 */
export async function nextReading(
  run: RefundInHand,
  before: RefundReading,
  deadlineAt?: number,
): Promise<RefundReading> {
  const { tenantId, checkoutId } = run.ref;
  let unanswered = 0;
  for (let reads = 0; ; reads++) {
    const wake = await awaitPaymentEvent(run, {
      deadlineAt,
      interruptible: false,
      ...(unanswered > 0
        ? { pace: 'bank', reads: unanswered - 1 }
        : { pace: deadlineAt === undefined ? 'bank' : 'aftermath', reads }),
    });
    if (wake === 'deadline') return before;
    try {
      const reading = await readRefund({ tenantId, checkoutId, refund: before.refund });
      if (reading.kind !== before.kind) return reading;
      unanswered = 0;
    } catch (error) {
      refusal(error);
      unanswered++;
    }
  }
}
