import { createHash } from 'node:crypto';
import { StripeRefusal } from './stripe-refusal.js';
import type { SavedAnswer, StripeState } from './stripe-state.js';
import type { FormParams } from '../form-params.js';

const KEPT_S = 24 * 3_600;

/** One use of an Idempotency-Key, from the start of its request to its answer. */
export interface KeyUse {
  scope: string;
  request: string;
  params: string;
}

export class Idempotency {
  readonly #inUse = new Set<string>();
  #nextPruneS = 0;

  constructor(readonly state: StripeState) {}

  /** Claims the key, or gives the answer saved for it. Each claim must be released. */
  claim(
    key: string,
    caller: { apiKey: string; account: string | null },
    request: string,
    params: FormParams,
    nowS: number,
  ): { use: KeyUse; saved?: SavedAnswer } {
    this.#prune(nowS);
    if (key.length > 255) {
      throw idempotencyRefusal(400, 'Idempotency keys must be at most 255 characters.');
    }
    // Hashed, so that no snapshot holds an API key.
    const digest = createHash('sha256')
      .update(JSON.stringify([caller.apiKey, caller.account, key]))
      .digest('hex');
    const use = { scope: digest.slice(0, 32), request, params: JSON.stringify([...params].sort()) };
    const saved = this.state.idempotency[use.scope];
    if (saved !== undefined && (saved.request !== use.request || saved.params !== use.params)) {
      throw idempotencyRefusal(
        400,
        'Keys for idempotent requests can only be used with the same endpoint and parameters they were first used with.',
      );
    }
    if (saved !== undefined) return { use, saved };
    if (this.#inUse.has(use.scope)) {
      throw new StripeRefusal(
        409,
        {
          type: 'invalid_request_error',
          code: 'idempotency_key_in_use',
          message: 'There is currently another in-progress request using this Idempotency Key.',
        },
        false,
      );
    }
    this.#inUse.add(use.scope);
    return { use };
  }

  release(use: KeyUse, answer?: { status: number; body: string; requestId: string; nowS: number }): void {
    this.#inUse.delete(use.scope);
    if (answer === undefined) return;
    const { request, params } = use;
    const { status, body, requestId: request_id, nowS: created } = answer;
    this.state.idempotency[use.scope] = { request, params, status, body, request_id, created };
  }

  #prune(nowS: number): void {
    if (nowS < this.#nextPruneS) return;
    this.#nextPruneS = nowS + 600;
    for (const [scope, saved] of Object.entries(this.state.idempotency)) {
      if (saved.created + KEPT_S < nowS) delete this.state.idempotency[scope];
    }
  }
}

const idempotencyRefusal = (status: number, message: string): StripeRefusal =>
  new StripeRefusal(status, { type: 'idempotency_error', message }, false);
