import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { Problem } from './problem.js';

/** Bodies as they were sent: of a field that is given twice, the parsed one has lost the first value. */
const sent = new WeakMap<IncomingMessage, string>();

/** For `express.json({ verify })`. Keeps the text for `jsonLiterals`; JSON is UTF-8 (RFC 8259, 8.1) and nothing else. */
export function keepJsonText(request: IncomingMessage, _response: unknown, body: Buffer, charset: string) {
  if (charset !== 'utf-8') throw Object.assign(new Error('not UTF-8'), { type: 'charset.unsupported' });
  sent.set(request, body.toString('utf8'));
}

export interface JsonLiteral {
  kind: 'name' | 'text' | 'number';
  value: string;
  /** As it was written. */
  written: string;
  /** The name of the field it stands in; of a name, itself. */
  field: string;
}

/** A text, with the colon that makes it the name of a field, or a number, in a JSON text that is known to be valid. */
const literal = /("(?:[^"\\]+|\\.)*")\s*(:?)|-?\d[\d.eE+-]*/g;

/** Every name, text and number of the request's body, in the order in which they were sent. */
export function* jsonLiterals(request: IncomingMessage): Generator<JsonLiteral> {
  let field = '';
  for (const [number, text, colon] of (sent.get(request) ?? '').matchAll(literal)) {
    const written = text ?? number;
    const value = String(JSON.parse(written));
    const kind = text === undefined ? 'number' : colon === ':' ? 'name' : 'text';
    if (kind === 'name') field = value;
    yield { kind, value, written, field };
  }
}

/** Refuses half a character (a lone surrogate): it cannot be written as UTF-8, and would stop a payment half-way. */
export const refuseHalfCharacters: RequestHandler = (request, _response, next) => {
  for (const { value } of jsonLiterals(request)) {
    if (/\p{Cs}/u.test(value))
      throw new Problem('invalid_request', { detail: 'a text holds half a character' });
  }
  next();
};
