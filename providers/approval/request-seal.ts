import { createHmac, timingSafeEqual } from 'node:crypto';

/** Keys in order at every level, so that the same request always gives the same text. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, part]) => [key, canonical(part)]),
  );
}

/**
 * Seals what the API let in (HMAC-SHA256), so that a request typed into Temporal by hand, or altered there, moves no money:
 * the activities that do check the seal.
 */
export class RequestSeal {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  seal(request: object): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify(canonical(request)))
      .digest('base64url');
  }

  isGenuine(request: object, seal: unknown): boolean {
    const expected = Buffer.from(this.seal(request));
    const given = Buffer.from(typeof seal === 'string' ? seal : '');
    return expected.length === given.length && timingSafeEqual(expected, given);
  }
}
