import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import Stripe from 'stripe';
import { failureTypes } from '../contracts/failures.js';
import { type TwilioRefusal, twilioRefusal } from '../providers/twilio/twilio-error.js';

/** Longest wait between two attempts, ms. */
const maxBackoffMs = 30_000;

/**
 * When to try again: doubled from 100 ms, with full jitter in the upper half so that many checkouts do not return in
 * step, and never before the vendor's `Retry-After`.
 */
function nextRetryDelay(retryAfter: string | undefined): number {
  const attempt = Math.min(activityInfo().attempt, 12);
  const backoff = Math.min(maxBackoffMs, 100 * 2 ** (attempt - 1));
  const seconds = Number(retryAfter);
  const asked = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1_000, maxBackoffMs * 2) : 0;
  return Math.round(asked + backoff * (0.5 + Math.random() / 2));
}

/** Temporary: the same request with the same key is safe and may succeed. */
function unavailable(vendor: string, status: number | undefined, retryAfter?: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: failureTypes.vendorUnavailable,
    message: `${vendor} is unavailable or its answer was lost (${status ?? 'no answer'})`,
    nextRetryDelay: nextRetryDelay(retryAfter),
    category: ApplicationFailureCategory.BENIGN,
  });
}

const failure = (type: string, message: string, nonRetryable: boolean, details: unknown[] = []) =>
  ApplicationFailure.create({ type, message, nonRetryable, details });

/** A 5xx that Stripe kept for the key, or says is final: whether anything was done is unknown, and this key will never tell. */
export function isStoredFault(error: unknown): boolean {
  if (!(error instanceof Stripe.errors.StripeError)) return false;
  const headers: Record<string, string> = error.headers ?? {};
  const final = headers['idempotent-replayed'] === 'true' || headers['stripe-should-retry'] === 'false';
  return (error.statusCode ?? 0) >= 500 && final;
}

/**
 * A Stripe error as a typed failure for Temporal; the only place that decides what may be retried. Carries status, code,
 * parameter name and request id, never the vendor's message or object: histories are read by people.
 */
function stripeFailure(error: InstanceType<typeof Stripe.errors.StripeError>): ApplicationFailure {
  const { statusCode, code, param, requestId } = error;
  const headers: Record<string, string> = error.headers ?? {};
  // The try counts: what is refused at a repetition may have been done at an earlier one.
  const details = [{ status: statusCode, code, param, requestId, attempt: activityInfo().attempt }];
  const label = `Stripe ${statusCode ?? ''} ${code ?? error.type}`;
  const retryHint = headers['stripe-should-retry'];

  if (isStoredFault(error)) {
    return failure(
      failureTypes.storedVendorError,
      `${label}: stored for this idempotency key, or final`,
      true,
      details,
    );
  }
  if (statusCode === 401 || statusCode === 403) {
    // Retryable: a key being rotated comes back; steps that open something list this type as final themselves.
    return failure(failureTypes.credentialsRefused, `${label}: credentials refused`, false, details);
  }
  const retry =
    retryHint === 'true' ||
    error instanceof Stripe.errors.StripeConnectionError ||
    statusCode === undefined ||
    statusCode === 409 ||
    statusCode === 429 ||
    statusCode >= 500;
  if (retry) return unavailable('Stripe', statusCode, headers['retry-after']);
  // Not a refusal of what is asked for: the key may have opened something, for a run of which nothing is left.
  if (error instanceof Stripe.errors.StripeIdempotencyError)
    return failure(failureTypes.keyTaken, label, true, details);
  return failure(failureTypes.requestRefused, label, true, details);
}

function twilioFailure(error: TwilioRefusal): ApplicationFailure {
  const details = [{ status: error.status, code: error.code }];
  if (error.status === 401 || error.status === 403) {
    return failure(
      failureTypes.credentialsRefused,
      `Twilio ${error.status}: credentials refused`,
      false,
      details,
    );
  }
  if (error.status === 429 || error.status >= 500) return unavailable('Twilio', error.status);
  return failure(failureTypes.requestRefused, `Twilio ${error.status} ${error.code ?? ''}`, true, details);
}

/** nodemailer puts the SMTP reply code on its errors: 4xx is temporary, 5xx final (RFC 5321). */
function mailRefusal(error: unknown): number | undefined {
  const code = error instanceof Error ? (error as { responseCode?: unknown }).responseCode : undefined;
  return typeof code === 'number' ? code : undefined;
}

/** Twilio's client throws plain network errors with a `code` such as ECONNRESET. */
function isNetworkError(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && /^(E[A-Z]+|UND_ERR.*|ERR_(BAD_RESPONSE|NETWORK|CANCELED))$/.test(code);
}

/** Runs an effect and turns what the vendors throw into typed failures. Anything else is a bug and stays as it is. */
export async function withVendorFailures<T>(effect: () => Promise<T>): Promise<T> {
  try {
    return await effect();
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) throw stripeFailure(error);
    const refusal = twilioRefusal(error);
    if (refusal) throw twilioFailure(refusal);
    const mail = mailRefusal(error);
    if (mail !== undefined) {
      if (mail < 500) throw unavailable('the mail server', mail);
      throw failure(failureTypes.requestRefused, `the mail server refused (${mail})`, true);
    }
    if (isNetworkError(error)) throw unavailable('the vendor', undefined);
    throw error;
  }
}
