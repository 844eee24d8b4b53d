import type Stripe from 'stripe';
import { listParam } from '../form-params.js';
import { invalidParam, missingObject } from './stripe-refusal.js';
import type { EventRecord } from './stripe-state.js';
import {
  LIST_PARAMS,
  listPage,
  type StripeCall,
  type StripeRoute,
  type StripeWorld,
} from './stripe-world.js';

const API_VERSION = '2026-10-28.endive';
/** Older events are not listed. Source: docs.stripe.com/api/events/list. */
const LISTED_S = 30 * 24 * 3_600;
const MAX_TYPES = 20;

/** `type` is open: the wallet's events are in no SDK. */
type EventEnvelope = Omit<Stripe.EventBase, 'type' | 'data'> & {
  type: string;
  data: { object: object };
};

export function eventEnvelope(record: EventRecord): EventEnvelope {
  return {
    id: record.id,
    object: 'event',
    ...(record.account === null ? {} : { account: record.account }),
    api_version: API_VERSION,
    created: record.created,
    data: { object: record.object },
    livemode: false,
    pending_webhooks: record.delivered ? 0 : 1,
    request: record.request,
    type: record.type,
  };
}

function listEvents(world: StripeWorld, call: StripeCall): object {
  const { params } = call;
  const types = listParam(params, 'types');
  if (types.length > MAX_TYPES) throw invalidParam('types', `Give at most ${MAX_TYPES} types.`);
  if (types.length > 0 && params.has('type')) throw invalidParam('type', 'Give only one of type and types.');
  const wanted = params.get('type') ?? '*';
  const delivered = params.get('delivery_success');
  const matching = Object.values(world.state.events)
    .filter((record) => record.account === call.account)
    .filter((record) => record.created > world.clock.seconds() - LISTED_S)
    .filter((record) => types.length === 0 || types.includes(record.type))
    .filter((record) => typeMatches(wanted, record.type))
    .filter((record) => delivered === undefined || record.delivered === (delivered === 'true'));
  return listPage(call, '/v1/events', matching.map(eventEnvelope));
}

/** `checkout.session.*` names a group. */
const typeMatches = (pattern: string, type: string): boolean =>
  pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type;

export const eventRoutes: StripeRoute[] = [
  {
    method: 'GET',
    path: '/v1/events',
    params: [...LIST_PARAMS, 'type', 'types[#]', 'delivery_success'],
    handle: listEvents,
  },
  {
    method: 'GET',
    path: '/v1/events/:id',
    params: ['expand[#]'],
    handle: (world, call) => {
      const record = world.state.events[call.id];
      if (record === undefined || record.account !== call.account) throw missingObject('event', call.id);
      return eventEnvelope(record);
    },
  },
];
