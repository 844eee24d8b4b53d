import { checkoutWorkflowId } from '../contracts/checkout.js';
import type { Difference, ReconciliationSource } from '../contracts/reconciliation.js';
import { refundWorkflowId } from '../contracts/refund.js';
import { unmatchedPaymentWorkflowId } from '../contracts/unmatched-payment.js';
import { type DifferenceKind, isCheckoutOverdue, isRefundStuck } from '../domain/reconcile.js';
import { readCheckoutRun } from './checkout-runs.js';
import type { ObjectReconciler } from './reconcile-object.js';
import { readLateRun } from './published-runs.js';
import { idInWorkflow } from './reconciliation-facts.js';
import { readRefundRun } from './refund-runs.js';
import { announceEnd, announceLatePayments, announceRefund } from './tenant-webhooks.js';

/** Looks at runs that Temporal lists, for what Stripe's lists do not show. */
export class RunReconciler {
  readonly #objects: ObjectReconciler;
  readonly #tenantId: string;

  constructor(objects: ObjectReconciler, tenantId: string) {
    this.#objects = objects;
    this.#tenantId = tenantId;
  }

  /** `id`: of the checkout or the refund. */
  async look(source: ReconciliationSource, id: string, graceMs: number): Promise<Difference | undefined> {
    switch (source) {
      case 'checkouts_stopped':
        await announceEnd({ tenantId: this.#tenantId, checkoutId: id });
        return this.#objects.stoppedCheckout(id);
      case 'checkouts_open':
        return this.#openCheckout(id, graceMs);
      case 'refunds_open':
        return this.#refund(id, graceMs);
      default:
        return this.#latePayments(id);
    }
  }

  /** As `look`, a moment later: what then still needs a person is reported. `seen`: what it was before. */
  async lookAgain(workflowId: string, seen: DifferenceKind): Promise<Difference | undefined> {
    const found = await this.#lookAgain(workflowId);
    if (found?.outcome !== 'waiting') return found;
    // A run that was started again first looks into what the stopped one left.
    if (found.kind === 'checkout_stopped' || found.detail === 'run_lost' || seen === 'refund_stopped')
      return found;
    return { ...found, outcome: 'reported' };
  }

  async #lookAgain(workflowId: string): Promise<Difference | undefined> {
    const id = idInWorkflow(workflowId);
    if (workflowId === refundWorkflowId(this.#tenantId, id)) return this.#refund(id, 0);
    if (workflowId === unmatchedPaymentWorkflowId(this.#tenantId, id)) return this.#latePayments(id);
    return (await this.#objects.stoppedCheckout(id)) ?? this.#openCheckout(id, 0);
  }

  async #openCheckout(checkoutId: string, graceMs: number): Promise<Difference | undefined> {
    const found = await readCheckoutRun({ tenantId: this.#tenantId, checkoutId });
    if (found.run !== 'open') return undefined;
    const { status, attention, events } = found.state;
    const changedAt = events.at(-1)?.at ?? Date.now();
    const object = checkoutWorkflowId(this.#tenantId, checkoutId);
    const age = Date.now() - changedAt;
    if (status === 'needs_attention' && age >= graceMs)
      return person('checkout_needs_attention', object, { checkoutId }, attention ?? status);
    if (isCheckoutOverdue(status, age))
      return person('checkout_overdue', object, { checkoutId }, `${status} since ${iso(changedAt)}`);
    return undefined;
  }

  async #refund(refundId: string, graceMs: number): Promise<Difference | undefined> {
    const ref = { tenantId: this.#tenantId, refundId };
    const found = await readRefundRun(ref);
    if (found.run !== 'open') {
      if (found.run === 'broken') await announceRefund(ref);
      return this.#objects.stoppedRefund(refundId, found);
    }
    const { checkoutId, startedAt } = found;
    const { status, event, failureReason } = found.state;
    const object = refundWorkflowId(this.#tenantId, refundId);
    // A run that was started again has only begun.
    const age = Date.now() - Math.max(event.at, startedAt);
    return isRefundStuck(status, age, graceMs)
      ? person('refund_needs_attention', object, { checkoutId, refundId }, failureReason ?? status)
      : undefined;
  }

  async #latePayments(checkoutId: string): Promise<Difference | undefined> {
    const late = await readLateRun(this.#tenantId, checkoutId);
    if (!late) return undefined;
    const { payments } = late.state;
    if (late.stopped) await announceLatePayments({ tenantId: this.#tenantId, checkoutId }, payments);
    for (const { paymentIntent, status } of payments) {
      if (status !== 'needs_attention' && status !== 'refunding') continue;
      const found = await this.#objects.paymentById(paymentIntent);
      if (found) return found;
    }
    return undefined;
  }
}

const iso = (ms: number) => new Date(ms).toISOString();

/** Only a person can settle it. It is looked at once more before anybody is told: it may have just begun. */
function person(
  kind: DifferenceKind,
  object: string,
  about: { checkoutId?: string; refundId?: string },
  detail: string,
): Difference {
  return { kind, type: 'run', object, ...about, outcome: 'waiting', detail };
}
