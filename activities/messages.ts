import { ApplicationFailure } from '@temporalio/common';
import type { Twilio } from 'twilio';
import type { MessageInstance } from 'twilio/lib/rest/api/v2010/account/message.js';
import { failureTypes } from '../contracts/failures.js';
import { textPaymentLink } from '../domain/say.js';
import type { Tenant } from '../domain/tenant.js';
import { twilioRefusal } from '../providers/twilio/twilio-error.js';
import { type ActivityDependencies, type CheckoutRef, tenantOf } from './accounts.js';
import { withVendorFailures } from './failures.js';
import { remember, remembered } from './remember.js';

export interface LinkMessage extends CheckoutRef {
  phone: string;
  url: string;
  amount: number;
  currency: string;
  description: string;
  locale: string;
}

export type MessageAnswer =
  | { kind: 'accepted'; message: string }
  /** Twilio refuses this number or this text for good (opted out, landline, blocked country). `code` is Twilio's. */
  | { kind: 'undeliverable'; code: number };

/** The sender a tenant texts from, as Twilio names it. */
export const senderOf = ({ from, messagingServiceSid }: Tenant['sms']) =>
  messagingServiceSid === undefined ? { from: from ?? '' } : { messagingServiceSid };

interface Text {
  to: string;
  body: string;
  /** A part of the body that no other message has: a link. Tells whether it was sent. */
  unique: string;
  from?: string;
  messagingServiceSid?: string;
  statusCallback?: string;
}

/**
 * Sends a text at most twice, and the second time only if Twilio lists no message with its unique part: Twilio has no
 * idempotency keys. `listed` are the newest messages to the number, for who has them already. Result: the message's id.
 */
export async function textOnce(
  twilio: Twilio,
  { unique, ...text }: Text,
  listed?: readonly MessageInstance[],
): Promise<string> {
  const newest = listed ?? (await twilio.messages.list({ to: text.to, limit: 20 }));
  const sent = newest.find(({ body }) => body.includes(unique));
  if (sent) return sent.sid;
  const { sends = 0 } = (remembered() ?? {}) as { sends?: number };
  if (sends >= 2) {
    throw ApplicationFailure.nonRetryable(
      'sent twice without an answer, and Twilio lists neither',
      failureTypes.requestRefused,
    );
  }
  remember({ sends: sends + 1 });
  try {
    return (await twilio.messages.create(text)).sid;
  } catch (error) {
    // Twilio says no: nothing was sent.
    if ((twilioRefusal(error)?.status ?? 500) < 500) remember({ sends });
    throw error;
  }
}

/** Stands where Twilio's code would, when our own limit for the number was reached. */
const limitReached = 0;

/** The text message with the payment link. Twilio has no idempotency keys: a repetition looks first. */
export function createMessageActivities(dependencies: ActivityDependencies) {
  const { twilio } = dependencies;

  return {
    /** Sends the link once. A number that got the tenant's limit of messages lately gets no more: `undeliverable`. */
    async sendPaymentLink(request: LinkMessage): Promise<MessageAnswer> {
      const { sms, limits, name: merchant, wording } = tenantOf(dependencies, request);
      const { phone, amount, currency, description, locale, url } = request;
      const { max, windowMs } = limits.smsPerNumber;
      return withVendorFailures(async () => {
        const since = Date.now() - windowMs;
        const listed = await twilio.messages.list({ to: phone, limit: Math.max(20, max) });
        const lately = listed.filter(({ dateCreated }) => dateCreated.getTime() > since);
        if (lately.length >= max && !lately.some(({ body }) => body.includes(url))) {
          return { kind: 'undeliverable', code: limitReached };
        }
        try {
          const money = { amount, currency };
          const text = {
            to: phone,
            body: textPaymentLink({ money, description, locale, wording, merchant, url }),
            unique: url,
            statusCallback: dependencies.statusCallbackUrl(request.tenantId, request.checkoutId),
            ...senderOf(sms),
          };
          return { kind: 'accepted', message: await textOnce(twilio, text, listed) };
        } catch (error) {
          const refusal = twilioRefusal(error);
          if (refusal?.status === 400) return { kind: 'undeliverable', code: refusal.code ?? 0 };
          throw error;
        }
      });
    },

    /** Whether the message is known not to have arrived. */
    async readMessage(
      ref: CheckoutRef & { message: string },
    ): Promise<{ undelivered: boolean; code?: number }> {
      return withVendorFailures(async () => {
        const { status, errorCode } = await twilio.messages(ref.message).fetch();
        const undelivered = status === 'undelivered' || status === 'failed';
        return { undelivered, ...(errorCode && { code: errorCode }) };
      });
    },
  };
}
