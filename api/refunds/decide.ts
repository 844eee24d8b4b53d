import type { Client } from '@temporalio/client';
import { decideRefund, type RefundMemo, refundWorkflowId } from '../../contracts/refund.js';
import { areTwoPeople } from '../../domain/four-eyes.js';
import type { DecisionTokens, SignedDecision } from '../../providers/approval/decision-token.js';
import { requestHash } from '../../providers/approval/request-hash.js';
import { Problem } from '../problem.js';
import { temporalUnavailable, updateRefusal, updateRun } from '../runs.js';
import { readRefund } from './resource.js';

export interface DecisionDependencies {
  client: Client;
  decisions: DecisionTokens;
}

/** Brings a person's decision to the refund: the one way for the API and for the approver's page. */
export function createDecision({ client, decisions }: DecisionDependencies) {
  return async function decide(decision: SignedDecision): Promise<{ repeated: boolean; memo: RefundMemo }> {
    const { tenantId, refundId } = decision;
    const before = await readRefund(client, tenantId, refundId);
    if (!before) throw new Problem('not_found');
    // Of what was shown, not what the run says it is: a run can be started by hand with any memo.
    if (requestHash(before.refund) !== decision.requestHash) throw new Problem('request_changed');
    const { requestedBy, requestedBySubject } = before.refund;
    const requester = { credential: requestedBy, subject: requestedBySubject };
    const decider = { credential: decision.decidedBy, subject: decision.decidedBySubject };
    if (!areTwoPeople(requester, decider)) throw new Problem('self_approval');
    if (before.state.status !== 'awaiting_approval') return decidedBefore(before, decision);

    const signedDecision = await decisions.sign(decision);
    try {
      await updateRun(client, refundWorkflowId(tenantId, refundId), decideRefund, {
        args: [{ signedDecision }],
      });
    } catch (error) {
      if (error instanceof Problem) throw error;
      const type = updateRefusal(error)?.type;
      if (type === 'request_changed' || type === 'self_approval' || type === 'approval_expired')
        throw new Problem(type);
      if (type !== 'already_decided') throw temporalUnavailable();
    }
    const memo = await readRefund(client, tenantId, refundId);
    // Its run was stopped, and waits for the decision again as soon as it is started again.
    if (!memo || memo.state.status === 'awaiting_approval') throw temporalUnavailable();
    const mine =
      memo.state.approval?.decidedBy === decision.decidedBy &&
      memo.state.approval.decision === decision.decision;
    return mine ? { repeated: false, memo } : decidedBefore(memo, decision);
  };
}

/** The first decision stands. The same one by the same person is a repeat, any other learns who was first. */
function decidedBefore(
  memo: RefundMemo,
  { decision, decidedBy }: SignedDecision,
): { repeated: boolean; memo: RefundMemo } {
  const { approval, status } = memo.state;
  if (status === 'approval_expired') throw new Problem('approval_expired');
  if (approval?.decision === decision && approval.decidedBy === decidedBy) return { repeated: true, memo };
  throw alreadyDecided(memo);
}

/** Tells what was decided, by whom and when. */
export function alreadyDecided({ state: { approval } }: RefundMemo): Problem {
  return new Problem('already_decided', {
    // A run that was reset to before its decision may know only what came of it.
    decision: approval ? (approval.decision ?? 'approved') : 'automatic',
    ...(approval?.decidedBy && { decided_by: approval.decidedBy }),
    ...(approval?.decidedAt !== undefined && { decided_at: new Date(approval.decidedAt).toISOString() }),
  });
}
