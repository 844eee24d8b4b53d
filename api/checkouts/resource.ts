import { z } from 'zod';
import type { CheckoutSummary } from '../../contracts/checkout.js';
import {
  allowedActions,
  type CheckoutState,
  type CheckoutStatus,
  confirmationNumber,
  isTerminal,
} from '../../domain/checkout-state.js';
import { type LatePaymentState, shownLatePayment } from '../../domain/late-payment.js';
import { isRefundOver, owedRefund } from '../../domain/refund-state.js';
import { sayCheckout, sayLatePayment, withFailedRefund } from '../../domain/say.js';
import type { Tenant } from '../../domain/tenant.js';
import { refundStatusSchema } from '../refunds/schemas.js';
import { checkoutStatusSchema, nextSchema, railSchema } from '../schemas.js';
import type { ShownCheckout } from './aftermath.js';

const reasonSchema = z
  .string()
  .meta({ description: 'Why a rail ended without a payment.', example: 'no_response' });

export const checkoutSchema = z
  .object({
    checkout_id: z.string(),
    quote_id: z.string(),
    state: checkoutStatusSchema,
    terminal: z.boolean(),
    version: z.number().meta({ description: 'Grows with every visible change.' }),
    livemode: z.boolean(),
    say: z.string().meta({ description: 'One speakable sentence.' }),
    next: nextSchema,
    reason: reasonSchema.optional(),
    rail: railSchema.optional(),
    rails_left: z.array(railSchema),
    amount: z.number(),
    currency: z.string(),
    description: z.string(),
    amount_captured: z.number(),
    amount_refunded: z.number(),
    confirmation_number: z.string().optional(),
    deadline_at: z.string().optional(),
    allowed: z.array(z.string()).meta({ description: '`cancel`, `rail:<rail>`.' }),
    attempts: z.array(
      z.object({ rail: railSchema, state: z.string(), reason: reasonSchema.optional(), at: z.string() }),
    ),
    late_payment: z
      .object({
        state: z.enum(['refunding', 'refunded', 'honoured', 'needs_attention']),
        amount: z.number(),
        currency: z.string(),
        because: z.string().optional(),
        at: z.string(),
      })
      .optional()
      .meta({ description: 'Money that came after the end, or a second time, and what becomes of it.' }),
    refunds: z
      .array(
        z.object({
          refund_id: z.string(),
          state: refundStatusSchema,
          terminal: z.boolean(),
          amount: z.number(),
          at: z.string().meta({ description: 'When it was asked for.' }),
        }),
      )
      .meta({ description: 'What was asked back of it here, oldest first.' }),
  })
  .meta({ id: 'Checkout' });

export type CheckoutResource = z.output<typeof checkoutSchema>;

const rfc3339 = (ms: number) => new Date(ms).toISOString();

/** How soon asking again is worth it, ms; `?since=` with `wait_ms` answers at the change itself. */
const retryAfter: Partial<Record<CheckoutStatus, number>> = {
  starting: 500,
  sending_link: 500,
  charging: 1_000,
  closing: 1_000,
  awaiting_wallet: 2_000,
  awaiting_link: 5_000,
  processing: 60_000,
};

export function nextAfter(status: CheckoutStatus): z.output<typeof nextSchema> {
  if (isTerminal(status)) return { action: 'done' };
  if (status === 'needs_attention') return { action: 'handoff', retry_after_ms: 60_000 };
  return { action: 'wait', retry_after_ms: retryAfter[status] ?? 1_000 };
}

/** The caller's sentence, in the tenant's words: also of a refund that the bank returned, because its money is owed again. */
function sayShown({ state, checkout, late, refunds = [] }: ShownCheckout, tenant: Tenant): string {
  const told = sayFor(state, checkout, tenant, late);
  const owed = owedRefund(refunds);
  if (!owed) return told;
  const { amount, currency, description } = owed.refund;
  const { locale } = checkout;
  return withFailedRefund(told, {
    money: { amount, currency },
    description,
    locale,
    wording: tenant.wording,
  });
}

/** The caller's sentence for a state, in the tenant's words. Money that came after the end changes what is true. */
export function sayFor(
  state: CheckoutState,
  checkout: CheckoutSummary,
  tenant: Tenant,
  late?: LatePaymentState,
): string {
  const { amount, currency, description, locale } = checkout;
  const sentence = { description, locale, wording: tenant.wording };
  const shown = shownLatePayment(late);
  if (!shown) return sayCheckout(state, { ...sentence, money: { amount, currency } });
  const money = state.status === 'paid' ? { amount, currency } : shown;
  const number = state.confirmationNumber ?? confirmationNumber(checkout.checkoutId);
  return sayLatePayment(state, shown.status, { ...sentence, money, confirmationNumber: number });
}

/** The one rendering of a checkout for agents. */
export function renderCheckout(shownCheckout: ShownCheckout, tenant: Tenant): CheckoutResource {
  const { checkout, state, late, refunds = [] } = shownCheckout;
  const shown = shownLatePayment(late);
  const honoured = shown?.status === 'honoured' ? shown.amount : 0;
  return {
    checkout_id: checkout.checkoutId,
    quote_id: checkout.quoteId,
    state: state.status,
    terminal: isTerminal(state.status),
    version: state.version,
    livemode: checkout.livemode,
    say: sayShown(shownCheckout, tenant),
    next: nextAfter(state.status),
    ...(state.reason && { reason: state.reason }),
    ...(state.rail && { rail: state.rail }),
    rails_left: state.railsLeft,
    amount: checkout.amount,
    currency: checkout.currency,
    description: checkout.description,
    amount_captured: state.amountCaptured + honoured,
    amount_refunded: state.amountRefunded,
    ...(state.confirmationNumber && { confirmation_number: state.confirmationNumber }),
    ...(state.deadlineAt !== undefined && { deadline_at: rfc3339(state.deadlineAt) }),
    allowed: allowedActions(state),
    attempts: state.attempts.map(({ rail, state: outcome, reason, at }) => ({
      rail,
      state: outcome,
      ...(reason && { reason }),
      at: rfc3339(at),
    })),
    ...(shown && {
      late_payment: {
        state: shown.status,
        amount: shown.amount,
        currency: shown.currency,
        ...(shown.because && { because: shown.because }),
        at: rfc3339(shown.at),
      },
    }),
    refunds: refunds.map(({ refund, state: { status }, at }) => ({
      refund_id: refund.refundId,
      state: status,
      terminal: isRefundOver(status),
      amount: refund.amount,
      at: rfc3339(at),
    })),
  };
}
