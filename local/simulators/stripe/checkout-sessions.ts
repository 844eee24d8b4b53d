import type Stripe from 'stripe';
import { hashParam } from '../form-params.js';
import { absent } from './absent.js';
import { attemptPayment, isOutcome } from './charges.js';
import { endIntent, newIntent } from './payment-intents.js';
import { invalidParam, wrongState } from './stripe-refusal.js';
import type { IntentRecord, SessionRecord } from './stripe-state.js';
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

const findSession = (world: StripeWorld, call: StripeCall): SessionRecord =>
  findOwned(world.state.sessions, call, call.id, 'checkout.session', 'session');

const MIN_LIFE_S = 30 * 60;
const MAX_LIFE_S = 24 * 3_600;

const CREATE_PARAMS = [
  'mode',
  'ui_mode',
  'line_items[#][quantity]',
  'line_items[#][price_data][currency]',
  'line_items[#][price_data][unit_amount]',
  'line_items[#][price_data][product_data][name]',
  'line_items[#][price_data][product_data][description]',
  'success_url',
  'cancel_url',
  'expires_at',
  'client_reference_id',
  'customer_email',
  'locale',
  'submit_type',
  'metadata[*]',
  'payment_intent_data[metadata][*]',
  'payment_intent_data[description]',
  'payment_intent_data[receipt_email]',
  'adaptive_pricing[enabled]',
  'allow_promotion_codes',
  'automatic_tax[enabled]',
  'branding_settings[display_name]',
  'allowed_payment_method_types[#]',
  'expand[#]',
];

function sessionTotal(call: StripeCall): { amount: number; currency: string; description: string } {
  const names: string[] = [];
  let amount = 0;
  let currency: string | undefined;
  for (let i = 0; call.params.has(`line_items[${i}][price_data][currency]`); i += 1) {
    const item = `line_items[${i}]`;
    const itemCurrency = currencyParam(call.params, `${item}[price_data][currency]`);
    if (currency !== undefined && currency !== itemCurrency) {
      throw invalidParam('line_items', 'All line items must have the same currency.');
    }
    currency = itemCurrency;
    const name = call.params.get(`${item}[price_data][product_data][name]`);
    if (!name)
      throw invalidParam(
        `${item}[price_data][product_data][name]`,
        'Missing required param.',
        'parameter_missing',
      );
    names.push(name);
    amount +=
      amountParam(call.params, `${item}[price_data][unit_amount]`) *
      amountParam(call.params, `${item}[quantity]`);
  }
  if (currency === undefined)
    throw invalidParam('line_items', 'Missing required param: line_items.', 'parameter_missing');
  if (currency === 'usd' && amount < 50) {
    throw invalidParam(
      'line_items',
      'The total amount due must add up to at least $0.50 usd',
      'amount_too_small',
    );
  }
  return { amount, currency, description: names.join(', ') };
}

function createSession(world: StripeWorld, call: StripeCall): object {
  const { params } = call;
  if (params.get('mode') !== 'payment') throw invalidParam('mode', 'This stand-in serves mode=payment only.');
  const { amount, currency, description } = sessionTotal(call);
  const successUrl = params.get('success_url');
  if (successUrl === undefined) {
    throw invalidParam('success_url', 'Missing required param: success_url.', 'parameter_missing');
  }
  for (const name of ['success_url', 'cancel_url']) {
    const url = params.get(name);
    if (url !== undefined && !URL.canParse(url))
      throw invalidParam(name, `Not a valid URL: ${name}.`, 'url_invalid');
  }
  const created = world.clock.seconds();
  const expiresAt = Number(params.get('expires_at') ?? created + MAX_LIFE_S);
  if (!Number.isInteger(expiresAt) || expiresAt < created + MIN_LIFE_S || expiresAt > created + MAX_LIFE_S) {
    throw invalidParam(
      'expires_at',
      'The expires_at timestamp must be between 30 minutes and 24 hours from now.',
    );
  }
  const id = world.newId('cs_test');
  const session: Stripe.Checkout.Session = {
    id,
    object: 'checkout.session',
    adaptive_pricing: { enabled: params.get('adaptive_pricing[enabled]') !== 'false' },
    allow_promotion_codes: params.has('allow_promotion_codes')
      ? params.get('allow_promotion_codes') === 'true'
      : null,
    amount_subtotal: amount,
    amount_total: amount,
    automatic_tax: {
      enabled: params.get('automatic_tax[enabled]') === 'true',
      liability: null,
      provider: null,
      status: null,
    },
    cancel_url: params.get('cancel_url') ?? null,
    client_reference_id: params.get('client_reference_id') ?? null,
    created,
    currency,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer_creation: 'if_required',
    customer_email: params.get('customer_email') ?? null,
    discounts: [],
    expires_at: expiresAt,
    livemode: false,
    locale: params.get('locale') ?? null,
    metadata: hashParam(params, 'metadata'),
    mode: 'payment',
    payment_method_collection: 'if_required',
    payment_method_options: {},
    payment_method_types: ['card', 'us_bank_account'],
    payment_status: 'unpaid',
    shipping_options: [],
    status: 'open',
    submit_type: params.get('submit_type') ?? null,
    success_url: successUrl,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page',
    url: `${world.publicUrl()}/c/pay/${id}`,
    ...absent('after_expiration allowed_payment_method_types billing_address_collection client_secret'),
    ...absent('collected_information consent consent_collection currency_conversion customer'),
    ...absent('customer_account customer_details integration_identifier invoice invoice_creation'),
    ...absent('managed_payments origin_context payment_intent payment_link'),
    ...absent('payment_method_configuration_details permissions recovered_from'),
    ...absent('saved_payment_method_options setup_intent shipping_address_collection shipping_cost'),
    ...absent('subscription wallet_options'),
  };
  world.state.sessions[id] = {
    account: call.account,
    object: session,
    description,
    merchant: params.get('branding_settings[display_name]') ?? null,
    intent_data: {
      metadata: hashParam(params, 'payment_intent_data[metadata]'),
      description: params.get('payment_intent_data[description]') ?? null,
    },
  };
  watchSession(world, id);
  return expandObject(world, call, session);
}

/** Ends an open session now; its unpaid intent ends with it, as at Stripe. */
export function expireSession(world: StripeWorld, record: SessionRecord): void {
  record.object.status = 'expired';
  record.object.url = null;
  const intent = record.object.payment_intent;
  const intentRecord = typeof intent === 'string' ? world.state.intents[intent] : undefined;
  if (intentRecord !== undefined) endIntent(world, intentRecord, 'automatic');
  world.emit(record.account, 'checkout.session.expired', record.object);
}

/** Expires the session at its time; also called for each open session after a restart. */
export function watchSession(world: StripeWorld, id: string): void {
  const record = world.state.sessions[id];
  if (record === undefined || record.object.status !== 'open') return;
  world.clock.at(record.object.expires_at * 1000, () => {
    if (record.object.status === 'open') expireSession(world, record);
  });
}

/** What the caller's submission of the hosted page does. */
export function paySession(world: StripeWorld, record: SessionRecord, outcome: string, email?: string): void {
  const session = record.object;
  if (!isOutcome(outcome)) throw invalidParam('outcome', 'outcome is succeeded, declined or processing');
  if (session.status !== 'open' || session.expires_at <= world.clock.seconds()) {
    throw wrongState('checkout_session_not_open', `This Checkout Session is ${session.status ?? 'gone'}.`);
  }
  const known =
    typeof session.payment_intent === 'string' ? world.state.intents[session.payment_intent] : undefined;
  const intent: IntentRecord =
    known ??
    newIntent(world, record.account, {
      amount: session.amount_total ?? 0,
      currency: session.currency ?? 'usd',
      metadata: record.intent_data.metadata,
      description: record.intent_data.description,
      session: session.id,
      receiptEmail: email ?? session.customer_email,
    });
  session.payment_intent = intent.object.id;
  attemptPayment(world, intent, outcome);
  if (intent.object.last_payment_error !== null) return;
  session.status = 'complete';
  session.url = null;
  session.payment_status = outcome === 'succeeded' ? 'paid' : 'unpaid';
  session.customer_details = {
    address: null,
    business_name: null,
    email: email ?? session.customer_email,
    individual_name: null,
    name: null,
    phone: null,
    tax_exempt: 'none',
    tax_ids: [],
  };
  world.emit(record.account, 'checkout.session.completed', session);
}

/** The bank's later answer to a processing payment. */
export function settleIntent(world: StripeWorld, record: IntentRecord, outcome: string): void {
  if (record.object.status !== 'processing') {
    throw wrongState('payment_intent_unexpected_state', `This PaymentIntent is ${record.object.status}.`);
  }
  const succeeded = outcome === 'succeeded';
  attemptPayment(world, record, succeeded ? 'succeeded' : 'declined');
  const session = record.session === null ? undefined : world.state.sessions[record.session];
  if (session === undefined) return;
  if (succeeded) session.object.payment_status = 'paid';
  const type = succeeded ? 'async_payment_succeeded' : 'async_payment_failed';
  world.emit(session.account, `checkout.session.${type}`, session.object);
}

function expireRequested(world: StripeWorld, call: StripeCall): object {
  const record = findSession(world, call);
  if (record.object.status !== 'open') {
    const message = `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of ${record.object.status ?? 'none'}.`;
    throw wrongState('checkout_session_not_open', message);
  }
  expireSession(world, record);
  return expandObject(world, call, record.object);
}

const STATUSES = ['open', 'complete', 'expired'];

function listSessions(world: StripeWorld, call: StripeCall): object {
  const status = call.params.get('status');
  if (status !== undefined && !STATUSES.includes(status))
    throw invalidParam('status', `Invalid status: must be one of ${STATUSES.join(', ')}`);
  const objects = Object.values(world.state.sessions)
    .filter((record) => record.account === call.account)
    .map((record) => record.object)
    .filter((s) => s.payment_intent === (call.params.get('payment_intent') ?? s.payment_intent))
    .filter((s) => s.status === (status ?? s.status));
  return expandList(world, call, listPage(call, '/v1/checkout/sessions', objects));
}

export const checkoutSessionRoutes: StripeRoute[] = [
  { method: 'POST', path: '/v1/checkout/sessions', params: CREATE_PARAMS, handle: createSession },
  {
    method: 'GET',
    path: '/v1/checkout/sessions',
    params: [...LIST_PARAMS, 'payment_intent', 'status'],
    handle: listSessions,
  },
  {
    method: 'GET',
    path: '/v1/checkout/sessions/:id',
    params: ['expand[#]'],
    handle: (world, call) => expandObject(world, call, findSession(world, call).object),
  },
  {
    method: 'POST',
    path: '/v1/checkout/sessions/:id/expire',
    params: ['expand[#]'],
    handle: expireRequested,
  },
];
