import twilio from 'twilio';

/** The API's route for Twilio's message status callbacks. */
export const statusCallbackPath = '/webhooks/twilio/status';

/**
 * The callback URL of one checkout's messages. It carries the same mark as the objects at Stripe, so the relay finds the
 * workflow without a look-up; Twilio's signature covers the whole URL.
 */
export function statusCallbackUrl(publicUrl: string, mark: Readonly<Record<string, string>>): string {
  return `${publicUrl}${statusCallbackPath}?${new URLSearchParams(mark).toString()}`;
}

/** True when Twilio signed exactly this URL and these form parameters. */
export function isSignedByTwilio(request: {
  authToken: string;
  signature: string;
  url: string;
  params: Record<string, string>;
}): boolean {
  return twilio.validateRequest(request.authToken, request.signature, request.url, request.params);
}
