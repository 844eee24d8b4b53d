import type Stripe from 'stripe';
import { absent } from './absent.js';
import { StripeRefusal } from './stripe-refusal.js';
import type { IntentRecord } from './stripe-state.js';
import { hashParam } from '../form-params.js';
import { expandObject, findOwned, type StripeRoute, type StripeWorld } from './stripe-world.js';

interface Decline {
  code: string;
  decline_code?: string;
  advice_code?: 'confirm_card_data' | 'do_not_try_again' | 'try_again_later';
  message: string;
}

const refused = (decline_code: string, advice_code?: Decline['advice_code']): Decline => ({
  code: 'card_declined',
  decline_code,
  ...(advice_code === undefined ? {} : { advice_code }),
  message:
    decline_code === 'insufficient_funds' ? 'Your card has insufficient funds.' : 'Your card was declined.',
});

/** Outcomes of a payment attempt that move no money. */
const DECLINES: Record<string, Decline> = {
  declined: refused('generic_decline'),
  generic_decline: refused('generic_decline'),
  insufficient_funds: refused('insufficient_funds', 'try_again_later'),
  lost_card: refused('lost_card', 'do_not_try_again'),
  stolen_card: refused('stolen_card', 'do_not_try_again'),
  fraudulent: refused('fraudulent', 'do_not_try_again'),
  expired_card: { code: 'expired_card', advice_code: 'confirm_card_data', message: 'Your card has expired.' },
  processing_error: {
    code: 'processing_error',
    advice_code: 'try_again_later',
    message: 'An error occurred while processing your card. Try again in a little bit.',
  },
  authentication_required: {
    code: 'authentication_required',
    decline_code: 'authentication_required',
    message: 'Your card was declined. This transaction requires authentication.',
  },
};

export const isOutcome = (outcome: string): boolean =>
  outcome === 'succeeded' || outcome === 'processing' || outcome in DECLINES;

function newCharge(world: StripeWorld, record: IntentRecord, decline: Decline | undefined): Stripe.Charge {
  const intent = record.object;
  const paid = decline === undefined;
  const charge: Stripe.Charge = {
    id: world.newId('ch'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: paid ? intent.amount : 0,
    amount_refunded: 0,
    balance_transaction: paid ? world.newId('txn') : null,
    billing_details: { address: null, email: intent.receipt_email, name: null, phone: null, tax_id: null },
    calculated_statement_descriptor: 'ACME',
    captured: paid,
    created: world.clock.seconds(),
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_code: decline?.code ?? null,
    failure_message: decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: { ...intent.metadata },
    outcome: {
      advice_code: decline?.advice_code ?? null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: paid ? 'approved_by_network' : 'declined_by_network',
      reason: decline?.decline_code ?? null,
      risk_level: 'normal',
      seller_message: paid ? 'Payment complete.' : 'The bank declined the payment.',
      type: paid ? 'authorized' : 'issuer_declined',
    },
    paid,
    payment_intent: intent.id,
    payment_method: world.newId('pm'),
    receipt_email: intent.receipt_email,
    refunded: false,
    status: paid ? 'succeeded' : 'failed',
    ...absent('application application_fee application_fee_amount failure_balance_transaction'),
    ...absent('on_behalf_of payment_method_details receipt_number receipt_url review shipping source'),
    ...absent('source_transfer statement_descriptor statement_descriptor_suffix transfer_data'),
    ...absent('transfer_group'),
  };
  world.state.charges[charge.id] = { account: record.account, object: charge };
  return charge;
}

/**
 * One attempt to pay an intent: money moves only for `succeeded`. A failed attempt leaves a failed charge behind, as at
 * Stripe, so `latest_charge` alone never means paid.
 */
export function attemptPayment(world: StripeWorld, record: IntentRecord, outcome: string): void {
  const intent = record.object;
  if (outcome === 'processing') {
    intent.status = 'processing';
    record.debit = true;
    intent.last_payment_error = null;
    world.emit(record.account, 'payment_intent.processing', intent);
    return;
  }
  const decline = outcome === 'succeeded' ? undefined : (DECLINES[outcome] ?? refused(outcome));
  const charge = newCharge(world, record, decline);
  intent.latest_charge = charge.id;
  if (decline === undefined) {
    intent.status = 'succeeded';
    intent.amount_received = intent.amount;
    intent.payment_method = charge.payment_method;
    intent.last_payment_error = null;
    const { amount, currency } = intent;
    const { account } = record;
    world.book.capture({ source: charge.id, paymentIntent: intent.id, account, amount, currency });
    world.emit(record.account, 'charge.succeeded', charge);
    world.emit(record.account, 'payment_intent.succeeded', intent);
    return;
  }
  intent.status = 'requires_payment_method';
  intent.payment_method = null;
  intent.last_payment_error = {
    type: 'card_error',
    charge: charge.id,
    code: decline.code,
    message: decline.message,
    ...(decline.decline_code === undefined ? {} : { decline_code: decline.decline_code }),
    ...(decline.advice_code === undefined ? {} : { advice_code: decline.advice_code }),
  };
  world.emit(record.account, 'charge.failed', charge);
  world.emit(record.account, 'payment_intent.payment_failed', intent);
}

/** The 402 Stripe answers when a confirmation was declined: the intent is nested in the error. */
export function declineRefusal(intent: Stripe.PaymentIntent): StripeRefusal {
  const error = intent.last_payment_error;
  return new StripeRefusal(
    402,
    {
      type: 'card_error',
      message: error?.message ?? 'Your card was declined.',
      ...(error?.code === undefined ? {} : { code: error.code }),
      ...(error?.decline_code === undefined ? {} : { decline_code: error.decline_code }),
      ...(error?.advice_code === undefined ? {} : { advice_code: error.advice_code }),
      ...(error?.charge === undefined ? {} : { charge: error.charge }),
      payment_intent: { ...intent },
    },
    true,
  );
}

export const chargeRoutes: StripeRoute[] = [
  {
    method: 'POST',
    path: '/v1/charges/:id',
    params: ['metadata[*]', 'expand[#]'],
    handle: (world, call) => {
      const { object: charge } = findOwned(world.state.charges, call, call.id, 'charge', 'id');
      charge.metadata = { ...charge.metadata, ...hashParam(call.params, 'metadata') };
      return expandObject(world, call, charge);
    },
  },
];
