import type { RouteFault } from '../faults.js';
import type { VendorPlumbing } from '../vendor-plumbing.js';
import { splitPath, type VendorRequest, type VendorServer } from '../vendor-server.js';
import { parseForm, unknownParam, type FormParams } from '../form-params.js';
import { agentAuthorizationRoutes } from './agent-authorizations.js';
import { chargeRoutes } from './charges.js';
import { checkoutSessionRoutes } from './checkout-sessions.js';
import { eventRoutes } from './events.js';
import { Idempotency, type KeyUse } from './idempotency.js';
import { paymentIntentRoutes } from './payment-intents.js';
import { priceRoutes } from './prices.js';
import { refundRoutes } from './refunds.js';
import { StripeRefusal, invalidParam, type StripeErrorBody } from './stripe-refusal.js';
import type { StripeRoute, StripeWorld } from './stripe-world.js';

export const STRIPE_ROUTES: readonly StripeRoute[] = [
  ...paymentIntentRoutes,
  ...chargeRoutes,
  ...checkoutSessionRoutes,
  ...refundRoutes,
  ...priceRoutes,
  ...eventRoutes,
  ...agentAuthorizationRoutes,
];

interface Answer {
  status: number;
  body: string;
  replayed: boolean;
}

const errorText = (body: StripeErrorBody): string => JSON.stringify({ error: body });
const accountOf = ({ headers }: VendorRequest): string | null =>
  headers['stripe-account'] ?? headers['stripe-context'] ?? null;
/** Only a POST is executed under its key. */
const keyOf = ({ method, headers }: VendorRequest): string | undefined =>
  method === 'POST' ? headers['idempotency-key'] : undefined;

function refusalForFault(fault: RouteFault): StripeRefusal {
  const status = fault.status ?? 500;
  const body: StripeErrorBody =
    status === 429
      ? {
          type: 'rate_limit_error',
          code: 'rate_limit',
          message: 'Too many requests. This one was refused on purpose.',
        }
      : status >= 500
        ? { type: 'api_error', message: 'An unexpected error, made on purpose.' }
        : { type: 'invalid_request_error', message: `Refused with ${status} on purpose.` };
  return new StripeRefusal(status, body, fault.after_effect === true);
}

function authenticate(request: VendorRequest): string {
  const [scheme = '', credentials = ''] = (request.headers['authorization'] ?? '').split(' ');
  const basic = scheme.toLowerCase() === 'basic';
  const key = basic ? (Buffer.from(credentials, 'base64').toString().split(':')[0] ?? '') : credentials;
  if (/^(sk|rk)_test_/.test(key)) return key;
  const message = /^(sk|rk)_live_/.test(key)
    ? 'This is a local stand-in for Stripe (livemode: false). It refuses live keys.'
    : 'You did not provide a valid API key. Use any sk_test_… or rk_test_… key here.';
  throw new StripeRefusal(401, { type: 'invalid_request_error', message }, false);
}

/** Serves `/v1`: faults, key, parameters, idempotency, then the route's own effect. */
export function stripeServer(world: StripeWorld, plumbing: VendorPlumbing): VendorServer {
  const { clock, faults, log, touch } = plumbing;
  const idempotency = new Idempotency(world.state);
  const table = STRIPE_ROUTES.map((route) => ({
    route,
    pattern: new RegExp(`^${route.path.replace(':id', '([^/]+)')}$`),
  }));

  const execute = async (request: VendorRequest, requestId: string, fault?: RouteFault): Promise<Answer> => {
    const apiKey = authenticate(request);
    const { method } = request;
    const { path } = splitPath(request);
    const match = table.find(({ route, pattern }) => route.method === method && pattern.test(path));
    if (match === undefined) {
      const message = `Unrecognized request URL (${method}: ${path}).`;
      throw new StripeRefusal(404, { type: 'invalid_request_error', message }, false);
    }
    const { route, pattern } = match;
    const params = parseForm(paramText(request));
    const unknown = unknownParam(params, route.params);
    if (unknown !== undefined) {
      throw invalidParam(unknown, `Received unknown parameter: ${unknown}`, 'parameter_unknown');
    }
    checkMetadata(params);
    const account = accountOf(request);
    const key = keyOf(request);
    const call = { account, id: decodeURIComponent(pattern.exec(path)?.[1] ?? ''), params };
    let use: KeyUse | undefined;
    if (key !== undefined) {
      const claimed = idempotency.claim(
        key,
        { apiKey, account },
        `${method} ${path}`,
        params,
        clock.seconds(),
      );
      if (claimed.saved !== undefined) return { ...claimed.saved, replayed: true };
      use = claimed.use;
    }
    let answer: Answer | undefined;
    let saved = true;
    try {
      await faults.pause(fault, clock);
      world.request = { id: requestId, idempotency_key: key ?? null };
      answer = { status: 200, body: JSON.stringify(route.handle(world, call)), replayed: false };
    } catch (error) {
      if (!(error instanceof StripeRefusal)) throw error;
      saved = error.saved;
      answer = { status: error.status, body: errorText(error.body), replayed: false };
    } finally {
      world.request = { id: null, idempotency_key: null };
      if (fault?.after_effect === true && fault.kind === 'status') {
        const refusal = refusalForFault(fault);
        answer = { status: refusal.status, body: errorText(refusal.body), replayed: false };
        saved = true;
      }
      const keep =
        answer !== undefined && saved ? { ...answer, requestId, nowS: clock.seconds() } : undefined;
      if (use !== undefined) idempotency.release(use, keep);
    }
    return answer;
  };

  return async (request) => {
    const { method } = request;
    const { path } = splitPath(request);
    const requestId = world.newId('req');
    const fault = faults.takeRoute(method, path);
    const match = table.find(({ route, pattern }) => route.method === method && pattern.test(path));
    let answer: Answer | undefined;
    if (fault?.kind !== 'before') {
      try {
        if (fault?.kind === 'status' && fault.after_effect !== true) throw refusalForFault(fault);
        answer = await execute(request, requestId, fault);
      } catch (error) {
        if (!(error instanceof StripeRefusal)) throw error;
        answer = { status: error.status, body: errorText(error.body), replayed: false };
      }
    }
    if (method === 'POST' || fault !== undefined) touch();
    const dropped = answer === undefined || fault?.kind === 'after_effect_drop';
    log.add({
      vendor: 'stripe',
      method,
      path,
      route: match?.route.path ?? null,
      idempotency_key: request.headers['idempotency-key'] ?? null,
      status: dropped ? null : (answer?.status ?? null),
      replayed: answer?.replayed ?? false,
      fault: fault?.kind ?? null,
      account: accountOf(request),
      params: Object.fromEntries(parseForm(paramText(request))),
    });
    if (answer === undefined || dropped) return undefined;
    const headers: Record<string, string> = { 'request-id': requestId, 'content-type': 'application/json' };
    const key = keyOf(request);
    if (key !== undefined) headers['idempotency-key'] = key;
    if (answer.replayed) headers['idempotent-replayed'] = 'true';
    if (fault?.retry_after !== undefined) headers['retry-after'] = String(fault.retry_after);
    return { status: answer.status, headers, body: answer.body };
  };
}

/** Stripe's limits: keys of 40 characters, values of 500. */
function checkMetadata(params: FormParams): void {
  const entries = [...params].filter(([name]) => /(^|\[)metadata\]?\[/.test(name));
  const long = entries.find(
    ([name, value]) => value.length > 500 || (/[^[]*\]$/.exec(name)?.[0] ?? '').length > 41,
  );
  if (long !== undefined)
    throw invalidParam(long[0], 'Metadata keys have at most 40 characters, values 500.');
}

const paramText = (request: VendorRequest): string =>
  request.method === 'POST' ? request.body : splitPath(request).query;
