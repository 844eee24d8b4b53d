import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import { principalOf } from './authenticate.js';
import { Problem } from './problem.js';

/** Remembers the newest entries for a while. */
export class Recent<Value> {
  readonly #entries = new Map<string, { value: Value; until: number }>();
  readonly #max: number;
  readonly #ttlMs: number;

  constructor(max: number, ttlMs: number) {
    this.#max = max;
    this.#ttlMs = ttlMs;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.until > Date.now() ? entry.value : undefined;
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, until: Date.now() + this.#ttlMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#max && oldest !== undefined) this.#entries.delete(oldest);
  }
}

const dayMs = 24 * 3_600_000;

/** Deeper than any request of ours by far, and far from the end of the stack. */
const maxDepth = 64;

/** The same request whatever the order of its fields. */
function sorted(value: unknown, depth = 0): unknown {
  if (depth > maxDepth) throw new Problem('invalid_request', { detail: 'the body is nested too deep' });
  if (Array.isArray(value)) return value.map((item) => sorted(item, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return names.map(([name, item]) => ({ name, item: sorted(item, depth + 1) }));
}

/**
 * Catches an agent that uses one Idempotency-Key for two different requests. Only a guard against such a bug, kept in
 * this process: what makes repeats safe is the business key in the workflow id, with or without this header.
 */
export function refuseReusedKeys(): RequestHandler {
  const seen = new Recent<string>(20_000, dayMs);
  return (request, response, next) => {
    const key = request.get('idempotency-key');
    if (request.method !== 'POST' || key === undefined) return next();
    if (key.length === 0 || key.length > 255) {
      throw new Problem('invalid_request', { detail: 'Idempotency-Key must have 1 to 255 characters' });
    }
    const { tenant } = principalOf(response);
    const place = `${tenant.id} ${key}`;
    const fingerprint = createHash('sha256')
      .update(`${request.path}\n${JSON.stringify(sorted(request.body ?? {}))}`)
      .digest('base64');
    const first = seen.get(place);
    if (first !== undefined && first !== fingerprint) throw new Problem('idempotency_conflict');
    if (first === undefined) seen.set(place, fingerprint);
    next();
  };
}
