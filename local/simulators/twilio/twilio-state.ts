import type { MessageStatus } from 'twilio/lib/rest/api/v2010/account/message.js';

/** One SMS as the stand-in keeps it; times in milliseconds. */
export interface SmsRecord {
  sid: string;
  to: string;
  from: string | null;
  messaging_service_sid: string | null;
  body: string;
  status: MessageStatus;
  direction: 'inbound' | 'outbound-api';
  error_code: number | null;
  created: number;
  updated: number;
  sent: number | null;
  status_callback: string | null;
}

export interface TwilioState {
  messages: Record<string, SmsRecord>;
  /** Numbers that texted STOP. */
  opted_out: Record<string, true>;
}

export const emptyTwilioState = (): TwilioState => ({ messages: {}, opted_out: {} });
