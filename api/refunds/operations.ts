import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WithStartWorkflowOperation } from '@temporalio/client';
import type { z } from 'zod';
import type { CheckoutMemo } from '../../contracts/checkout.js';
import {
  refundLedgerWorkflowType,
  type RefundMemo,
  type RefundRequest,
  requestRefund,
} from '../../contracts/refund.js';
import { isTerminal } from '../../domain/checkout-state.js';
import { honouredPayment } from '../../domain/late-payment.js';
import { amountProblem } from '../../domain/money.js';
import type { refundLedger } from '../../workflows/refund-ledger.js';
import type { Principal } from '../authenticate.js';
import { readLatePayments } from '../checkouts/late-payments.js';
import { readCheckout } from '../checkouts/store.js';
import type { RequestSeal } from '../../providers/approval/request-seal.js';
import { Problem } from '../problem.js';
import { refundId as refundIdOf } from '../quotes/purchase.js';
import { temporalUnavailable, updateRefusal } from '../runs.js';
import { refundLedgerStart } from '../../contracts/refund-ledger-start.js';
import { readLedger } from './ledger.js';
import { readRefund } from './resource.js';
import type { refundRequestSchema } from './schemas.js';

export interface RefundDependencies {
  client: Client;
  identityKey: Buffer;
  seal: RequestSeal;
  announces: (tenantId: string) => boolean;
}

/** Stripe is read before a refund is let through: longer than a start, shorter than a caller's patience. */
const requestDeadlineMs = 8_000;
/** A run takes ten requests at once (Temporal's limit); the others come again after about this time. */
const busyPauseMs = 150;

/** Lets a refund request through, or says why not. The customer's ledger decides, under its lock. */
export function createRefundOperation({ client, identityKey, seal, announces }: RefundDependencies) {
  return async function createRefund(
    body: z.output<typeof refundRequestSchema>,
    { tenant, keyId, subject }: Principal,
  ): Promise<{ repeated: boolean; memo: RefundMemo }> {
    const paid = await readCheckout(client, tenant.id, body.checkout_id);
    if (!paid) throw new Problem('not_found');
    const { checkout } = paid;
    const { paymentIntent, captured } = await paymentOf(client, tenant.id, paid);
    if (paymentIntent === undefined) throw new Problem('not_refundable');
    if (body.after !== undefined && !(await readRefund(client, tenant.id, body.after))) {
      throw new Problem('invalid_request', { detail: '`after` is not a refund of this tenant' });
    }
    const refundId = refundIdOf(identityKey, [
      tenant.id,
      paymentIntent,
      body.amount ?? 'rest',
      body.call.id,
      body.after ?? '',
    ]);
    const known = await readRefund(client, tenant.id, refundId);
    if (known) return { repeated: true, memo: known };

    const { customerKey, currency } = checkout;
    const { amount = 0 } = body;
    const problem = body.amount === undefined ? undefined : amountProblem({ amount, currency });
    if (problem !== undefined) throw new Problem('amount_invalid', { detail: problem });
    if (amount > captured) throw new Problem('exceeds_refundable');

    const requestedBy = `key:${keyId}`;
    const { threshold, approvalDeadlineMs, remindAfterMs, escalateAfterMs, approvers } = tenant.refunds;
    const request: Omit<RefundRequest, 'seal'> = {
      v: 2,
      requestId: randomUUID(),
      refundId,
      tenantId: tenant.id,
      checkoutId: checkout.checkoutId,
      customerKey,
      paymentIntent,
      rest: body.amount === undefined,
      amount,
      currency,
      reason: body.reason,
      callId: body.call.id,
      ...(body.words !== undefined && { words: body.words }),
      description: checkout.description,
      locale: checkout.locale,
      livemode: checkout.livemode,
      requestHash: '',
      requestedBy,
      requestedBySubject: subject,
      policy: { threshold },
      approval: {
        deadlineMs: approvalDeadlineMs,
        remindAfterMs,
        escalateAfterMs,
        approvers: approvers.map(({ id, tier }) => ({ id, tier })),
      },
      announce: announces(tenant.id),
    };
    const startedBy = await letThrough(client, { ...request, seal: seal.seal(request) });
    const memo = await readRefund(client, tenant.id, refundId);
    if (!memo) throw temporalUnavailable();
    return { repeated: startedBy !== request.requestId, memo };
  };
}

/** What the checkout was paid with, in time or late, and how much that was; minor units. */
async function paymentOf(
  client: Client,
  tenantId: string,
  { checkout, state }: CheckoutMemo,
): Promise<{ paymentIntent: string | undefined; captured: number }> {
  if (state.status === 'paid')
    return { paymentIntent: state.instrument?.paymentIntent, captured: state.amountCaptured };
  const late = isTerminal(state.status)
    ? honouredPayment(await readLatePayments(client, tenantId, checkout.checkoutId))
    : undefined;
  return { paymentIntent: late?.paymentIntent, captured: late?.amount ?? 0 };
}

/** Asks the customer's ledger, which is started if there is none. Returns the request id that the refund was started by. */
async function letThrough(client: Client, request: RefundRequest): Promise<string | undefined> {
  const { tenantId, customerKey } = request;
  for (const until = Date.now() + requestDeadlineMs; Date.now() < until;) {
    // Each time anew: it may be stopped between two tries.
    const before = await readLedger(client, tenantId, customerKey);
    const start = new WithStartWorkflowOperation<typeof refundLedger>(refundLedgerWorkflowType, {
      ...refundLedgerStart(tenantId, customerKey, before),
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    start.workflowHandle().catch(() => undefined);
    try {
      const answer = await client.withDeadline(until, () =>
        client.workflow.executeUpdateWithStart(requestRefund, {
          args: [request],
          startWorkflowOperation: start,
        }),
      );
      return answer.startedBy;
    } catch (error) {
      const type = updateRefusal(error)?.type;
      if (type === 'exceeds_refundable' || type === 'not_refundable') throw new Problem(type);
      // The ledger knows its refunds, so asking again is safe.
      await sleep(busyPauseMs * (1 + Math.random()));
    }
  }
  throw temporalUnavailable();
}
