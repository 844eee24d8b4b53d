import { allHandlersFinished, CancellationScope, condition, patched } from '@temporalio/workflow';
import type { CheckoutInput } from '../contracts/checkout.js';
import type { PaymentEvent } from '../contracts/payment-event.js';
import { type CheckoutState, decidingReason } from '../domain/checkout-state.js';
import { announceCheckout } from './steps/announce.js';
import { CheckoutRun } from './steps/checkout-run.js';
import { collectPayment } from './steps/collect-payment.js';
import { refusal, reportLatePayment } from './steps/effects.js';
import { isOverdue, recoverForgotten, recoverPayment, recoverUnknown } from './steps/recover-payment.js';

/**
 * One payment of one phone call. Tries the planned rails in order, each to its proved end, until one has paid. Ends only
 * when nothing at Stripe is live any more; a business ending is a result, not a failure.
 */
export async function checkout(input: CheckoutInput): Promise<CheckoutState> {
  const run = new CheckoutRun(input);
  return CancellationScope.nonCancellable(async () => {
    for (let paid = input.recover !== undefined && (await recoverPayment(run, input.recover)); !paid;) {
      if (run.keyTaken !== undefined) {
        paid = await recoverUnknown(run, run.keyTaken);
        continue;
      }
      const step = run.nextRail();
      if (!step) {
        const reason = run.stop === 'canceled' ? 'canceled' : decidingReason(run.state);
        run.learn({ type: 'ended', reason });
        break;
      }
      if (isOverdue(run, step)) paid = await recoverForgotten(run);
      else if (step.skip) run.learn({ type: 'rail_skipped', rail: step.rail, reason: step.skip });
      else paid = await collectPayment(run, step);
    }
    await announceCheckout(input, run.state);
    await reportOtherPayments(run);
    return run.state;
  });
}

/** Money that came meanwhile by a way that was thought shut. An answer of Temporal is all it takes, so it is repeated until there is one. */
async function reportOtherPayments(run: CheckoutRun): Promise<void> {
  const { tenantId, checkoutId } = run.input;
  const reported = new Set<string>();
  const report = async (event: PaymentEvent) => {
    reported.add(event.objectId);
    // Reconciliation finds what could not be reported.
    await reportLatePayment({ tenantId, checkoutId, event }).catch(refusal);
  };
  for (const event of run.otherPayments) await report(event);
  await condition(allHandlersFinished);
  // What comes while this is done was acknowledged too.
  const next = () => run.otherPayments.find(({ objectId }) => !reported.has(objectId));
  for (let event = next(); event && patched('reports-to-the-end'); event = next()) await report(event);
}
