import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { containsCardNumber } from '../domain/card-data.js';
import { Problem } from './problem.js';

/** E.164 as people write it: one in ten German mobile numbers could be a Visa of 13 digits. */
const e164 = /^\+(?:[\s().-]{0,2}\d){7,15}$/;
const signedToken = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Fields whose valid form is digits but no card; a value that has not that form is looked at like any other. */
const exempt = new Map([
  ['phone', e164],
  ['quote_token', signedToken],
]);

/** Bodies as they were sent: of a field that is given twice, the parsed one has lost the first value. */
const sent = new WeakMap<IncomingMessage, string>();

/** For `express.json({ verify })`. Keeps the text for `refuseCardData`; JSON is UTF-8 (RFC 8259, 8.1) and nothing else. */
export function keepJsonText(request: IncomingMessage, _response: unknown, body: Buffer, charset: string) {
  if (charset !== 'utf-8') throw Object.assign(new Error('not UTF-8'), { type: 'charset.unsupported' });
  sent.set(request, body.toString('utf8'));
}

/** Texts, each with the colon that makes it the name of a field, and numbers, of a JSON text that is known to be valid. */
const literals = /("(?:[^"\\]+|\\.)*")\s*(:?)|-?\d[\d.eE+-]*/g;

function hasCardNumber(json: string): boolean {
  let name = '';
  for (const [literal, text, colon] of json.matchAll(literals)) {
    const value = String(JSON.parse(text ?? literal));
    if (colon === ':') name = value;
    else if (exempt.get(name)?.test(value)) continue;
    if (containsCardNumber(value) || (text === undefined && containsCardNumber(literal))) return true;
  }
  return false;
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
  if (places.some(containsCardNumber) || hasCardNumber(sent.get(request) ?? ''))
    throw new Problem('card_data_refused');
  next();
};
