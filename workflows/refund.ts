import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import type { RefundInput } from '../contracts/refund.js';
import type { RefundState } from '../domain/refund-state.js';
import { awaitApproval } from './steps/await-approval.js';
import { giveBack, tellLedger } from './steps/give-back.js';
import { RefundRun } from './steps/refund-run.js';

/**
 * One refund request. Above the tenant's threshold it waits for a person's signed decision; then the money is given back
 * once, and watched until the bank can no longer return it. A business ending is a result, not a failure.
 */
export async function refund(input: RefundInput): Promise<RefundState> {
  const run = new RefundRun(input);
  run.announce();
  // A cancel from the Temporal UI decides nothing: a refund is denied by people with the right, and money under way is followed.
  return CancellationScope.nonCancellable(async () => {
    const approved = run.state.status !== 'awaiting_approval' || (await awaitApproval(run));
    if (approved) await giveBack(run);
    else await tellLedger(run, 'void');
    await run.announced;
    await condition(allHandlersFinished);
    return run.state;
  });
}
