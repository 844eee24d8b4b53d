import type { RequestHandler } from 'express';
import { containsCardNumber } from '../domain/card-data.js';
import { type JsonLiteral, jsonLiterals } from './json-text.js';
import { Problem } from './problem.js';

/** E.164 as people write it: one in ten German mobile numbers could be a Visa of 13 digits. */
const e164 = /^\+(?:[\s().-]{0,2}\d){7,15}$/;
const signedToken = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Fields whose valid form is digits but no card; a value that has not that form is looked at like any other. */
const exempt = new Map([
  ['phone', e164],
  ['quote_token', signedToken],
]);

/** True for what holds a card number in a field where digits may not be something else. */
const isCardData = ({ kind, value, written, field }: JsonLiteral) =>
  !(kind !== 'name' && exempt.get(field)?.test(value)) &&
  (containsCardNumber(value) || (kind === 'number' && containsCardNumber(written)));

/** A URL as a person reads it; as it is when its escapes are broken. */
export const decodedUrl = (url: string): string => {
  try {
    return decodeURIComponent(url.replaceAll('+', ' '));
  } catch {
    return url;
  }
};

/** Refuses a request with a card number anywhere in it: body, address, query, headers an agent sets. Never echoes it. */
export const refuseCardData: RequestHandler = (request, _response, next) => {
  const headers = [request.get('idempotency-key'), request.get('x-request-id')].filter(
    (text) => text !== undefined,
  );
  const places = [decodedUrl(request.originalUrl), ...headers];
  if (places.some(containsCardNumber) || [...jsonLiterals(request)].some(isCardData))
    throw new Problem('card_data_refused');
  next();
};
