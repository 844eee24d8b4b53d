import type Stripe from 'stripe';
import { hashParam, type FormParams } from '../form-params.js';
import { absent } from './absent.js';
import { attemptPayment, declineRefusal } from './charges.js';
import { invalidParam, missingObject, wrongState } from './stripe-refusal.js';
import type { IntentRecord } from './stripe-state.js';
import {
  LIST_PARAMS,
  amountParam,
  currencyParam,
  expandList,
  expandObject,
  findOwned,
  listPage,
  type StripeCall,
  type StripeRoute,
  type StripeWorld,
} from './stripe-world.js';

/** Test payment methods and what they do. A token brings any other outcome. */
const METHODS: Record<string, string> = {
  pm_card_visa: 'succeeded',
  pm_card_visa_chargeDeclined: 'declined',
};

const UNEXPECTED = 'payment_intent_unexpected_state';
const findIntent = (world: StripeWorld, call: StripeCall): IntentRecord =>
  findOwned(world.state.intents, call, call.id, 'payment_intent', 'intent');

export function newIntent(
  world: StripeWorld,
  account: string | null,
  given: {
    amount: number;
    currency: string;
    metadata: Record<string, string>;
    description: string | null;
    session?: string;
    receiptEmail?: string | null;
  },
): IntentRecord {
  const id = world.newId('pi');
  const intent: Stripe.PaymentIntent = {
    id,
    object: 'payment_intent',
    amount: given.amount,
    amount_capturable: 0,
    amount_received: 0,
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    capture_method: 'automatic_async',
    client_secret: `${id}_secret_${world.newId('s').slice(2)}`,
    confirmation_method: 'automatic',
    created: world.clock.seconds(),
    currency: given.currency,
    description: given.description,
    livemode: false,
    metadata: { ...given.metadata },
    payment_method_options: {},
    payment_method_types: ['card', 'link'],
    receipt_email: given.receiptEmail ?? null,
    status: 'requires_payment_method',
    ...absent('allowed_payment_method_types application application_fee_amount canceled_at'),
    ...absent('cancellation_reason customer customer_account excluded_payment_method_types'),
    ...absent('last_payment_error latest_charge managed_payments next_action on_behalf_of'),
    ...absent('payment_method payment_method_configuration_details payment_record processing review'),
    ...absent('setup_future_usage shipping source statement_descriptor statement_descriptor_suffix'),
    ...absent('transfer_data transfer_group'),
  };
  const record: IntentRecord = { account, object: intent, session: given.session ?? null };
  world.state.intents[id] = record;
  world.emit(account, 'payment_intent.created', intent);
  return record;
}

/** The outcome that the presented token or test method brings; spends the token. */
function presentMethod(world: StripeWorld, record: IntentRecord, params: FormParams): string {
  const intent = record.object;
  const tokenParam = 'payment_method_data[shared_payment_granted_token]';
  const tokenId = params.get(tokenParam);
  if (tokenId !== undefined) {
    const token = world.state.tokens[tokenId];
    if (token === undefined || token.account !== record.account) {
      throw missingObject('shared payment granted token', tokenId, tokenParam);
    }
    if (token.spent || token.expires_at <= world.clock.seconds()) {
      throw wrongState(
        'shared_payment_granted_token_deactivated',
        'This token was already used or has expired.',
        intent,
      );
    }
    if (token.amount < intent.amount || token.currency !== intent.currency) {
      throw wrongState(
        'shared_payment_granted_token_limit',
        'The amount is beyond the usage limits of the token.',
        intent,
      );
    }
    token.spent = true;
    return token.outcome;
  }
  const method = params.get('payment_method');
  if (method === undefined)
    throw wrongState(UNEXPECTED, 'This PaymentIntent is missing a payment method.', intent);
  const outcome = METHODS[method];
  if (outcome === undefined) throw missingObject('PaymentMethod', method, 'payment_method');
  return outcome;
}

function confirmIntent(world: StripeWorld, record: IntentRecord, params: FormParams): void {
  const intent = record.object;
  if (record.session !== null) {
    const message = 'This PaymentIntent was created by a Checkout Session and cannot be confirmed directly.';
    throw wrongState(UNEXPECTED, message, intent);
  }
  if (intent.status !== 'requires_payment_method') {
    const message = `This PaymentIntent's status is ${intent.status}: it cannot be confirmed.`;
    throw wrongState(UNEXPECTED, message, intent);
  }
  attemptPayment(world, record, presentMethod(world, record, params));
  if (intent.last_payment_error !== null) throw declineRefusal(intent);
}

function createIntent(world: StripeWorld, call: StripeCall): object {
  const { params } = call;
  const amount = amountParam(params, 'amount');
  const currency = currencyParam(params, 'currency');
  if (currency === 'usd' && amount < 50) {
    throw invalidParam('amount', 'Amount must be at least $0.50 usd', 'amount_too_small');
  }
  const record = newIntent(world, call.account, {
    amount,
    currency,
    metadata: hashParam(params, 'metadata'),
    description: params.get('description') ?? null,
  });
  return expandObject(world, call, record.object);
}

/** Metadata is merged; an empty value removes its key, `metadata=` all of them. */
function updateIntent(world: StripeWorld, call: StripeCall): object {
  const { params } = call;
  const { object: intent } = findIntent(world, call);
  if (params.has('amount')) {
    if (intent.status !== 'requires_payment_method')
      throw wrongState(UNEXPECTED, `A payment that is ${intent.status} keeps its amount.`, intent);
    intent.amount = amountParam(params, 'amount');
  }
  const merged =
    params.get('metadata') === '' ? {} : { ...intent.metadata, ...hashParam(params, 'metadata') };
  intent.metadata = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== ''));
  intent.description = params.get('description') ?? intent.description;
  return expandObject(world, call, intent);
}

function cancelIntent(world: StripeWorld, call: StripeCall): object {
  const record = findIntent(world, call);
  const intent = record.object;
  const refusal = 'You cannot cancel this PaymentIntent because it';
  if (record.session !== null) {
    const message = `${refusal} belongs to a Checkout Session. Expire the session instead.`;
    throw wrongState(UNEXPECTED, message, intent);
  }
  if (intent.status !== 'requires_payment_method')
    throw wrongState(UNEXPECTED, `${refusal} has a status of ${intent.status}.`, intent);
  endIntent(world, record, call.params.get('cancellation_reason') ?? null);
  return expandObject(world, call, intent);
}

export function endIntent(world: StripeWorld, record: IntentRecord, reason: string | null): void {
  record.object.status = 'canceled';
  record.object.canceled_at = world.clock.seconds();
  record.object.cancellation_reason = reason;
  world.emit(record.account, 'payment_intent.canceled', record.object);
}

const intentObjects = (world: StripeWorld, call: StripeCall): Stripe.PaymentIntent[] =>
  Object.values(world.state.intents)
    .filter((record) => record.account === call.account)
    .map((record) => record.object);

export const paymentIntentRoutes: StripeRoute[] = [
  {
    method: 'POST',
    path: '/v1/payment_intents',
    params: [
      'amount',
      'currency',
      'description',
      'metadata[*]',
      'automatic_payment_methods[enabled]',
      'automatic_payment_methods[allow_redirects]',
      'expand[#]',
    ],
    handle: createIntent,
  },
  {
    method: 'GET',
    path: '/v1/payment_intents',
    params: LIST_PARAMS,
    handle: (world, call) =>
      expandList(world, call, listPage(call, '/v1/payment_intents', intentObjects(world, call))),
  },
  {
    method: 'GET',
    path: '/v1/payment_intents/:id',
    params: ['expand[#]'],
    handle: (world, call) => expandObject(world, call, findIntent(world, call).object),
  },
  {
    method: 'POST',
    path: '/v1/payment_intents/:id',
    params: ['amount', 'metadata', 'metadata[*]', 'description', 'expand[#]'],
    handle: updateIntent,
  },
  {
    method: 'POST',
    path: '/v1/payment_intents/:id/confirm',
    params: ['payment_method', 'payment_method_data[shared_payment_granted_token]', 'expand[#]'],
    handle: (world, call) => {
      const record = findIntent(world, call);
      confirmIntent(world, record, call.params);
      return expandObject(world, call, record.object);
    },
  },
  {
    method: 'POST',
    path: '/v1/payment_intents/:id/cancel',
    params: ['cancellation_reason', 'expand[#]'],
    handle: cancelIntent,
  },
];
