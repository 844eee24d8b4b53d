/** What Twilio answered when it refused a request: HTTP status and Twilio's own error code. */
export interface TwilioRefusal {
  status: number;
  code?: number | undefined;
}

/** The refusal behind an error of Twilio's client, which throws two classes for two wire formats; undefined for anything else. */
export function twilioRefusal(error: unknown): TwilioRefusal | undefined {
  if (!(error instanceof Error)) return undefined;
  const { status, code } = error as { status?: unknown; code?: unknown };
  if (typeof status !== 'number') return undefined;
  return { status, code: typeof code === 'number' ? code : undefined };
}
