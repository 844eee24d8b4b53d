import { getExternalWorkflowHandle } from '@temporalio/workflow';
import { refundLedgerWorkflowId, refundSettled } from '../../contracts/refund.js';
import type { RefundOutcome } from '../../domain/refund-book.js';
import type { RefundReading } from '../../activities/refunds.js';
import { nextReading, submitUntilKnown, watchMs } from './refund-in-hand.js';
import type { RefundRun } from './refund-run.js';

/** Sends the refund to Stripe, once, and follows it until nothing more is expected. */
export async function giveBack(run: RefundRun): Promise<void> {
  const submission = await submitUntilKnown(run);
  if (submission.kind === 'rejected') {
    run.learn({ type: 'rejected', failureReason: submission.failureReason });
    return tellLedger(run, 'void');
  }
  const { refund } = submission;
  run.learn({ type: 'submitted', refund });
  await tellLedger(run, 'at_stripe');
  let reading: RefundReading = submission;
  while (reading.kind === 'pending') reading = await nextReading(run, reading);
  if (reading.kind === 'refunded') {
    run.learn({ type: 'refunded' });
    await tellLedger(run, 'done');
    const until = Date.now() + watchMs;
    while (reading.kind !== 'failed' && Date.now() < until) reading = await nextReading(run, reading, until);
  }
  if (reading.kind === 'failed') {
    run.learn({ type: 'failed', failureReason: reading.failureReason });
    await tellLedger(run, 'void');
  }
}

/** Tells the customer's ledger what became of the refund. A ledger that ops ended reads Stripe when it is started again. */
export async function tellLedger(run: RefundRun, outcome: RefundOutcome): Promise<void> {
  const { tenantId, customerKey, refundId } = run.input.request;
  const ledger = getExternalWorkflowHandle(refundLedgerWorkflowId(tenantId, customerKey));
  await ledger.signal(refundSettled, { refundId, outcome }).catch(() => undefined);
}
