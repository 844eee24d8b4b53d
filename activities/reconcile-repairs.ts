import { Context } from '@temporalio/activity';
import Stripe from 'stripe';
import { checkoutWorkflowId } from '../contracts/checkout.js';
import {
  type PaymentEvent,
  type PaymentEventKind,
  paymentEventReceived,
} from '../contracts/payment-event.js';
import type { ReconciledObject } from '../contracts/reconciliation.js';
import { refundWorkflowId } from '../contracts/refund.js';
import {
  isLateRefundId,
  paymentOfLateRefund,
  unmatchedPaymentWorkflowId,
} from '../contracts/unmatched-payment.js';
import type { Repair } from '../domain/reconcile.js';
import type { Owner } from '../providers/stripe/ownership.js';
import { type ActivityDependencies, onceOnAccount } from './accounts.js';
import { isUnknownRun, readTold } from './checkout-runs.js';
import { isStoredFault } from './failures.js';
import type { createLatePaymentActivities } from './late-payments.js';
import type { createLostRunActivities } from './lost-runs.js';
import type { Pace } from './pacer.js';
import { readLateRun } from './published-runs.js';

/** An object with what it was seen as. */
export interface SeenObject {
  type: ReconciledObject;
  id: string;
  status: string;
}

/** What sets right a checkout that was lost, and money that nobody waits for. */
export type LateRepairs = Pick<ReturnType<typeof createLatePaymentActivities>, 'reportLatePayment'> &
  Pick<ReturnType<typeof createLostRunActivities>, 'restoreCheckout' | 'restoreAttempt' | 'restoreRefund'>;

/** A difference is seen; what is said of it, by what was done. */
export const repairDone: Record<Repair, string> = {
  wake_checkout: 'its open checkout was told to look',
  restore_checkout: 'its checkout was started again',
  report_late_payment: 'it was given to the run for late payments',
  cancel_payment: 'it was canceled',
  expire_page: 'it was shut',
  wake_refund: 'its run was told to look',
  restore_refund: 'its run was started again',
  tell_ledger: "the customer's ledger was told to read it",
  none: 'a person must look',
};

/** How a run is told of a payment. `status`: Stripe's. */
export const paymentNews = (status: string): PaymentEventKind =>
  status === 'processing' ? 'payment.processing' : 'payment.succeeded';

/** What sets differences right. Each is safe to repeat. */
export class Repairs {
  readonly #dependencies: ActivityDependencies;
  readonly #late: LateRepairs;
  readonly #pace: Pace;

  constructor(dependencies: ActivityDependencies, late: LateRepairs, pace: Pace) {
    this.#dependencies = dependencies;
    this.#late = late;
    this.#pace = pace;
  }

  /** False when nothing could be done. */
  async make(owner: Owner, { type, id, status }: SeenObject, repair: Repair): Promise<boolean> {
    const { tenantId, checkoutId, refundId = '' } = owner;
    const ref = { tenantId, checkoutId };
    /** The same for the same news, so that a run takes it once. */
    const event = (kind: PaymentEventKind, objectId = id): PaymentEvent => ({
      v: 1,
      id: `reconcile:${id}:${status}`,
      kind,
      objectId,
    });
    const ofPayment = paymentNews(status);
    switch (repair) {
      case 'wake_checkout': {
        const kind = type === 'approval' ? (`authorization.${status}` as PaymentEventKind) : ofPayment;
        return signal(checkoutWorkflowId(tenantId, checkoutId), event(kind));
      }
      case 'restore_checkout': {
        await this.#pace();
        const paymentIntent = type === 'payment' ? { paymentIntent: id } : {};
        // The pass walks the attempts before it once it has seen all money.
        return (await this.#late.restoreCheckout({ ...ref, ...paymentIntent, alone: true })).restored;
      }
      case 'report_late_payment': {
        const { open, state } = (await readLateRun(tenantId, checkoutId)) ?? {};
        const seen = event(ofPayment, type === 'refund' ? paymentOfLateRefund(refundId) : id);
        // What it was before, and is again, is news.
        const news = { ...seen, id: `${seen.id}:${state?.version ?? 0}` };
        const run = unmatchedPaymentWorkflowId(tenantId, checkoutId);
        if (!open || !(await wasTold(run, news))) await this.#late.reportLatePayment({ ...ref, event: news });
        return true;
      }
      case 'cancel_payment': {
        await this.#pace();
        const once = onceOnAccount(this.#dependencies, ref, 'charge.cancel', 1, id);
        return unlessRefused(() => this.#dependencies.stripe.paymentIntents.cancel(id, {}, once));
      }
      case 'expire_page': {
        await this.#pace();
        const once = onceOnAccount(this.#dependencies, ref, 'link.expire', 1, id);
        // A refusal says that it is no longer open: the second look sees what it became.
        await unlessRefused(() => this.#dependencies.stripe.checkout.sessions.expire(id, {}, once));
        return true;
      }
      case 'wake_refund': {
        const run = isLateRefundId(refundId)
          ? unmatchedPaymentWorkflowId(tenantId, checkoutId)
          : refundWorkflowId(tenantId, refundId);
        return signal(run, event('refund.updated'));
      }
      case 'restore_refund': {
        await this.#pace();
        const made = type === 'refund' ? { refund: id } : {};
        return (await this.#late.restoreRefund({ ...ref, refundId, ...made })).restored;
      }
      case 'tell_ledger':
      case 'none':
        return false;
    }
  }
}

/** A run takes each event once: another signal with the same id would only make its history longer. */
const wasTold = async (workflowId: string, { id }: PaymentEvent) =>
  (await readTold(workflowId)).some((event) => event.id === id);

/** Tells a run once, however many passes and second looks see the same. One that has closed meanwhile is seen at the second look. */
async function signal(workflowId: string, event: PaymentEvent): Promise<true> {
  try {
    if (await wasTold(workflowId, event)) return true;
    await Context.current().client.workflow.getHandle(workflowId).signal(paymentEventReceived, event);
    return true;
  } catch (error) {
    if (isUnknownRun(error)) return true;
    throw error;
  }
}

/** False when Stripe refuses it. A stored fault does not tell what was done: the second look sees it, the next pass has a new key. */
async function unlessRefused(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (isStoredFault(error)) return true;
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
    return false;
  }
}
