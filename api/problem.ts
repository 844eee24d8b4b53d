import type { Response } from 'express';

/** Every error code of the HTTP contract with its status, title and what an agent may say. */
const problems = {
  invalid_request: [400, 'The request is not valid', false],
  unauthenticated: [401, 'A valid API key is required', false],
  scope_missing: [403, 'The API key lacks the scope', false],
  signature_invalid: [403, 'The signature does not fit', false],
  self_approval: [403, 'Nobody approves their own request', false],
  not_found: [404, 'Not found', false],
  purchase_open: [409, 'Another amount is open for this purchase', false],
  already_paid: [409, 'This purchase is already paid', false],
  payment_in_flight: [409, 'Money is already moving', true],
  rail_unavailable: [409, 'This way to pay is not available', false],
  already_decided: [409, 'Somebody decided before', false],
  request_changed: [409, 'The decision is for another request', false],
  exceeds_refundable: [409, 'More than can still be given back', false],
  not_refundable: [409, 'This payment cannot be given back', false],
  no_attention_needed: [409, 'There is nothing here that Stripe does not prove', false],
  money_captured: [409, 'Stripe shows money of it that was not given back', false],
  still_open: [409, 'It can still be paid', true],
  approval_expired: [410, 'The time to decide is over', false],
  quote_expired: [410, 'The quote has expired', false],
  body_too_large: [413, 'The request body is too large', false],
  unsupported_media_type: [415, 'The body must be uncompressed JSON', false],
  consent_mismatch: [422, 'The caller agreed to something else than the quote', false],
  card_data_refused: [422, 'Card numbers are never accepted', false],
  amount_invalid: [422, 'The amount cannot be charged', false],
  phone_invalid: [422, 'The phone number cannot be used', false],
  idempotency_conflict: [422, 'The Idempotency-Key was used with another body', false],
  rate_limited: [429, 'Too many requests', true],
  unavailable: [503, 'The outcome is not known; the same request is safe', true],
} as const satisfies Record<string, readonly [status: number, title: string, safeToRetry: boolean]>;

export type ProblemCode = keyof typeof problems;

const sentences: Partial<Record<ProblemCode, string>> = {
  already_paid: 'This is already paid. You have not been charged again.',
  purchase_open: 'A payment for this is already open. Let me check it first.',
  payment_in_flight: "I'm still confirming, please don't pay again.",
  rail_unavailable: "I can't offer that way to pay right now.",
  exceeds_refundable: "I can't give back that much of this payment.",
  not_refundable: "I can't give that payment back.",
  quote_expired: 'That price has expired. Let me get you a new one.',
  consent_mismatch: 'The price has changed. Let me read it to you again.',
  card_data_refused: "Please don't tell me your card number. I'll send you a secure way to pay instead.",
  amount_invalid: "I can't take that amount.",
  phone_invalid: "I can't send a text message to that number. Do you have another one?",
  rate_limited: 'One moment, please.',
  unavailable: "I'm still confirming, please don't pay again.",
};

export interface ProblemDetails {
  detail?: string;
  checkout_id?: string;
  errors?: { path: string; message: string }[];
  decision?: string;
  decided_by?: string;
  decided_at?: string;
  /** Seconds. */
  retry_after?: number;
}

/** An error of the HTTP contract. `detail` never repeats what was sent. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(code);
    this.name = 'Problem';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return problems[this.code][0];
  }
}

/** Answers with `application/problem+json` (RFC 9457). */
export function sendProblem(response: Response, problem: Problem, requestId: string): void {
  const [status, title, safeToRetry] = problems[problem.code];
  const { retry_after, ...details } = problem.details;
  if (retry_after !== undefined) response.set('Retry-After', String(retry_after));
  if (status === 401) response.set('WWW-Authenticate', 'Bearer');
  response
    .status(status)
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: `urn:voice-checkout:problem:${problem.code}`,
        title,
        status,
        code: problem.code,
        detail: title,
        ...details,
        safe_to_retry: safeToRetry,
        say: sentences[problem.code] ?? 'Something went wrong on our side. Nothing more was done.',
        request_id: requestId,
      }),
    );
}
