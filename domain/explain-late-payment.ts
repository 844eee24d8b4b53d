import type { LatePayment, LatePaymentState, LateRefundReason } from './late-payment.js';
import { formatMoney } from './money.js';

const reasons: Record<LateRefundReason, string> = {
  second_payment: 'the purchase has another payment',
  newer_attempt: 'the same purchase was tried again meanwhile',
  amount_differs: 'it is not the amount that was agreed to',
  policy: "it came after the end, and the tenant's policy says so",
};

const time = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');

function inWords({ status, because, refund, attention, at, ...payment }: LatePayment): string {
  const what = `${formatMoney(payment)} (${payment.paymentIntent})`;
  const why = because ? `: ${reasons[because]}` : '';
  const where = refund ? ` At Stripe: ${refund}.` : '';
  switch (status) {
    case 'refunding':
      return `${what} is being given back${why}.${where}`;
    case 'refunded':
      return `${what} was given back at ${time(at)}${why}.${where} The run watches on: a bank may still return it.`;
    case 'honoured':
      return `${what} came after the end and was honoured at ${time(at)}, as the tenant's policy says.`;
    case 'needs_attention':
      return `${what} needs a person: ${attention ?? 'the outcome is not known'}.${where} Once it was given back at Stripe, retry-now reads that.`;
  }
}

/** A few plain sentences for ops: which money came that nobody waited for, and what became of it. */
export function explainLatePayments(
  checkoutId: string,
  { payments }: LatePaymentState,
  signals: { repeated: number; invalid: number },
): string {
  const lines =
    payments.length > 0
      ? payments.map(inWords)
      : [`A payment of ${checkoutId} is being looked into. So far none was found that somebody must act on.`];
  if (signals.invalid > 0) lines.push(`${signals.invalid} signal(s) without a valid form ignored.`);
  return lines.join('\n');
}
