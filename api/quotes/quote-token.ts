import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { Problem } from '../problem.js';

/** What a quote binds. Whoever holds the token can start exactly this checkout and no other. */
const claims = z.object({
  tenant: z.string(),
  checkout_id: z.string(),
  quote_id: z.string(),
  amount: z.number().int().positive(),
  currency: z.string(),
  description: z.string(),
  call_id: z.string(),
  customer_key: z.string(),
  locale: z.string(),
  contact: z.object({ phone: z.string().optional(), email: z.string().optional() }),
  /** The checkout after which the same is bought again. */
  after: z.string().optional(),
  /** The numbers of the attempts before this one that ended without money, and may yet be paid late. */
  before: z.array(z.number().int()).optional(),
  exp: z.number(),
});

export type Quote = Omit<z.output<typeof claims>, 'exp'>;

/** How long a price that was read out stands, ms. */
export const quoteLifetimeMs = 15 * 60_000;

/** Signs quotes (HS256) with a key that signs nothing else. */
export class QuoteTokens {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  sign(quote: Quote, expiresAt: Date): Promise<string> {
    return new SignJWT({ ...quote })
      .setProtectedHeader({ alg: 'HS256', typ: 'vc-quote' })
      .setExpirationTime(expiresAt)
      .sign(this.#key);
  }

  /** The quote and whether its time is over. A forged, altered or foreign token is an `invalid_request`. */
  async open(token: string, tenantId: string): Promise<Quote & { expired: boolean }> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ['HS256'],
        typ: 'vc-quote',
        // Age is judged below: an expired quote may still name a checkout that exists.
        clockTolerance: Number.MAX_SAFE_INTEGER / 1_000,
      });
      const { exp, ...quote } = claims.parse(payload);
      if (quote.tenant === tenantId) return { ...quote, expired: exp * 1_000 <= Date.now() };
    } catch {
      // Why a token is wrong is of use to nobody who did not forge it.
    }
    throw new Problem('invalid_request', { detail: 'quote_token is not a quote of this tenant' });
  }
}
