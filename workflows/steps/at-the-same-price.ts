import { patched } from '@temporalio/workflow';
import type { PaymentFact } from '../../domain/payment-fact.js';
import type { OpenRail } from '../rails/rail.js';
import type { CheckoutRun } from './checkout-run.js';

/**
 * Money at another price, which the caller agreed to in the call before: it is late money, and not what this run asks for.
 * `since`: the patch before which runs took it for what they wait for.
 */
export function atTheSamePrice(run: CheckoutRun, rail: OpenRail, since?: string): OpenRail {
  const { amount, currency } = run.input;
  const own = (fact: PaymentFact): PaymentFact => {
    if (fact.kind !== 'paid' || (fact.amount === amount && fact.currency === currency)) return fact;
    if (since !== undefined && !patched(since)) return fact;
    run.noteOtherPayment(fact.paymentIntent);
    return { kind: 'dead' };
  };
  return { ...rail, read: async () => own(await rail.read()), close: async () => own(await rail.close()) };
}
