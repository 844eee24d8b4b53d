import type { Clock } from '../clock.js';
import type { RandomBytes } from '../random-bytes.js';
import type { FormParams } from '../form-params.js';
import { listParam } from '../form-params.js';
import { Book } from './book.js';
import { invalidParam, missingObject } from './stripe-refusal.js';
import type { Owned, StripeState } from './stripe-state.js';

export interface StripeCall {
  account: string | null;
  id: string;
  params: FormParams;
}

/** One route: an effect on the book, and the object answered. Synchronous, so that every effect is atomic. */
export interface StripeRoute {
  method: 'GET' | 'POST';
  path: string;
  params: readonly string[];
  handle: (world: StripeWorld, call: StripeCall) => object;
}

/** The book, and what every route needs to change it. */
export class StripeWorld {
  /** The request being executed, named in the events it causes. */
  request: { id: string | null; idempotency_key: string | null } = { id: null, idempotency_key: null };
  /** Called for each new event; set by the sender of webhooks. */
  onEvent: (eventId: string) => void = () => undefined;
  readonly book: Book;

  constructor(
    readonly state: StripeState,
    readonly clock: Clock,
    readonly random: RandomBytes,
    readonly publicUrl: () => string,
  ) {
    this.book = new Book(state.postings, clock);
  }

  newId(prefix: string): string {
    const text = Buffer.from(this.random(12)).toString('base64url');
    return `${prefix}_${text.replaceAll(/[-_]/g, 'x')}`;
  }

  /** Records an event with the object as it is now. */
  emit(account: string | null, type: string, object: object): void {
    const id = this.newId('evt');
    const copy = JSON.parse(JSON.stringify(object)) as object;
    const created = this.clock.seconds();
    this.state.events[id] = {
      id,
      account,
      type,
      created,
      object: copy,
      request: this.request,
      delivered: false,
    };
    this.onEvent(id);
  }
}

/** What another account made does not exist for this one. */
export function findOwned<R extends Owned<object>>(
  records: Record<string, R>,
  call: { account: string | null },
  id: string,
  kind: string,
  param = 'id',
): R {
  const record = records[id];
  if (record === undefined || record.account !== call.account) throw missingObject(kind, id, param);
  return record;
}

export const LIST_PARAMS = [
  'limit',
  'starting_after',
  'ending_before',
  'created',
  'created[gt]',
  'created[gte]',
  'created[lt]',
  'created[lte]',
  'expand[#]',
] as const;

/** A page of a Stripe list, newest first. */
export function listPage<T extends { id: string; created: number }>(
  call: StripeCall,
  url: string,
  oldestFirst: readonly T[],
): { object: 'list'; data: T[]; has_more: boolean; url: string } {
  const { params } = call;
  const integer = (name: string, fallback: number): number => {
    const text = params.get(name);
    if (text !== undefined && !/^\d+$/.test(text))
      throw invalidParam(name, `Invalid integer: ${text}`, 'parameter_invalid_integer');
    return text === undefined ? fallback : Number(text);
  };
  const [gt, gte] = [integer('created[gt]', -1), integer('created[gte]', 0)];
  const [lt, lte] = [integer('created[lt]', Infinity), integer('created[lte]', Infinity)];
  const exactly = integer('created', -1);
  const limit = integer('limit', 10);
  if (limit < 1 || limit > 100) throw invalidParam('limit', 'Limit must be between 1 and 100.');
  const matching = oldestFirst
    .filter((o) => o.created > gt && o.created >= gte)
    .filter((o) => o.created < lt && o.created <= lte)
    .filter((o) => exactly < 0 || o.created === exactly)
    .reverse();
  const position = (name: 'starting_after' | 'ending_before'): number | undefined => {
    const id = params.get(name);
    if (id === undefined) return undefined;
    const index = matching.findIndex((o) => o.id === id);
    if (index < 0) throw missingObject('object', id, name);
    return index;
  };
  const before = position('ending_before');
  const start = before === undefined ? (position('starting_after') ?? -1) + 1 : Math.max(0, before - limit);
  const end = Math.min(before ?? Infinity, start + limit, matching.length);
  const hasMore = before === undefined ? end < matching.length : start > 0;
  return { object: 'list', data: matching.slice(start, end), has_more: hasMore, url };
}

/** Replaces ids by objects along `expand[]`; refuses what cannot be expanded, as Stripe does. */
export function expandObject(world: StripeWorld, call: StripeCall, object: object): object {
  const paths = listParam(call.params, 'expand');
  return paths.reduce((expanded, path) => expandPath(world, expanded, path.split('.'), path), object);
}

export function expandList(world: StripeWorld, call: StripeCall, list: { data: object[] }): object {
  const paths = listParam(call.params, 'expand');
  const outside = paths.find((path) => !path.startsWith('data.'));
  if (outside !== undefined)
    throw invalidParam('expand', `This property cannot be expanded (${outside}). Expand lists by data.….`);
  const data = list.data.map((object) =>
    paths.reduce((expanded, path) => expandPath(world, expanded, path.split('.').slice(1), path), object),
  );
  return { ...list, data };
}

function expandPath(world: StripeWorld, object: object, path: readonly string[], full: string): object {
  const [field, ...rest] = path;
  if (field === undefined) return object;
  const copy: Record<string, unknown> = { ...object };
  const value = copy[field];
  const books: Record<string, Record<string, Owned<object>>> = {
    payment_intent: world.state.intents,
    latest_charge: world.state.charges,
    charge: world.state.charges,
  };
  const book = books[field];
  if (book === undefined || value === undefined) {
    throw invalidParam('expand', `This property cannot be expanded (${full}).`);
  }
  const target = typeof value === 'string' ? book[value]?.object : value;
  if (typeof target === 'object' && target !== null) copy[field] = expandPath(world, target, rest, full);
  return copy;
}

/** A whole number of minor units within Stripe's bounds. */
export function amountParam(params: FormParams, name: string): number {
  const text = params.get(name);
  if (text === undefined) throw invalidParam(name, `Missing required param: ${name}.`, 'parameter_missing');
  if (!/^-?\d+$/.test(text))
    throw invalidParam(name, `Invalid integer: ${text}`, 'parameter_invalid_integer');
  const amount = Number(text);
  if (amount < 1) {
    throw invalidParam(name, 'This value must be greater than or equal to 1.', 'parameter_invalid_integer');
  }
  if (amount > 99_999_999)
    throw invalidParam(name, 'Amount must be no more than 99999999.', 'amount_too_large');
  return amount;
}

export function currencyParam(params: FormParams, name: string): string {
  const currency = params.get(name);
  if (currency === undefined)
    throw invalidParam(name, `Missing required param: ${name}.`, 'parameter_missing');
  if (!/^[a-z]{3}$/i.test(currency)) throw invalidParam(name, `Invalid currency: ${currency}.`);
  return currency.toLowerCase();
}
