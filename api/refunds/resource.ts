import type { Client } from '@temporalio/client';
import { type RefundMemo, refundWorkflowId } from '../../contracts/refund.js';
import { isRefundOver, type RefundStatus } from '../../domain/refund-state.js';
import { sayRefund } from '../../domain/say.js';
import type { Tenant } from '../../domain/tenant.js';
import { readMemo } from '../runs.js';
import type { RefundResource } from './schemas.js';

/** A refund as its run published it; undefined when there is none. Needs no worker. */
export async function readRefund(
  client: Client,
  tenantId: string,
  refundId: string,
): Promise<RefundMemo | undefined> {
  const { refund, state } = (await readMemo<RefundMemo>(client, refundWorkflowId(tenantId, refundId))) ?? {};
  return refund && state ? { refund, state } : undefined;
}

const rfc3339 = (ms: number) => new Date(ms).toISOString();

function nextAfter(status: RefundStatus): RefundResource['next'] {
  if (isRefundOver(status)) return { action: 'done' };
  if (status === 'needs_attention') return { action: 'handoff', retry_after_ms: 60_000 };
  return { action: 'wait', retry_after_ms: status === 'awaiting_approval' ? 30_000 : 2_000 };
}

/** The one rendering of a refund for agents. */
export function renderRefund({ refund, state }: RefundMemo, tenant: Tenant): RefundResource {
  const { amount, currency, description, locale } = refund;
  const { approval } = state;
  return {
    refund_id: refund.refundId,
    checkout_id: refund.checkoutId,
    state: state.status,
    terminal: isRefundOver(state.status),
    version: state.version,
    livemode: refund.livemode,
    say: sayRefund(state.status, {
      money: { amount, currency },
      description,
      locale,
      wording: tenant.wording,
    }),
    next: nextAfter(state.status),
    amount,
    currency,
    reason: refund.reason,
    request_hash: refund.requestHash,
    requested_by: refund.requestedBy,
    ...(approval && {
      approval: {
        required_because: approval.requiredBecause,
        expires_at: rfc3339(approval.expiresAt),
        ...(approval.decision && { decision: approval.decision }),
        ...(approval.decidedBy && { decided_by: approval.decidedBy }),
        ...(approval.decidedAt !== undefined && { decided_at: rfc3339(approval.decidedAt) }),
        ...(approval.note !== undefined && { note: approval.note }),
      },
    }),
    ...(state.failureReason && { failure_reason: state.failureReason }),
  };
}
