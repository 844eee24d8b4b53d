import { hashParam } from '../form-params.js';
import { attemptPayment, isOutcome } from './charges.js';
import { newIntent } from './payment-intents.js';
import { StripeRefusal, invalidParam, wrongState } from './stripe-refusal.js';
import type { AgentAuthorization, Owned } from './stripe-state.js';
import {
  amountParam,
  currencyParam,
  expandObject,
  findOwned,
  type StripeCall,
  type StripeRoute,
  type StripeWorld,
} from './stripe-world.js';

/*
 * Link's agent authorizations as the product's brief states them. Stripe does not publicly document these routes; the
 * limits, statuses and error codes below are assumptions that the product must not depend on beyond the brief.
 */
const LIFE_S = 10 * 60;
const MAX_AMOUNT = 50_000;
const GRANTS: readonly string[] = ['payment', 'shared_payment_token', 'nothing'];

function createAuthorization(world: StripeWorld, call: StripeCall): object {
  const { params } = call;
  const amount = amountParam(params, 'amount');
  const currency = currencyParam(params, 'currency');
  const intent = params.get('agent_intent');
  if (!intent)
    throw invalidParam('agent_intent', 'Missing required param: agent_intent.', 'parameter_missing');
  const email = params.get('customer[email]') ?? null;
  const phone = params.get('customer[phone]') ?? null;
  if ((email === null) === (phone === null)) {
    throw invalidParam('customer', 'Give exactly one of customer[email] and customer[phone].');
  }
  if (amount > MAX_AMOUNT) {
    throw invalidParam('amount', `Amount must be no more than ${MAX_AMOUNT}.`, 'amount_too_large');
  }
  if (email?.endsWith('@nolink.test') || phone?.endsWith('0404')) {
    const message = 'This customer has no Link wallet.';
    throw new StripeRefusal(
      404,
      { type: 'invalid_request_error', code: 'resource_missing', param: 'customer', message },
      true,
    );
  }
  const created = world.clock.seconds();
  const authorization: AgentAuthorization = {
    id: world.newId('laa'),
    object: 'link.agent_authorization',
    amount,
    currency,
    agent_intent: intent,
    customer: { email, phone },
    status: 'pending',
    payment_intent: null,
    shared_payment_granted_token: null,
    metadata: hashParam(params, 'metadata'),
    created,
    expires_at: created + LIFE_S,
    livemode: false,
  };
  world.state.authorizations[authorization.id] = { account: call.account, object: authorization };
  watchAuthorization(world, authorization.id);
  return expandObject(world, call, authorization);
}

/** Expires the request at its time; also called for each pending one after a restart. */
export function watchAuthorization(world: StripeWorld, id: string): void {
  const authorization = world.state.authorizations[id]?.object;
  if (authorization?.status !== 'pending') return;
  world.clock.at(authorization.expires_at * 1000, () => expireAuthorization(authorization));
}

export function expireAuthorization(authorization: AgentAuthorization): void {
  if (authorization.status === 'pending') authorization.status = 'expired';
}

function requirePending(world: StripeWorld, authorization: AgentAuthorization): void {
  if (authorization.expires_at <= world.clock.seconds()) expireAuthorization(authorization);
  if (authorization.status !== 'pending') {
    throw wrongState(
      'agent_authorization_unexpected_state',
      `This agent authorization is ${authorization.status}.`,
    );
  }
}

/**
 * The caller taps Approve. `payment`: Link pays at once and names the PaymentIntent. `shared_payment_token`: nothing is
 * paid yet, one attempt with the token may be made. `nothing`: approved, but neither is in the object. `bare`: the payment
 * has none of the request's metadata, which nobody promises that it has.
 */
export function approveAuthorization(
  world: StripeWorld,
  record: Owned<AgentAuthorization>,
  choice: { grants?: string | undefined; outcome?: string | undefined; bare?: boolean } = {},
): void {
  const { account, object: authorization } = record;
  const { grants = 'payment', outcome = 'succeeded', bare = false } = choice;
  if (!GRANTS.includes(grants)) throw invalidParam('grants', `grants is one of ${GRANTS.join(', ')}`);
  if (!isOutcome(outcome)) throw invalidParam('outcome', 'outcome is succeeded, processing or a decline');
  requirePending(world, authorization);
  const { amount, currency, metadata } = authorization;
  authorization.status = 'approved';
  if (grants === 'nothing') {
    world.emit(account, 'link.agent_authorization.approved', authorization);
    return;
  }
  if (grants === 'shared_payment_token') {
    const id = world.newId('spt');
    const expires_at = authorization.expires_at;
    world.state.tokens[id] = { id, account, amount, currency, outcome, metadata, spent: false, expires_at };
    authorization.shared_payment_granted_token = id;
    world.emit(account, 'link.agent_authorization.approved', authorization);
    return;
  }
  const description = authorization.agent_intent;
  const intent = newIntent(world, account, {
    ...{ amount, currency, description },
    metadata: bare ? {} : metadata,
  });
  authorization.payment_intent = intent.object.id;
  world.emit(account, 'link.agent_authorization.approved', authorization);
  attemptPayment(world, intent, outcome);
}

export function declineAuthorization(world: StripeWorld, record: Owned<AgentAuthorization>): void {
  requirePending(world, record.object);
  record.object.status = 'declined';
  world.emit(record.account, 'link.agent_authorization.declined', record.object);
}

function findAuthorization(world: StripeWorld, call: StripeCall): Owned<AgentAuthorization> {
  const record = findOwned(world.state.authorizations, call, call.id, 'agent authorization');
  if (record.object.expires_at <= world.clock.seconds()) expireAuthorization(record.object);
  return record;
}

export const agentAuthorizationRoutes: StripeRoute[] = [
  {
    method: 'POST',
    path: '/v1/link/agent_authorizations',
    params: [
      'amount',
      'currency',
      'agent_intent',
      'customer[email]',
      'customer[phone]',
      'metadata[*]',
      'expand[#]',
    ],
    handle: createAuthorization,
  },
  {
    method: 'GET',
    path: '/v1/link/agent_authorizations/:id',
    params: ['expand[#]'],
    handle: (world, call) => expandObject(world, call, findAuthorization(world, call).object),
  },
  {
    method: 'POST',
    path: '/v1/link/agent_authorizations/:id/cancel',
    params: ['expand[#]'],
    handle: (world, call) => {
      const { object: authorization } = findAuthorization(world, call);
      requirePending(world, authorization);
      authorization.status = 'canceled';
      return expandObject(world, call, authorization);
    },
  },
];
