import { randomBytes } from 'node:crypto';
import type { RefundGrant, RefundRequest } from '../../contracts/refund.js';
import type { RefundSums } from '../../domain/refund-book.js';
import { type ActivityBench, newCheckout, testOwnership, testSeal } from './activity-bench.js';

/** A refund request as the API seals it: above the threshold, of a payment that Stripe does not know, but for `more`. */
export function sealedRefund(more: Partial<RefundRequest> = {}): RefundRequest {
  const request = {
    ...newCheckout(),
    v: 2 as const,
    requestId: 'request',
    refundId: `rf_${randomBytes(15).toString('hex')}`,
    customerKey: 'cu_1',
    paymentIntent: 'pi_absent1',
    rest: false,
    amount: 8_000,
    currency: 'usd',
    reason: 'requested_by_customer' as const,
    callId: 'call',
    description: 'Growth plan',
    locale: 'en-US',
    livemode: false,
    requestHash: '',
    requestedBy: 'key:asks',
    policy: { threshold: { usd: 5_000 } },
    approval: { deadlineMs: 1, remindAfterMs: 1, escalateAfterMs: 1, approvers: [] },
    announce: false,
    ...more,
  };
  return { ...request, seal: testSeal.seal(request) };
}

/** A payment of a checkout of its own that was paid with a card. */
export async function paid(
  { stripe }: ActivityBench,
  amount: number,
): Promise<Pick<RefundRequest, 'tenantId' | 'checkoutId' | 'paymentIntent'>> {
  const checkout = newCheckout();
  const metadata = testOwnership.mark(checkout);
  const { id } = await stripe.paymentIntents.create({ amount, currency: 'usd', metadata });
  await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
  return { ...checkout, paymentIntent: id };
}

/** A request as a ledger with these sums lets it through. */
export async function grantedRefund(
  bench: ActivityBench,
  more: Partial<RefundRequest>,
  sums: Partial<RefundSums> = {},
  requestedAt = Date.now(),
): Promise<{ request: RefundRequest; grant: RefundGrant | undefined }> {
  const request = sealedRefund(more);
  const examined = await bench.run('examineRefundRequest', {
    request,
    sums: { pendingOfPayment: 0, refundedOfPayment: 0, customerInDay: 0, ...sums },
    requestedAt,
  });
  const grant = examined?.grant;
  return {
    request: { ...request, ...(grant && { amount: grant.amount, requestHash: grant.requestHash }) },
    grant,
  };
}
