import { randomUUID } from 'node:crypto';
import {
  type Client,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  type UpdateDefinition,
} from '@temporalio/client';
import type { z } from 'zod';
import {
  cancelCheckout,
  type CheckoutInput,
  type CheckoutMemo,
  checkoutStarted,
  checkoutWorkflowId,
  checkoutWorkflowType,
  type StartAnswer,
  switchRail,
} from '../../contracts/checkout.js';
import { checkoutStart } from '../../contracts/checkout-start.js';
import { attemptId, attemptOf } from '../../contracts/ids.js';
import { type CheckoutState, isTerminal } from '../../domain/checkout-state.js';
import { planRails, type Rail } from '../../domain/rails.js';
import { honouredPayment } from '../../domain/late-payment.js';
import type { Tenant } from '../../domain/tenant.js';
import type { checkout } from '../../workflows/checkout.js';
import { normalisePhone } from '../contact.js';
import { Problem } from '../problem.js';
import type { Quote, QuoteTokens } from '../quotes/quote-token.js';
import type { cancelRequestSchema, startRequestSchema, switchRequestSchema } from './schemas.js';
import { temporalUnavailable, updateRefusal, updateRun } from '../runs.js';
import { readLatePayments } from './late-payments.js';
import { readCheckout } from './store.js';

export interface CheckoutDependencies {
  client: Client;
  tokens: QuoteTokens;
  announces: (tenantId: string) => boolean;
  livemode: boolean;
}

/** A caller is listening: what is not known by then is answered as it stands. A server too busy to store the start is asked once more. */
const startDeadlinesMs = [1_000, 2_000];

export interface Outcome {
  /** True when an earlier request had done it already. */
  repeated: boolean;
  memo: CheckoutMemo;
}

export function createCheckoutOperations({ client, tokens, announces, livemode }: CheckoutDependencies) {
  async function requireCheckout(tenant: Tenant, checkoutId: string): Promise<CheckoutMemo> {
    const memo = await readCheckout(client, tenant.id, checkoutId);
    if (!memo) throw new Problem('not_found');
    return memo;
  }

  /** The state to answer a repeat with: always the current one, and only if it is the same purchase. */
  async function repeat(tenant: Tenant, { checkout_id, amount, currency }: Quote): Promise<Outcome> {
    const memo = await requireCheckout(tenant, checkout_id);
    const { checkout, state } = memo;
    if (checkout.amount !== amount || checkout.currency !== currency) {
      if (state.status === 'paid') throw new Problem('already_paid', { checkout_id });
      // Over without a payment: the next attempt has another id, so it needs another quote.
      throw new Problem(isTerminal(state.status) ? 'quote_expired' : 'purchase_open', { checkout_id });
    }
    return { repeated: true, memo };
  }

  /** Runs an update; what the run refuses is a problem of the contract. Undefined: the run is closed. */
  async function update<Argument>(
    tenant: Tenant,
    checkoutId: string,
    definition: UpdateDefinition<CheckoutState, [Argument]>,
    options: { args: [Argument]; updateId?: string },
  ): Promise<CheckoutState | undefined> {
    try {
      return await updateRun(client, checkoutWorkflowId(tenant.id, checkoutId), definition, options);
    } catch (error) {
      const type = updateRefusal(error)?.type;
      if (type === 'payment_in_flight' || type === 'rail_unavailable') {
        throw new Problem(type, { checkout_id: checkoutId });
      }
      throw error instanceof Problem || type === 'rail_open' ? error : temporalUnavailable();
    }
  }

  /** Has the run go on with the rail. False: that one is open, or about to be, with this very contact. */
  async function goesOnWith(
    tenant: Tenant,
    checkoutId: string,
    request: { rail: Rail; contact: { phone?: string; email?: string } },
  ): Promise<boolean> {
    const state = await update(tenant, checkoutId, switchRail, { args: [request] }).catch(
      (error: unknown) => {
        if (updateRefusal(error)?.type === 'rail_open') return 'open';
        throw error;
      },
    );
    if (!state) throw new Problem('rail_unavailable', { checkout_id: checkoutId });
    return state !== 'open';
  }

  /**
   * An attempt before may have been paid late, after the quote for this one was given. Asked before the start and once more
   * after it: late money is published and then looks for newer attempts, so one of the two sees the other. What was started
   * meanwhile is stopped.
   */
  async function requireUnpaidBefore(tenant: Tenant, { checkout_id, before = [] }: Quote): Promise<void> {
    const { purchase = '' } = attemptOf(checkout_id) ?? {};
    const earlier = before.map((number) => attemptId(purchase, number));
    const late = await Promise.all(earlier.map((id) => readLatePayments(client, tenant.id, id)));
    const paid = earlier.find((_, index) => honouredPayment(late[index]));
    if (paid === undefined) return;
    await update(tenant, checkout_id, cancelCheckout, { args: [{}], updateId: 'cancel' }).catch(
      (error: unknown) => {
        // It is being paid: too late to stop it, and whoever asks is to know of the other payment.
        if (!(error instanceof Problem && error.code === 'payment_in_flight')) throw error;
      },
    );
    throw new Problem('already_paid', { checkout_id: paid });
  }

  return {
    /** Starts the checkout a quote stands for, or joins it. One round trip to Temporal. */
    async startCheckout(request: z.output<typeof startRequestSchema>, tenant: Tenant): Promise<Outcome> {
      const { expired, ...quote } = await tokens.open(request.quote_token, tenant.id);
      const { amount, currency } = quote;
      if (request.consent.amount !== amount || request.consent.currency !== currency) {
        throw new Problem('consent_mismatch', { checkout_id: quote.checkout_id });
      }
      if (expired) {
        const memo = await readCheckout(client, tenant.id, quote.checkout_id);
        if (!memo) throw new Problem('quote_expired');
        return repeat(tenant, quote);
      }
      await requireUnpaidBefore(tenant, quote);
      const input = toInput(request, quote, tenant, { livemode, announce: announces(tenant.id) });
      const startOptions = checkoutStart(input, Date.now());
      const answered = async (deadlineMs: number): Promise<StartAnswer> => {
        const start = new WithStartWorkflowOperation<typeof checkout>(checkoutWorkflowType, {
          ...startOptions,
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
        });
        start.workflowHandle().catch(() => undefined);
        return client.withDeadline(Date.now() + deadlineMs, () =>
          client.workflow.executeUpdateWithStart(checkoutStarted, {
            updateId: quote.quote_id,
            args: [{ requestId: input.requestId }],
            startWorkflowOperation: start,
          }),
        );
      };
      /** What is known without an answer: by a missing worker the start is durable, by a missing server it may not be. */
      const unanswered = async (): Promise<Outcome | undefined> => {
        const memo = await readCheckout(client, tenant.id, quote.checkout_id);
        if (!memo) return undefined;
        await requireUnpaidBefore(tenant, quote);
        return memo.checkout.startedBy === input.requestId
          ? { repeated: false, memo }
          : repeat(tenant, quote);
      };
      for (const deadlineMs of startDeadlinesMs) {
        try {
          const answer = await answered(deadlineMs);
          const first = answer.requestId === input.requestId && answer.startedBy === input.requestId;
          await requireUnpaidBefore(tenant, quote);
          if (!first) return await repeat(tenant, quote);
          return { repeated: false, memo: { ...startOptions.memo, state: answer.state } };
        } catch (error) {
          if (error instanceof Problem) throw error;
          if (error instanceof WorkflowExecutionAlreadyStartedError) return repeat(tenant, quote);
          const outcome = await unanswered();
          if (outcome) return outcome;
        }
      }
      throw temporalUnavailable();
    },

    requireCheckout,

    /** Stops the checkout. A repeat, or a checkout that ended without money, answers with the state as it is. */
    async cancelCheckout(
      checkoutId: string,
      { reason }: z.output<typeof cancelRequestSchema>,
      tenant: Tenant,
    ): Promise<Outcome> {
      const before = await requireCheckout(tenant, checkoutId);
      const args: [{ reason?: string }] = [reason === undefined ? {} : { reason }];
      const refused = await update(tenant, checkoutId, cancelCheckout, { args, updateId: 'cancel' }).then(
        () => undefined,
        (error: unknown) => error,
      );
      const memo = await requireCheckout(tenant, checkoutId);
      // A run that has come to its end may stay open for a moment, and is not to be canceled any more.
      if (refused !== undefined && !isTerminal(memo.state.status)) throw refused as Error;
      if (memo.state.status === 'paid') throw new Problem('already_paid', { checkout_id: checkoutId });
      return { repeated: before.state.reason === 'canceled' || isTerminal(before.state.status), memo };
    },

    /**
     * Goes on with another rail. Asking again for the rail that is open by now is a repeat, unless with another contact: to
     * that nothing was sent.
     */
    async switchRail(
      checkoutId: string,
      { rail, contact }: z.output<typeof switchRequestSchema>,
      tenant: Tenant,
    ): Promise<Outcome> {
      const { state } = await requireCheckout(tenant, checkoutId);
      const reachable = toContact(contact ?? {}, tenant);
      const open = state.rail === rail && !isTerminal(state.status);
      const repeated =
        (open && Object.keys(reachable).length === 0) ||
        !(await goesOnWith(tenant, checkoutId, { rail, contact: reachable }));
      return { repeated, memo: await requireCheckout(tenant, checkoutId) };
    },
  };
}

function toContact(contact: { phone?: string | undefined; email?: string | undefined }, tenant: Tenant) {
  return {
    ...(contact.phone !== undefined && { phone: normalisePhone(contact.phone, tenant) }),
    ...(contact.email !== undefined && { email: contact.email }),
  };
}

function toInput(
  request: z.output<typeof startRequestSchema>,
  quote: Quote,
  tenant: Tenant,
  { livemode, announce }: Pick<CheckoutInput, 'livemode' | 'announce'>,
): CheckoutInput {
  const { amount, currency } = quote;
  const { phone, email } = quote.contact;
  const contact = { ...toContact({ phone, email }, tenant), ...toContact(request.contact ?? {}, tenant) };
  const plan = planRails({
    money: { amount, currency },
    policy: tenant.rails,
    contact,
    walletMax: tenant.limits.walletMaxAmount,
    only: request.rails,
  });
  if (!plan.some(({ skip }) => skip === undefined)) {
    throw new Problem('rail_unavailable', {
      detail: 'none of the rails can be used: is a phone or e-mail missing?',
    });
  }
  const { confirmed_at, words } = request.consent;
  return {
    v: 1,
    requestId: randomUUID(),
    tenantId: tenant.id,
    checkoutId: quote.checkout_id,
    quoteId: quote.quote_id,
    callId: quote.call_id,
    customerKey: quote.customer_key,
    amount,
    currency,
    description: quote.description,
    livemode,
    locale: quote.locale,
    consent: { amount, currency, confirmedAt: confirmed_at, ...(words !== undefined && { words }) },
    contact,
    plan,
    announce,
  };
}
