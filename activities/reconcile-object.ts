import { Context } from '@temporalio/activity';
import type Stripe from 'stripe';
import { checkoutWorkflowId, isRestored } from '../contracts/checkout.js';
import { paymentRefunded, refundLedgerWorkflowType, refundWorkflowId } from '../contracts/refund.js';
import { refundLedgerStart } from '../contracts/refund-ledger-start.js';
import type { Difference } from '../contracts/reconciliation.js';
import { isLateRefundId } from '../contracts/unmatched-payment.js';
import { honouredPayment } from '../domain/late-payment.js';
import {
  type DifferenceKind,
  judgeApproval,
  judgeLateRefund,
  judgeOpenPage,
  judgePayment,
  judgeRefund,
  judgeRefundRun,
  type PaymentFacts,
  type Repair,
  type Verdict,
} from '../domain/reconcile.js';
import { isOfPayment } from '../domain/refund-book.js';
import type { Owner } from '../providers/stripe/ownership.js';
import { retrieveAgentAuthorization } from '../providers/stripe/agent-authorizations.js';
import { type ActivityDependencies, onAccount } from './accounts.js';
import { attemptsBeside } from './attempts.js';
import { type CheckoutRunReading, readCheckoutRun, readTold } from './checkout-runs.js';
import { chargeOf, refundsOf } from './charges.js';
import type { Pace } from './pacer.js';
import { readLateRun } from './published-runs.js';
import { readRefundRun, type RefundRunReading } from './refund-runs.js';
import { type LateRepairs, paymentNews, repairDone, Repairs, type SeenObject } from './reconcile-repairs.js';
import {
  lateFacts,
  paymentStatus,
  readLedger,
  refundRunFacts,
  refundStatus,
  runFacts,
} from './reconciliation-facts.js';
import { adoptPayment } from './wallet.js';

/**
 * Looks at one object of a tenant at Stripe, compares it with its run, and does what sets it right. Every function answers
 * with the difference it found, and is safe to repeat. Objects without this tenant's mark are not looked at.
 */
export class ObjectReconciler {
  readonly #dependencies: ActivityDependencies;
  readonly #late: LateRepairs;
  readonly #repairs: Repairs;
  readonly #tenantId: string;
  readonly #pace: Pace;
  /** It has seen a payment whose run was lost and is there again, whoever restored it. */
  sawRestored = false;

  constructor(dependencies: ActivityDependencies, late: LateRepairs, tenantId: string, pace: Pace) {
    this.#dependencies = dependencies;
    this.#late = late;
    this.#repairs = new Repairs(dependencies, late, pace);
    this.#tenantId = tenantId;
    this.#pace = pace;
  }

  /** Whose the object is, if it is this tenant's. */
  ownerOf(metadata: Readonly<Record<string, unknown>> | null | undefined): Owner | undefined {
    const owner = this.#dependencies.ownership.read(metadata);
    return owner?.tenantId === this.#tenantId ? owner : undefined;
  }

  /** `lastly`: whatever else was paid has been looked at. */
  async paymentById(id: string, lastly = false): Promise<Difference | undefined> {
    await this.#pace();
    const { stripe } = this.#dependencies;
    return this.payment(
      await stripe.paymentIntents.retrieve(id, { expand: ['latest_charge'] }, this.#account()),
      lastly,
    );
  }

  /** `intent`: with its charge. */
  async payment(intent: Stripe.PaymentIntent, lastly = false): Promise<Difference | undefined> {
    const owner = this.ownerOf(intent.metadata);
    const status = paymentStatus(intent);
    if (!owner || status === 'dead') return undefined;
    const found = await readCheckoutRun(owner);
    this.sawRestored ||= found.run !== 'gone' && isRestored(found.checkout);
    const charge = chargeOf(intent);
    const refunded = charge !== undefined && charge.amount_refunded >= charge.amount_captured;
    const run = runFacts(found);
    const unmatched = run.run === 'ended' && run.paidBy !== intent.id;
    const late = unmatched ? await readLateRun(this.#tenantId, owner.checkoutId) : undefined;
    const beside = run.run === 'open' && run.status === 'processing' && run.paymentIntent !== intent.id;
    const verdict = judgePayment({
      paymentIntent: intent.id,
      payment: status,
      refunded: status === 'paid' && refunded,
      refundedFor: run.run === 'gone' && refunded ? await this.#refundedFor(owner, intent.id) : undefined,
      ageMs: Date.now() - intent.created * 1_000,
      lastly,
      told: beside && (await this.#wasTold(owner, intent)),
      run,
      late: lateFacts(late, intent.id),
    });
    if (verdict) {
      const difference = await this.#repair(
        owner,
        { type: 'payment', id: intent.id, status: refunded ? 'refunded' : intent.status },
        verdict,
      );
      // A payment of a page cannot be canceled. It can be paid while the page is open, and pages are shut by themselves.
      const isOfPage = verdict.repair === 'cancel_payment' && difference.outcome === 'reported';
      return isOfPage ? undefined : difference;
    }
    const own = !unmatched || (late && honouredPayment(late.state)?.paymentIntent === intent.id);
    if (!charge || charge.amount_refunded === 0 || !own || run.run !== 'ended') return undefined;
    return this.#ledger(owner, found, intent.id, charge);
  }

  /** Attempts before the one that was paid, or may be, whose runs are gone too: without them their numbers would be sold again. */
  async earlierAttempts({ id, metadata }: Stripe.PaymentIntent): Promise<Difference[]> {
    const owner = this.ownerOf(metadata);
    const run = owner && runFacts(await readCheckoutRun(owner));
    // One that was just started again may not have found its payment yet: its number is taken all the same.
    const counts = run?.run === 'open' || (run?.run === 'ended' && run.paidBy === id);
    if (!counts || !owner) return [];
    const differences: Difference[] = [];
    for (const checkoutId of attemptsBeside(owner.checkoutId)) {
      const ref = { tenantId: this.#tenantId, checkoutId };
      if (!(await this.#late.restoreAttempt({ ...ref, later: owner.checkoutId })).restored) continue;
      const object = {
        type: 'run',
        id: checkoutWorkflowId(this.#tenantId, checkoutId),
        status: 'lost',
      } as const;
      const verdict = { kind: 'attempt_lost', repair: 'restore_checkout' } as const;
      differences.push(this.#difference(ref, object, verdict, 'waiting'));
    }
    return differences;
  }

  async pageById(id: string, settling = false): Promise<Difference | undefined> {
    await this.#pace();
    const session = await this.#dependencies.stripe.checkout.sessions.retrieve(id, {}, this.#account());
    if (session.status === 'open') return this.page(session, settling);
    const { payment_intent: intent } = session;
    return typeof intent === 'string' && this.ownerOf(session.metadata)
      ? this.paymentById(intent)
      : undefined;
  }

  async page(session: Stripe.Checkout.Session, settling: boolean): Promise<Difference | undefined> {
    const owner = this.ownerOf(session.metadata);
    if (!owner) return undefined;
    const verdict = judgeOpenPage(session.id, runFacts(await readCheckoutRun(owner)), settling);
    return verdict && this.#repair(owner, { type: 'page', id: session.id, status: 'open' }, verdict);
  }

  async approvalById(id: string): Promise<Difference | undefined> {
    await this.#pace();
    const { stripe } = this.#dependencies;
    const authorization = await retrieveAgentAuthorization(stripe, id, this.#account());
    const owner = this.ownerOf(authorization.metadata);
    if (!owner) return undefined;
    const { status, payment_intent: intent } = authorization;
    const run = runFacts(await readCheckoutRun(owner));
    const answered = status === 'approved' || status === 'declined' ? status : 'other';
    const verdict = judgeApproval(id, run, answered);
    if (verdict) return this.#repair(owner, { type: 'approval', id, status }, verdict);
    if (status !== 'approved' || intent === null || run.run === 'open') return undefined;
    await this.#pace();
    await adoptPayment(this.#dependencies, intent, owner);
    return this.paymentById(intent);
  }

  /** A wallet request that was approved, unless its open run knows, or one was paid by it. `metadata`: its own. */
  async approvalIfLost({
    id,
    metadata,
  }: {
    id: string;
    metadata?: Record<string, string>;
  }): Promise<Difference | undefined> {
    const owner = this.ownerOf(metadata);
    const found = owner && (await readCheckoutRun(owner));
    if (!found) return undefined;
    if (found.run === 'open' && !judgeApproval(id, runFacts(found), 'approved')) return undefined;
    const paidByIt =
      found.run === 'ended' && found.state.status === 'paid' && found.state.instrument?.authorization === id;
    return paidByIt ? undefined : this.approvalById(id);
  }

  async refundById(id: string): Promise<Difference | undefined> {
    await this.#pace();
    const expand = { expand: ['payment_intent', 'charge'] };
    return this.refund(await this.#dependencies.stripe.refunds.retrieve(id, expand, this.#account()));
  }

  /** `refund`: with its payment and charge. By whomever it was made: it changes what is left of a payment of ours. */
  async refund(refund: Stripe.Refund): Promise<Difference | undefined> {
    const { payment_intent: intent, charge } = refund;
    if (typeof intent !== 'object' || intent === null || typeof charge !== 'object' || charge === null)
      return undefined;
    const owner = this.ownerOf(intent.metadata);
    if (!owner) return undefined;
    const { checkoutId } = owner;
    const made = this.ownerOf(refund.metadata);
    const refundId = made?.checkoutId === checkoutId ? made.refundId : undefined;
    const late = await readLateRun(this.#tenantId, checkoutId);
    if (refundId !== undefined) {
      const atStripe = refundStatus(refund);
      const verdict = isLateRefundId(refundId)
        ? judgeLateRefund(
            atStripe,
            lateFacts(late, intent.id),
            charge.amount_refunded >= charge.amount_captured,
          )
        : judgeRefund(atStripe, refundRunFacts(await readRefundRun({ tenantId: this.#tenantId, refundId })));
      if (verdict) {
        const object = { type: 'refund', id: refund.id, status: refund.status ?? 'pending' } as const;
        return this.#repair({ ...owner, refundId }, object, verdict);
      }
    }
    const found = await readCheckoutRun(owner);
    const run = runFacts(found);
    const paidBy = run.run === 'ended' ? run.paidBy : undefined;
    if (intent.id !== (paidBy ?? honouredPayment(late?.state)?.paymentIntent)) {
      // It came late, and was given back by hand: what the bank returns of it is with us again.
      return refundId === undefined ? this.paymentById(intent.id, true) : undefined;
    }
    return this.#ledger(owner, found, intent.id, charge);
  }

  /** A checkout's run that was stopped. */
  async stoppedCheckout(checkoutId: string): Promise<Difference | undefined> {
    const owner = { tenantId: this.#tenantId, checkoutId };
    const found = await readCheckoutRun(owner);
    if (found.run !== 'broken') return undefined;
    const object = { type: 'run', id: checkoutWorkflowId(this.#tenantId, checkoutId) } as const;
    const status = found.state.status;
    return this.#repair(
      owner,
      { ...object, status },
      { kind: 'checkout_stopped', repair: 'restore_checkout' },
    );
  }

  /** A refund's run that was stopped. */
  async stoppedRefund(refundId: string, found: RefundRunReading): Promise<Difference | undefined> {
    const verdict = judgeRefundRun(refundRunFacts(found));
    if (!verdict || found.run === 'gone') return undefined;
    const { checkoutId, state } = found;
    const object = { type: 'run', id: refundWorkflowId(this.#tenantId, refundId) } as const;
    return this.#repair(
      { tenantId: this.#tenantId, checkoutId, refundId },
      { ...object, status: state.status },
      verdict,
    );
  }

  async #ledger(
    owner: Owner,
    found: CheckoutRunReading,
    paymentIntent: string,
    charge: Stripe.Charge,
  ): Promise<Difference | undefined> {
    const customerKey = found.run === 'gone' ? owner.origin?.customerKey : found.checkout.customerKey;
    if (customerKey === undefined) return undefined;
    const ledger = await readLedger(this.#tenantId, customerKey);
    const shown = ledger?.refunded?.[owner.checkoutId];
    const known = shown && isOfPayment(shown, paymentIntent) ? shown.amount : 0;
    if (known === charge.amount_refunded) return undefined;
    await Context.current().client.workflow.signalWithStart(refundLedgerWorkflowType, {
      ...refundLedgerStart(this.#tenantId, customerKey, ledger),
      signal: paymentRefunded,
      signalArgs: [{ checkoutId: owner.checkoutId, paymentIntent }],
    });
    const object = {
      type: 'payment',
      id: paymentIntent,
      status: `${charge.amount_refunded} refunded`,
    } as const;
    return this.#difference(owner, object, { kind: 'refunded_sum', repair: 'tell_ledger' }, 'waiting');
  }

  async #wasTold(owner: Owner, { id, status }: Stripe.PaymentIntent): Promise<boolean> {
    const told = await readTold(checkoutWorkflowId(this.#tenantId, owner.checkoutId));
    return told.some(({ kind, objectId }) => objectId === id && kind === paymentNews(status));
  }

  async #refundedFor(owner: Owner, paymentIntent: string): Promise<PaymentFacts['refundedFor']> {
    await this.#pace();
    const refunds = await refundsOf(this.#dependencies, { ...owner, paymentIntent });
    const ids = refunds.flatMap(({ refundId }) => refundId ?? []);
    if (ids.some(isLateRefundId)) return 'late';
    return ids.length > 0 ? 'request' : 'hand';
  }

  async #repair(owner: Owner, object: SeenObject, verdict: Verdict): Promise<Difference> {
    const helped = await this.#repairs.make(owner, object, verdict.repair);
    return this.#difference(owner, object, verdict, helped ? 'waiting' : 'reported');
  }

  #difference(
    { checkoutId, refundId }: Pick<Owner, 'checkoutId' | 'refundId'>,
    { type, id, status }: SeenObject,
    { kind, repair }: { kind: DifferenceKind; repair: Repair },
    outcome: Difference['outcome'],
  ): Difference {
    const what =
      outcome === 'reported' && repair !== 'none' ? 'this could not be set right' : repairDone[repair];
    return {
      kind,
      type,
      object: id,
      checkoutId,
      ...(refundId !== undefined && { refundId }),
      outcome,
      detail: `${status}: ${what}`,
    };
  }

  #account(): Stripe.RequestOptions {
    return onAccount(this.#dependencies, { tenantId: this.#tenantId, checkoutId: '' });
  }
}
