import { allHandlersFinished, CancellationScope, condition, patched } from '@temporalio/workflow';
import type { UnmatchedPaymentInput } from '../contracts/unmatched-payment.js';
import type { LatePaymentState } from '../domain/late-payment.js';
import { settleLatePayment } from './steps/settle-late-payment.js';
import { UnmatchedRun } from './steps/unmatched-run.js';

/**
 * Money of one checkout that no open run waits for: it came after the end, twice, or for a run that is gone. Every payment
 * the relay names is read at Stripe and then honoured, given back, or brought to the run it belongs to. Ends when nothing
 * more can come of any of them.
 */
export async function unmatchedPayment(input: UnmatchedPaymentInput): Promise<LatePaymentState> {
  const run = new UnmatchedRun(input);
  // A cancel from the Temporal UI must not leave money that nobody owes.
  return CancellationScope.nonCancellable(async () => {
    let open = 0;
    do {
      await condition(() => run.hasEvents || open === 0);
      // Each on its own: one that is under way for days must not hold up the next.
      for (let event = run.nextEvent(); event; event = run.nextEvent()) {
        open++;
        void settleLatePayment(run, event).finally(() => open--);
      }
      // What begins when its run ends is dropped.
      if (open === 0 && run.isAnnouncing && patched('announced-before-the-end')) await run.allAnnounced();
    } while (open > 0 || run.hasEvents);
    await condition(allHandlersFinished);
    return run.state;
  });
}
