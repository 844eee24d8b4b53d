import { type CheckoutState, isTerminal, type TerminalStatus } from './checkout-state.js';
import type { LatePayment } from './late-payment.js';
import { isRefundOver, type RefundState, type RefundStatus } from './refund-state.js';

/** States of a refund that the tenant's own systems are told of; the others are steps on the way. */
type AnnouncedRefundStatus = Exclude<RefundStatus, 'submitting' | 'submitted' | 'needs_attention'>;

export type TenantEventType =
  `checkout.${TerminalStatus}` | 'checkout.late_payment' | `refund.${AnnouncedRefundStatus}`;

/** One webhook to a tenant's own system: the body that is sent, field names included. Without personal data. */
export interface TenantEvent {
  type: TenantEventType;
  /** When it happened, RFC 3339. */
  timestamp: string;
  /** The resource as the HTTP API renders it, without sentences and free text. */
  data: Readonly<Record<string, unknown>>;
}

/** An event and the id it keeps in every attempt and every resend. */
export interface IdentifiedEvent {
  eventId: string;
  event: TenantEvent;
}

const rfc3339 = (ms: number) => new Date(ms).toISOString();

/** What is told of a checkout that has ended; undefined while it has not. `at`: epoch ms. */
export function checkoutEvent(
  checkout: { checkoutId: string; quoteId: string; amount: number; currency: string; livemode: boolean },
  state: CheckoutState,
  at: number,
): IdentifiedEvent | undefined {
  const { status } = state;
  if (!isTerminal(status)) return undefined;
  const type = `checkout.${status}` as const;
  return {
    // A checkout ends once, so that its id and the type name the event.
    eventId: `${checkout.checkoutId}.${type}`,
    event: {
      type,
      timestamp: rfc3339(at),
      data: {
        checkout_id: checkout.checkoutId,
        quote_id: checkout.quoteId,
        state: status,
        terminal: true,
        version: state.version,
        livemode: checkout.livemode,
        ...(state.reason && { reason: state.reason }),
        ...(state.rail && { rail: state.rail }),
        amount: checkout.amount,
        currency: checkout.currency,
        amount_captured: state.amountCaptured,
        amount_refunded: state.amountRefunded,
        ...(state.confirmationNumber && { confirmation_number: state.confirmationNumber }),
      },
    },
  };
}

/** What is told of money that came for a checkout after its end: once for each thing that becomes of it. */
export function latePaymentEvent(
  checkout: { checkoutId: string; livemode: boolean },
  { paymentIntent, amount, currency, status, because, at, earlier = [] }: LatePayment,
): IdentifiedEvent {
  const type = 'checkout.late_payment';
  const times = earlier.filter((one) => one === status).length + 1;
  return {
    eventId: `${checkout.checkoutId}-${paymentIntent}-${status}${times > 1 ? `-${times}` : ''}.${type}`,
    event: {
      type,
      timestamp: rfc3339(at),
      data: {
        checkout_id: checkout.checkoutId,
        livemode: checkout.livemode,
        late_payment: {
          state: status,
          amount,
          currency,
          payment_intent: paymentIntent,
          ...(because && { because }),
        },
      },
    },
  };
}

/** What is told of a refund in its present state; undefined when that is a step on the way. `at`: epoch ms. */
export function refundEvent(
  refund: {
    refundId: string;
    checkoutId: string;
    amount: number;
    currency: string;
    reason: string;
    livemode: boolean;
    requestHash: string;
    requestedBy: string;
  },
  state: RefundState,
  at: number,
): IdentifiedEvent | undefined {
  const { status, approval } = state;
  if (status === 'submitting' || status === 'submitted' || status === 'needs_attention') return undefined;
  const type = `refund.${status}` as const;
  return {
    // No state of a refund is entered twice.
    eventId: `${refund.refundId}.${type}`,
    event: {
      type,
      timestamp: rfc3339(at),
      data: {
        refund_id: refund.refundId,
        checkout_id: refund.checkoutId,
        state: status,
        terminal: isRefundOver(status),
        version: state.version,
        livemode: refund.livemode,
        amount: refund.amount,
        currency: refund.currency,
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
          },
        }),
        ...(state.failureReason && { failure_reason: state.failureReason }),
      },
    },
  };
}
