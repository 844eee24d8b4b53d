import type { RequestHandler } from 'express';
import { containsCardNumber } from '../domain/card-data.js';
import { Problem } from './problem.js';

/** E.164 as people write it: one in ten German mobile numbers could be a Visa of 13 digits. */
const e164 = /^\+(?:[\s().-]{0,2}\d){7,15}$/;
const signedToken = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Fields whose valid form is digits but no card; a value that has not that form is looked at like any other. */
const exempt: Readonly<Record<string, RegExp>> = { phone: e164, quote_token: signedToken };

/** Deeper than any request of ours by far, and far from the end of the stack. */
const maxDepth = 64;

function hasCardNumber(value: unknown, key = '', depth = 0): boolean {
  if (depth > maxDepth) throw new Problem('invalid_request', { detail: 'the body is nested too deep' });
  if (typeof value === 'string') return !exempt[key]?.test(value) && containsCardNumber(value);
  if (typeof value === 'number') return containsCardNumber(String(value));
  if (Array.isArray(value)) return value.some((item) => hasCardNumber(item, key, depth + 1));
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([name, item]) => containsCardNumber(name) || hasCardNumber(item, name, depth + 1),
  );
}

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
  if (places.some(containsCardNumber) || hasCardNumber(request.body)) throw new Problem('card_data_refused');
  next();
};
