import { CancellationScope, log, patched } from '@temporalio/workflow';
import type { CheckoutInput } from '../../contracts/checkout.js';
import type { RefundRequest } from '../../contracts/refund.js';
import type { UnmatchedPaymentInput } from '../../contracts/unmatched-payment.js';
import type { CheckoutState } from '../../domain/checkout-state.js';
import type { LatePayment } from '../../domain/late-payment.js';
import type { RefundState } from '../../domain/refund-state.js';
import {
  checkoutEvent,
  type IdentifiedEvent,
  latePaymentEvent,
  refundEvent,
} from '../../domain/tenant-event.js';
import { startWebhookDelivery, startWebhookDeliveryAtOnce } from './effects.js';

/** Sees to it that the tenant's own system is told how the checkout ended, if it wants to know. */
export async function announceCheckout(input: CheckoutInput, state: CheckoutState): Promise<void> {
  if (input.announce) await announce(input.tenantId, checkoutEvent(input, state, Date.now()));
}

/** Sees to it that the tenant's own system is told what state the refund is in now, if it wants to know. */
export async function announceRefund(request: RefundRequest, state: RefundState): Promise<void> {
  if (request.announce) await announce(request.tenantId, refundEvent(request, state, Date.now()));
}

/** Sees to it that the tenant's own system is told what becomes of a payment that came late. */
export async function announceLatePayment(
  { tenantId, checkoutId }: UnmatchedPaymentInput,
  payment: LatePayment,
  livemode: boolean,
): Promise<void> {
  await announce(tenantId, latePaymentEvent({ checkoutId, livemode }, payment));
}

/** Starts the delivery as a run of its own, which outlives this one. Whatever goes wrong with it changes nothing here. */
async function announce(tenantId: string, identified: IdentifiedEvent | undefined): Promise<void> {
  if (!identified) return;
  const start = patched('announced-once-it-stands') ? startWebhookDelivery : startWebhookDeliveryAtOnce;
  try {
    await CancellationScope.nonCancellable(() => start({ v: 1, tenantId, ...identified }));
  } catch {
    log.error('a webhook could not be announced', { tenant: tenantId, event: identified.eventId });
  }
}
