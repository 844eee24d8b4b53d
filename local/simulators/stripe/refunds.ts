import type Stripe from 'stripe';
import { hashParam } from '../form-params.js';
import { absent } from './absent.js';
import { invalidParam, wrongState } from './stripe-refusal.js';
import type { Owned } from './stripe-state.js';
import {
  LIST_PARAMS,
  amountParam,
  expandList,
  expandObject,
  findOwned,
  listPage,
  type StripeCall,
  type StripeRoute,
  type StripeWorld,
} from './stripe-world.js';

/** Source: docs.stripe.com/currencies#three-decimal. */
const THREE_DECIMALS = ['bhd', 'jod', 'kwd', 'omr', 'tnd'];

const REASONS = ['duplicate', 'fraudulent', 'requested_by_customer'];

function chargeToRefund(world: StripeWorld, call: StripeCall): Stripe.Charge {
  const intentId = call.params.get('payment_intent');
  const chargeId = call.params.get('charge');
  if ((intentId === undefined) === (chargeId === undefined)) {
    throw invalidParam('charge', 'One of the following params should be provided: charge or payment_intent.');
  }
  if (chargeId !== undefined)
    return findOwned(world.state.charges, call, chargeId, 'charge', 'charge').object;
  const intent = findOwned(
    world.state.intents,
    call,
    intentId ?? '',
    'payment_intent',
    'payment_intent',
  ).object;
  const latest =
    typeof intent.latest_charge === 'string' ? world.state.charges[intent.latest_charge] : undefined;
  if (intent.status !== 'succeeded' || latest === undefined) {
    const message = 'This PaymentIntent does not have a successful charge to refund.';
    throw wrongState('payment_intent_unexpected_state', message, intent);
  }
  return latest.object;
}

function createRefund(world: StripeWorld, call: StripeCall): object {
  const { params } = call;
  const reason = params.get('reason') ?? null;
  if (reason !== null && !REASONS.includes(reason)) throw invalidParam('reason', `Invalid reason: ${reason}`);
  const given = params.has('amount') ? amountParam(params, 'amount') : undefined;
  const charge = chargeToRefund(world, call);
  if (given !== undefined && THREE_DECIMALS.includes(charge.currency) && given % 10 !== 0) {
    throw invalidParam('amount', 'The last digit of an amount in a three-decimal currency must be 0.');
  }
  if (!charge.paid) throw wrongState('charge_not_refundable', `Charge ${charge.id} has not succeeded.`);
  if (charge.disputed) throw wrongState('charge_disputed', `Charge ${charge.id} has been charged back.`);
  const left = charge.amount_captured - charge.amount_refunded;
  if (left === 0) {
    throw wrongState('charge_already_refunded', `Charge ${charge.id} has already been refunded.`);
  }
  const amount = given ?? left;
  if (amount > left) {
    throw invalidParam(
      'amount',
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left}).`,
      'amount_too_large',
    );
  }
  const refund: Stripe.Refund = {
    id: world.newId('re'),
    object: 'refund',
    amount,
    balance_transaction: world.newId('txn'),
    charge: charge.id,
    created: world.clock.seconds(),
    currency: charge.currency,
    metadata: hashParam(params, 'metadata'),
    payment_intent: typeof charge.payment_intent === 'string' ? charge.payment_intent : null,
    payment_method: charge.payment_method,
    reason,
    status: isOfDebit(world, charge) ? 'pending' : 'succeeded',
    ...absent('customer customer_account receipt_number source_transfer_reversal transfer_reversal'),
  };
  world.state.refunds[refund.id] = { account: call.account, object: refund };
  world.book.refund(movementOf(refund, call.account));
  charge.amount_refunded += amount;
  charge.refunded = charge.amount_refunded === charge.amount_captured;
  world.emit(call.account, 'refund.created', refund);
  world.emit(call.account, 'charge.refunded', charge);
  if (refund.status === 'succeeded') world.emit(call.account, 'refund.updated', refund);
  return expandObject(world, call, refund);
}

/** A debit goes back as slowly as it came. Source: docs.stripe.com/api/refunds/object, `status`. */
const isOfDebit = (world: StripeWorld, { payment_intent: intent }: Stripe.Charge): boolean =>
  typeof intent === 'string' && world.state.intents[intent]?.debit === true;

const movementOf = ({ id, payment_intent, amount, currency }: Stripe.Refund, account: string | null) => ({
  source: id,
  paymentIntent: typeof payment_intent === 'string' ? payment_intent : '',
  ...{ account, amount, currency },
});

/** The bank's later answer to a refund that is under way; anything but `succeeded` returns it. */
export function settleRefund(world: StripeWorld, record: Owned<Stripe.Refund>, outcome: string): void {
  const refund = record.object;
  if (refund.status !== 'pending')
    throw wrongState('refund_not_pending', `This refund is ${refund.status ?? 'gone'}.`);
  if (outcome !== 'succeeded') return failRefund(world, record);
  refund.status = 'succeeded';
  world.emit(record.account, 'refund.updated', refund);
}

/** The bank returns a refund, possibly days later: the money is ours again. */
export function failRefund(world: StripeWorld, record: Owned<Stripe.Refund>): void {
  const refund = record.object;
  if (refund.status !== 'succeeded' && refund.status !== 'pending')
    throw wrongState('refund_not_failable', `This refund is ${refund.status ?? 'gone'}.`);
  refund.status = 'failed';
  refund.failure_reason = 'lost_or_stolen_card';
  const charge = typeof refund.charge === 'string' ? world.state.charges[refund.charge]?.object : undefined;
  if (charge !== undefined) {
    charge.amount_refunded -= refund.amount;
    charge.refunded = false;
  }
  world.book.failedRefund(movementOf(refund, record.account));
  world.emit(record.account, 'refund.failed', refund);
  world.emit(record.account, 'refund.updated', refund);
}

function listRefunds(world: StripeWorld, call: StripeCall): object {
  const objects = Object.values(world.state.refunds)
    .filter((record) => record.account === call.account)
    .map((record) => record.object)
    .filter((r) => r.payment_intent === (call.params.get('payment_intent') ?? r.payment_intent))
    .filter((r) => r.charge === (call.params.get('charge') ?? r.charge));
  return expandList(world, call, listPage(call, '/v1/refunds', objects));
}

export const refundRoutes: StripeRoute[] = [
  {
    method: 'POST',
    path: '/v1/refunds',
    params: ['payment_intent', 'charge', 'amount', 'reason', 'metadata[*]', 'expand[#]'],
    handle: createRefund,
  },
  {
    method: 'GET',
    path: '/v1/refunds',
    params: [...LIST_PARAMS, 'payment_intent', 'charge'],
    handle: listRefunds,
  },
  {
    method: 'GET',
    path: '/v1/refunds/:id',
    params: ['expand[#]'],
    handle: (world, call) =>
      expandObject(world, call, findOwned(world.state.refunds, call, call.id, 'refund').object),
  },
];
