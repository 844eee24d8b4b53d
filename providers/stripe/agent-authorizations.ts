import Stripe from 'stripe';

/** Events that tell of an answer; in no SDK, so that lists take them as plain strings. */
export const authorizationEvents = {
  approved: 'link.agent_authorization.approved',
  declined: 'link.agent_authorization.declined',
};

/**
 * Link agent authorizations: `POST /v1/link/agent_authorizations` asks a caller's Link wallet to approve a payment.
 * Stripe does not publicly document this API (see docs/architecture.md), so the SDK has no types for it and an account
 * may answer 404. What an approval brings is read from the object: a payment, a token to charge, or nothing.
 */
export interface AgentAuthorization {
  id: string;
  status: string;
  amount: number;
  currency: string;
  metadata: Record<string, string>;
  payment_intent: string | null;
  shared_payment_granted_token: string | null;
}

const path = '/v1/link/agent_authorizations';

/**
 * A page of events of some types, the wallet's among them. An account without the wallet may refuse types that are not
 * documented: then those of the others.
 */
export async function listEvents(
  stripe: Stripe,
  params: Stripe.EventListParams & { types: string[] },
  options: Stripe.RequestOptions,
): Promise<Pick<Stripe.ApiList<Stripe.Event>, 'data' | 'has_more'>> {
  const others = params.types.filter((type) => !Object.values(authorizationEvents).includes(type));
  try {
    return await stripe.events.list(params, options);
  } catch (error) {
    if (!isRefused(error) || others.length === params.types.length) throw error;
    if (others.length === 0) return { data: [], has_more: false };
    return stripe.events.list({ ...params, types: others }, options);
  }
}

/** All answers of wallets since then, Unix seconds, newest first; none where the account refuses their types. */
export async function listWalletAnswers(
  stripe: Stripe,
  since: number,
  options: Stripe.RequestOptions,
): Promise<Stripe.Event[]> {
  const types = Object.values(authorizationEvents);
  const answers: Stripe.Event[] = [];
  try {
    for await (const event of stripe.events.list({ created: { gte: since }, types, limit: 100 }, options))
      answers.push(event);
  } catch (error) {
    if (!isRefused(error) || answers.length > 0) throw error;
  }
  return answers;
}

const isRefused = (error: unknown) => error instanceof Stripe.errors.StripeInvalidRequestError;

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

/** A reference that may come as an id or as an expanded object. */
const reference = (value: unknown): string | null => text(value) ?? text(record(value)['id']);

function parse(raw: unknown): AgentAuthorization {
  const object = record(raw);
  const id = text(object['id']);
  const status = text(object['status']);
  if (id === null || status === null) throw new TypeError('agent authorization without id or status');
  return {
    id,
    status,
    amount: Number(object['amount']),
    currency: String(object['currency']),
    metadata: Object.fromEntries(
      Object.entries(record(object['metadata'])).map(([key, value]) => [key, String(value)]),
    ),
    payment_intent: reference(object['payment_intent']),
    shared_payment_granted_token: reference(object['shared_payment_granted_token']),
  };
}

export interface AgentAuthorizationRequest {
  amount: number;
  currency: string;
  /** What the caller reads in the wallet. */
  agent_intent: string;
  customer: { email: string } | { phone: string };
  metadata: Record<string, string>;
}

export async function createAgentAuthorization(
  stripe: Stripe,
  request: AgentAuthorizationRequest,
  options: Stripe.RequestOptions,
): Promise<AgentAuthorization> {
  return parse(await stripe.rawRequest('POST', path, { ...request }, options));
}

export async function retrieveAgentAuthorization(
  stripe: Stripe,
  id: string,
  options: Stripe.RequestOptions,
): Promise<AgentAuthorization> {
  return parse(await stripe.rawRequest('GET', `${path}/${encodeURIComponent(id)}`, undefined, options));
}

export async function cancelAgentAuthorization(
  stripe: Stripe,
  id: string,
  options: Stripe.RequestOptions,
): Promise<AgentAuthorization> {
  return parse(await stripe.rawRequest('POST', `${path}/${encodeURIComponent(id)}/cancel`, {}, options));
}
