import { Context } from '@temporalio/activity';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type Stripe from 'stripe';
import { type CheckoutInput, checkoutWorkflowType } from '../contracts/checkout.js';
import { checkoutStart } from '../contracts/checkout-start.js';
import { type RefundInput, refundWorkflowType } from '../contracts/refund.js';
import { refundStart } from '../contracts/refund-start.js';
import { isWalletUnanswered } from '../domain/reconcile.js';
import type { RefundReason } from '../domain/refund-policy.js';
import { madeState } from '../domain/refund-state.js';
import { listWalletAnswers } from '../providers/stripe/agent-authorizations.js';
import { type ActivityDependencies, type CheckoutRef, onAccount, tenantOf } from './accounts.js';
import { readCheckoutRecord, readCheckoutRun } from './checkout-runs.js';
import { withVendorFailures } from './failures.js';
import { asLostAttempt, createForgottenCheckouts, type ForgottenInput } from './forgotten-checkouts.js';
import { readRefundRun, readStoppedRefund, type RefundRef } from './refund-runs.js';
import type { TenantWebhookDependencies } from './tenant-webhooks.js';

/** Those that are not the usual one. */
const reasons: readonly RefundReason[] = ['duplicate', 'fraudulent'];

/** The part of a wallet request in an event that is used. */
interface AnsweredRequest {
  id: string;
  metadata?: Stripe.Metadata;
  payment_intent?: string | null;
}

/** The vendor's ids. */
export interface FoundInstruments {
  authorizations: string[];
  sessions: string[];
  paymentIntents: string[];
}

/** Starting runs again that were stopped or lost, and finding what they left at Stripe. */
export function createLostRunActivities(
  dependencies: ActivityDependencies & Pick<TenantWebhookDependencies, 'tenantWebhook'>,
) {
  const { stripe, tenantWebhook, ownership } = dependencies;
  const forgotten = createForgottenCheckouts(dependencies);

  /** What the lost run was started with, or, when nothing of it is left, what Stripe still tells of it. */
  async function lostInput(
    ref: CheckoutRef & { paymentIntent?: string },
  ): Promise<ForgottenInput | undefined> {
    const found = await readCheckoutRun(ref);
    if (found.run === 'open' || found.run === 'ended') return undefined;
    if (found.run === 'broken') {
      const record = await readCheckoutRecord(ref);
      if (!record) return undefined;
      const { input } = record;
      const {
        walletAskedAt: askedAt = record.walletAskedAt,
        namedAuthorization,
        ...before
      } = input.recover ?? { version: 0 };
      const request = record.namedAuthorization ?? namedAuthorization;
      const { session, ...instrument } = found.state.instrument ?? {};
      const authorization = instrument.authorization ?? before.authorization;
      const own = instrument.paymentIntent ?? before.charging;
      const paymentIntent = ref.paymentIntent ?? own ?? before.paymentIntent;
      // What the last one was started again for, too: its place may be taken by other money now.
      const broughtBack = before.paymentIntent === undefined ? [] : [before.paymentIntent];
      const reported = [...(before.reported ?? []), ...record.reported, ...broughtBack];
      const unanswered =
        authorization === undefined && askedAt !== undefined && isWalletUnanswered(found.state, askedAt);
      const recover = {
        ...before,
        ...(authorization && { authorization }),
        ...(session && { session }),
        ...(paymentIntent && { paymentIntent }),
        ...(own && own !== paymentIntent && { charging: own }),
        ...(unanswered && { walletAskedAt: askedAt }),
        ...(unanswered && request !== undefined && { namedAuthorization: request }),
        reported: [...new Set(reported)],
        version: found.state.version,
      };
      return { input: { ...input, plan: [], recover } };
    }
    const { paymentIntent } = ref;
    return paymentIntent === undefined ? undefined : forgotten.inputOf({ ...ref, paymentIntent });
  }

  /** What the run of a refund is started with of which nothing but the refund at Stripe is left: it looks, and may send nothing. */
  async function lostRefundInput(
    ref: CheckoutRef & RefundRef & { refund: string },
  ): Promise<RefundInput | undefined> {
    const expand = { expand: ['payment_intent'] };
    const refund = await stripe.refunds.retrieve(ref.refund, expand, onAccount(dependencies, ref));
    const { payment_intent: intent, amount, currency, created } = refund;
    const owner = ownership.read(refund.metadata);
    if (owner?.tenantId !== ref.tenantId || owner.refundId !== ref.refundId) return undefined;
    if (typeof intent !== 'object' || intent === null) return undefined;
    const customerKey = ownership.read(intent.metadata)?.origin?.customerKey;
    if (customerKey === undefined) return undefined;
    const { tenantId, checkoutId, refundId } = ref;
    const at = created * 1_000;
    return {
      request: {
        v: 2,
        requestId: `restored:${refund.id}`,
        refundId,
        tenantId,
        checkoutId,
        customerKey,
        paymentIntent: intent.id,
        rest: false,
        amount,
        currency,
        reason: reasons.find((one) => one === refund.reason) ?? 'requested_by_customer',
        // Refunds from before these stood in the mark have none.
        ...(owner.asked ?? { requestHash: '', requestedBy: '', callId: '' }),
        description: intent.description ?? 'Payment',
        locale: tenantOf(dependencies, ref).locale,
        livemode: intent.livemode,
        policy: { threshold: {} },
        approval: { deadlineMs: 0, remindAfterMs: 0, escalateAfterMs: 0, approvers: [] },
        announce: tenantWebhook(tenantId) !== undefined,
        seal: '',
      },
      verdict: { kind: 'automatic' },
      requestedAt: at,
      recover: { state: madeState(refund.id, at) },
    };
  }

  return {
    /**
     * Pages and payments that carry this checkout's mark and were made between the two times (epoch ms), and wallet requests
     * that were answered since; without those whose money was given back because it came late. For a run whose keys Stripe may
     * have forgotten: it must not send anything again before it has looked. A wallet request that nobody has answered yet cannot
     * be found.
     */
    async findInstruments(ref: CheckoutRef & { from: number; until: number }): Promise<FoundInstruments> {
      const options = onAccount(dependencies, ref);
      const since = Math.floor(ref.from / 1_000);
      const window = { created: { gte: since, lte: Math.ceil(ref.until / 1_000) }, limit: 100 };
      const isOurs = ({ metadata }: { metadata?: Stripe.Metadata | null | undefined }) => {
        const owner = ownership.read(metadata);
        return owner?.tenantId === ref.tenantId && owner.checkoutId === ref.checkoutId;
      };
      return withVendorFailures(async () => {
        const found: FoundInstruments = { authorizations: [], sessions: [], paymentIntents: [] };
        for (const { data } of await listWalletAnswers(stripe, since, options)) {
          const { id, metadata, payment_intent: intent } = data.object as AnsweredRequest;
          if (!isOurs({ metadata }) || found.authorizations.includes(id)) continue;
          if (!(await forgotten.wasLate(ref, intent))) found.authorizations.push(id);
        }
        for await (const session of stripe.checkout.sessions.list(window, options)) {
          const { payment_intent: intent } = session;
          if (
            !isOurs(session) ||
            (await forgotten.wasLate(ref, typeof intent === 'string' ? intent : intent?.id))
          )
            continue;
          found.sessions.push(session.id);
        }
        for await (const intent of stripe.paymentIntents.list(window, options)) {
          if (isOurs(intent) && !(await forgotten.wasLate(ref, intent.id)))
            found.paymentIntents.push(intent.id);
        }
        return found;
      });
    },

    /**
     * Starts the run of a checkout again that was lost or stopped before its end. False when it is open or has ended, or when
     * too little is known of it. `late`: without the payment, which was begun when the purchase had been tried again.
     * `alone`: whoever asks looks after the attempts before it.
     */
    async restoreCheckout({
      alone,
      ...ref
    }: CheckoutRef & { paymentIntent?: string; alone?: true }): Promise<{ restored: boolean; late?: true }> {
      return withVendorFailures(async () => {
        const lost = await lostInput(ref);
        if (!lost) return { restored: false };
        // First: who is repeated finds the run there, and looks no further.
        if (!alone) for (const earlier of (await lost.before?.()) ?? []) await startAgain(earlier);
        return { ...(await startAgain(lost.input)), ...(lost.late && { late: true }) };
      });
    },

    /**
     * Starts, and so ends, a run for an attempt whose own run was lost, after the model of a later one: its number is taken, so
     * that the purchase is not sold again. False when it is not lost.
     */
    async restoreAttempt({ later, ...ref }: CheckoutRef & { later: string }): Promise<{ restored: boolean }> {
      if ((await readCheckoutRun(ref)).run !== 'gone') return { restored: false };
      const model = await readCheckoutRecord({ tenantId: ref.tenantId, checkoutId: later });
      return model ? startAgain(asLostAttempt(model.input, ref.checkoutId)) : { restored: false };
    },

    /**
     * Starts the run of a refund again that was stopped before its end: it goes on where it was. Or that was lost, where Stripe
     * has the refund: it only follows it. False when too little is known of it.
     */
    async restoreRefund(ref: CheckoutRef & RefundRef & { refund?: string }): Promise<{ restored: boolean }> {
      const { refund } = ref;
      const stopped = await readStoppedRefund(ref);
      const lost = !stopped && refund !== undefined && (await readRefundRun(ref)).run === 'gone';
      const input = lost ? await withVendorFailures(() => lostRefundInput({ ...ref, refund })) : stopped;
      if (!input) return { restored: false };
      try {
        await Context.current().client.workflow.start(refundWorkflowType, {
          ...refundStart(input),
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        });
      } catch (error) {
        // Another pass was faster.
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
      return { restored: true };
    },
  };
}

/** False when the run is open or came to its own end. */
async function startAgain(input: CheckoutInput): Promise<{ restored: boolean }> {
  try {
    await Context.current().client.workflow.start(checkoutWorkflowType, {
      ...checkoutStart(input, Date.now()),
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    });
    return { restored: true };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { restored: false };
    throw error;
  }
}
