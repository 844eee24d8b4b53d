import { randomUUID } from 'node:crypto';
import type { Client, UpdateDefinition } from '@temporalio/client';
import { type CheckoutMemo, checkoutWorkflowId } from '../../contracts/checkout.js';
import { resolveCheckout, resolveRefusals, retryNow, retryRefundNow } from '../../contracts/levers.js';
import { type RefundMemo, refundWorkflowId } from '../../contracts/refund.js';
import { lookAgain } from '../../contracts/unmatched-payment.js';
import type { Principal } from '../authenticate.js';
import { readLatePayments, reportLatePayment } from '../checkouts/late-payments.js';
import { readCheckout } from '../checkouts/store.js';
import { Problem } from '../problem.js';
import { readRefund } from '../refunds/resource.js';
import { temporalUnavailable, updateRefusal, updateRun } from '../runs.js';

/** Stripe is read meanwhile: longer than the run itself waits for it. */
const leverDeadlineMs = 8_000;

/** What ops can do with a run. All of them are safe to repeat. */
export function createLevers(client: Client) {
  /** The present state, or `not_found`. */
  async function found<Memo>(read: () => Promise<Memo | undefined>): Promise<Memo> {
    const memo = await read();
    if (!memo) throw new Problem('not_found');
    return memo;
  }

  /** Undefined: the run is closed. */
  async function retry<State>(
    workflowId: string,
    update: UpdateDefinition<State>,
  ): Promise<State | undefined> {
    try {
      return await updateRun(client, workflowId, update, { args: [], deadlineMs: leverDeadlineMs });
    } catch (error) {
      throw error instanceof Problem ? error : temporalUnavailable();
    }
  }

  return {
    async retryCheckout(tenantId: string, checkoutId: string): Promise<CheckoutMemo> {
      const read = () => readCheckout(client, tenantId, checkoutId);
      await found(read);
      const open = await retry(checkoutWorkflowId(tenantId, checkoutId), retryNow);
      // A checkout that is over learns nothing any more; the run for its late money may.
      const late = open ? undefined : await readLatePayments(client, tenantId, checkoutId);
      const event = late && lookAgain(late, randomUUID());
      if (event) await reportLatePayment(client, tenantId, checkoutId, event);
      return found(read);
    },

    async retryRefund(tenantId: string, refundId: string): Promise<RefundMemo> {
      const read = () => readRefund(client, tenantId, refundId);
      await found(read);
      await retry(refundWorkflowId(tenantId, refundId), retryRefundNow);
      return found(read);
    },

    /** Ends a checkout on the word of ops; what Stripe proves meanwhile stands. A repeat answers with the end as it is. */
    async resolve(
      { tenant, keyId, subject }: Principal,
      checkoutId: string,
      note: string | undefined,
    ): Promise<{ repeated: boolean; memo: CheckoutMemo }> {
      const read = () => found(() => readCheckout(client, tenant.id, checkoutId));
      await read();
      const key = `key:${keyId}`;
      const by = subject === key ? key : `${subject} (${key})`;
      try {
        const state = await updateRun(client, checkoutWorkflowId(tenant.id, checkoutId), resolveCheckout, {
          args: [{ by, ...(note !== undefined && { note }) }],
          deadlineMs: leverDeadlineMs,
        });
        if (state) return { repeated: false, memo: await read() };
      } catch (error) {
        if (error instanceof Problem) throw error;
        const type = resolveRefusals.find((one) => one === updateRefusal(error)?.type);
        if (type === undefined) throw temporalUnavailable();
        if (type === 'stripe_unavailable') {
          throw new Problem('unavailable', { detail: 'Stripe did not answer in time: nothing was resolved' });
        }
        if (type !== 'no_attention_needed') throw new Problem(type, { checkout_id: checkoutId });
      }
      const memo = await read();
      if (!memo.state.resolution) throw new Problem('no_attention_needed', { checkout_id: checkoutId });
      return { repeated: true, memo };
    },
  };
}
