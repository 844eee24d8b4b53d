import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { encodeToPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { type CheckoutMemo, checkoutWorkflowId } from '../../contracts/checkout.js';
import { type PaymentEvent, paymentEventReceived, tellsOfMoney } from '../../contracts/payment-event.js';
import { paymentRefunded, refundLedgerWorkflowType, refundWorkflowId } from '../../contracts/refund.js';
import { isLateRefundId, paymentOfLateRefund } from '../../contracts/unmatched-payment.js';
import { isTerminal } from '../../domain/checkout-state.js';
import { honouredPayment } from '../../domain/late-payment.js';
import type { Owner } from '../../providers/stripe/ownership.js';
import type { refundLedger } from '../../workflows/refund-ledger.js';
import { readLatePayments, reportLatePayment } from '../checkouts/late-payments.js';
import { readCheckout } from '../checkouts/store.js';
import { Recent } from '../idempotency.js';
import { refundLedgerStart } from '../../contracts/refund-ledger-start.js';
import { Problem } from '../problem.js';
import { readLedger } from '../refunds/ledger.js';
import { isNotFound, readDeadlineMs, temporalUnavailable } from '../runs.js';

export type Effect = 'signaled' | 'duplicate' | 'ignored';

/** Vendors repeat a webhook for three days; within one process most repeats come within the hour. */
const rememberedMs = 3_600_000;

/** An event this soon behind another one of the same checkout is its follower. */
const followerWindowMs = 1_000;

/** When followers look whether the checkout is paid; after the last pause they are signaled like any other. */
const followerPausesMs = [250, 750];

/** Brings verified webhooks to their workflow. Answers only once Temporal has the event; throws `unavailable` before that. */
export class WebhookRelay {
  readonly #client: Client;
  readonly #delivered = new Recent<true>(50_000, rememberedMs);
  readonly #wokenAt = new Recent<number>(10_000, 10_000);
  readonly #looks = new Map<string, Promise<CheckoutMemo | undefined>>();

  constructor(client: Client) {
    this.#client = client;
  }

  async deliver(owner: Owner, event: PaymentEvent): Promise<Effect> {
    const { tenantId, checkoutId, refundId } = owner;
    const ofRefund = event.kind.startsWith('refund.');
    if (ofRefund !== (refundId !== undefined)) return 'ignored';
    if (refundId !== undefined && isLateRefundId(refundId))
      return this.#ofLateRefund(owner, event, paymentOfLateRefund(refundId));
    const workflowId = runOf(owner);
    return this.#once(`${workflowId} ${event.id}`, async () => {
      if (!ofRefund && (await this.#isToldAlready(owner, event, workflowId))) return 'duplicate';
      if (await this.#signal(workflowId, event)) return 'signaled';
      return ofRefund ? 'ignored' : this.#afterTheEnd(tenantId, checkoutId, event);
    });
  }

  /**
   * News of a refund that was made because its payment came late. Whoever looks after that payment reads it: where the run
   * has been stopped or has ended, a new one does, or nobody would hear that a bank returned the money.
   */
  #ofLateRefund({ tenantId, checkoutId }: Owner, event: PaymentEvent, objectId: string): Promise<Effect> {
    return this.#once(`late ${checkoutId} ${event.id}`, async () => {
      const news: PaymentEvent = { ...event, kind: 'payment.succeeded', objectId };
      await reportLatePayment(this.#client, tenantId, checkoutId, news);
      return 'signaled';
    });
  }

  /**
   * A payment makes two or three events at once. The first wakes the run, and what the run then reads tells it all: so a
   * follower waits a moment and is dropped if the checkout is paid by the very object it speaks of. Costs no latency (the
   * first is signaled at once) and saves a signal and a workflow task per payment.
   */
  async #isToldAlready(
    { tenantId, checkoutId }: Owner,
    event: PaymentEvent,
    workflowId: string,
  ): Promise<boolean> {
    const last = this.#wokenAt.get(workflowId);
    this.#wokenAt.set(workflowId, Date.now());
    if (last === undefined || Date.now() - last > followerWindowMs) return false;
    const memo = await this.#lookTogether(tenantId, checkoutId, workflowId);
    return memo !== undefined && isKnown(memo, event);
  }

  /** The checkout at its end, or as it is after the last pause. One look for all followers that wait for it. */
  #lookTogether(tenantId: string, checkoutId: string, workflowId: string): Promise<CheckoutMemo | undefined> {
    const underWay = this.#looks.get(workflowId);
    if (underWay) return underWay;
    const look = async () => {
      let memo: CheckoutMemo | undefined;
      for (const pause of followerPausesMs) {
        await sleep(pause);
        memo = await readCheckout(this.#client, tenantId, checkoutId);
        if (memo && isTerminal(memo.state.status)) break;
      }
      return memo;
    };
    const begun = look().finally(() => this.#looks.delete(workflowId));
    this.#looks.set(workflowId, begun);
    return begun;
  }

  /**
   * Stripe gave money of a payment of ours back, by whomever: the customer's ledger reads the new sum. A payment that is not
   * the checkout's own (a second one, one that came too late) is not in that book: who gives it back follows the refund. While
   * the checkout does not know whose it is, the vendor is to say it again: throws `unavailable`.
   */
  async paymentRefunded(
    { tenantId, checkoutId }: Owner,
    eventId: string,
    paymentIntent: string,
  ): Promise<Effect> {
    return this.#once(`${checkoutId} ${eventId}`, async () => {
      const memo = await readCheckout(this.#client, tenantId, checkoutId);
      if (!memo) return 'ignored';
      if (!isTerminal(memo.state.status)) {
        throw new Problem('unavailable', {
          detail: 'the checkout has not ended yet; repeat later',
          retry_after: 60,
        });
      }
      if (!(await this.#isItsOwn(tenantId, memo, paymentIntent))) return 'ignored';
      const { customerKey } = memo.checkout;
      const before = await readLedger(this.#client, tenantId, customerKey);
      const started = this.#client.withDeadline(Date.now() + readDeadlineMs, () =>
        this.#client.workflow.signalWithStart<
          typeof refundLedger,
          [{ checkoutId: string; paymentIntent: string }]
        >(refundLedgerWorkflowType, {
          ...refundLedgerStart(tenantId, customerKey, before),
          signal: paymentRefunded,
          signalArgs: [{ checkoutId, paymentIntent }],
        }),
      );
      await started.catch(() => {
        throw temporalUnavailable();
      });
      return 'signaled';
    });
  }

  /** Runs a delivery unless this process has made it before. */
  async #once(known: string, delivery: () => Promise<Effect>): Promise<Effect> {
    if (this.#delivered.get(known)) return 'duplicate';
    const effect = await delivery();
    this.#delivered.set(known, true);
    return effect;
  }

  /** False when there is no open run to signal. */
  async #signal(workflowId: string, event: PaymentEvent): Promise<boolean> {
    const { workflowService, options } = this.#client;
    try {
      await this.#client.withDeadline(Date.now() + readDeadlineMs, async () =>
        workflowService.signalWorkflowExecution({
          namespace: options.namespace,
          workflowExecution: { workflowId },
          signalName: paymentEventReceived.name,
          input: { payloads: (await encodeToPayloads(options.loadedDataConverter, event)) ?? [] },
          identity: options.identity,
          // The vendor's event id: the server drops a repetition even if this process has forgotten it.
          requestId: event.id,
        }),
      );
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw temporalUnavailable();
    }
  }

  /** Whether a payment is what the checkout was paid with, in time or late. */
  async #isItsOwn(
    tenantId: string,
    { checkout, state }: CheckoutMemo,
    paymentIntent: string,
  ): Promise<boolean> {
    if (state.status === 'paid') return state.instrument?.paymentIntent === paymentIntent;
    const late = await readLatePayments(this.#client, tenantId, checkout.checkoutId);
    return honouredPayment(late)?.paymentIntent === paymentIntent;
  }

  /**
   * The run is closed or gone. What it knew already is a duplicate, and so is anything that brings no money. Money it does
   * not know of gets a run of its own.
   */
  async #afterTheEnd(tenantId: string, checkoutId: string, event: PaymentEvent): Promise<Effect> {
    if (!tellsOfMoney(event)) return 'ignored';
    const memo = await readCheckout(this.#client, tenantId, checkoutId);
    if (memo && isTerminal(memo.state.status) && isKnown(memo, event)) return 'duplicate';
    await reportLatePayment(this.#client, tenantId, checkoutId, event);
    return 'signaled';
  }
}

/** The run that waits for what happens to an object. */
function runOf({ tenantId, checkoutId, refundId }: Owner): string {
  return refundId === undefined
    ? checkoutWorkflowId(tenantId, checkoutId)
    : refundWorkflowId(tenantId, refundId);
}

/** True when the closed checkout was paid by the very object the event speaks of. */
function isKnown({ state }: CheckoutMemo, { objectId, kind }: PaymentEvent): boolean {
  if (state.status !== 'paid') return false;
  const { authorization, session, paymentIntent } = state.instrument ?? {};
  if (kind.startsWith('payment.')) return objectId === paymentIntent;
  return objectId === (kind.startsWith('session.') ? session : authorization);
}
