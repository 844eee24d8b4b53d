/** What a refused charge means for the rest of the call. The caller only ever hears that it did not go through. */
export type DeclineReason = 'declined' | 'needs_authentication';

/** A refusal as the vendor reports it. Codes are for ops, never for the caller. */
export interface Decline {
  /** Stripe's `code`, for example card_declined or authentication_required. */
  code?: string | undefined;
  /** Stripe's `decline_code`, for example insufficient_funds. */
  declineCode?: string | undefined;
}

/** `authentication_required` wants the caller's screen, anything else is a plain no. Neither is retried on the same method. */
export function declineReason({ code, declineCode }: Decline): DeclineReason {
  const needsCaller = code === 'authentication_required' || declineCode === 'authentication_required';
  return needsCaller ? 'needs_authentication' : 'declined';
}
