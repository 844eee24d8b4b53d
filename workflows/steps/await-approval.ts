import { condition } from '@temporalio/workflow';
import { notifyApprover } from './effects.js';
import { lookUp } from './refund-in-hand.js';
import type { RefundRun } from './refund-run.js';

interface Step {
  at: number;
  kind: 'ask' | 'remind';
  tier: number;
}

/** Waits for a person, tier by tier, until the deadline. True when the refund was approved, now or before a reset. */
export async function awaitApproval(run: RefundRun): Promise<boolean> {
  const { request, requestedAt } = run.input;
  const { deadlineMs, remindAfterMs, escalateAfterMs, approvers } = request.approval;
  const expiresAt = requestedAt + deadlineMs;
  // A run that goes on for a stopped one asks again whoever was to be asked by now, and reminds nobody of the past.
  const now = run.input.recover && Date.now();
  const tiers = [...new Set(approvers.map(({ tier }) => tier))].sort((a, b) => a - b);
  const steps: Step[] = tiers
    .flatMap((tier, index): Step[] => {
      const asked = requestedAt + index * escalateAfterMs;
      return [
        { at: asked, kind: 'ask', tier },
        { at: asked + remindAfterMs, kind: 'remind', tier },
      ];
    })
    .filter(
      ({ at, kind }) =>
        at < expiresAt && (now === undefined || at > now || (kind === 'ask' && now < expiresAt)),
    )
    .sort((a, b) => a.at - b.at);
  const decided = () => run.state.status !== 'awaiting_approval';

  for (const { at, kind, tier } of steps) {
    if (
      await decidedBefore(
        decided,
        at,
        kind === 'ask' ? `until tier ${tier} is asked` : `until tier ${tier} is reminded`,
      )
    )
      break;
    if (kind === 'ask' && tier !== tiers[0]) run.learn({ type: 'escalated', tier });
    const { tenantId, checkoutId, refundId, requestHash, amount, currency, description } = request;
    for (const { id: approver } of approvers.filter((one) => one.tier === tier)) {
      const about = { tenantId, checkoutId, refundId, requestHash, amount, currency, description };
      // A message that cannot be sent must not keep anyone from deciding: others, or the API, still can.
      run.noteAsked(approver, 'trying');
      void notifyApprover({ ...about, approver, kind, expiresAt }).then(
        ({ by }) => run.noteAsked(approver, by),
        () => run.noteAsked(approver, 'nothing'),
      );
    }
  }
  await decidedBefore(decided, expiresAt, 'until the approval expires');
  if (!decided()) {
    // From here on any decision is too late, however long the look takes.
    run.timeIsUp = true;
    const made = (await run.mayBeMade()) ? await lookUp(run) : undefined;
    run.learn(made ? { type: 'submitted', refund: made.refund } : { type: 'approval_expired' });
  }
  return run.state.status === 'submitting' || run.state.status === 'submitted';
}

async function decidedBefore(decided: () => boolean, at: number, summary: string): Promise<boolean> {
  const left = at - Date.now();
  return left <= 0 ? decided() : condition(decided, left, { summary });
}
