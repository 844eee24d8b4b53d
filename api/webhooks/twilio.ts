import type { RequestHandler } from 'express';
import type { Ownership } from '../../providers/stripe/ownership.js';
import { isSignedByTwilio, statusCallbackPath } from '../../providers/twilio/status-callback.js';
import { Problem } from '../problem.js';
import type { WebhookRelay } from './relay.js';

export interface TwilioWebhookDependencies {
  authToken: string;
  /** As Twilio was given it: the signature covers the whole URL. */
  publicUrl: string;
  ownership: Ownership;
  relay: WebhookRelay;
}

/** Twilio's status callbacks. Only "it did not arrive" is news; the mark in the URL names the checkout. */
export function twilioStatusWebhook({
  authToken,
  publicUrl,
  ownership,
  relay,
}: TwilioWebhookDependencies): RequestHandler {
  return async (request, response) => {
    const query = request.originalUrl.slice(request.path.length + request.baseUrl.length);
    const text = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
    const params = Object.fromEntries(new URLSearchParams(text));
    const url = `${publicUrl}${statusCallbackPath}${query}`;
    const signature = request.get('x-twilio-signature') ?? '';
    if (!isSignedByTwilio({ authToken, signature, url, params })) {
      throw new Problem('signature_invalid', { detail: 'the X-Twilio-Signature is missing or wrong' });
    }
    const owner = ownership.read(Object.fromEntries(new URLSearchParams(query)));
    const { MessageSid: objectId, MessageStatus: status } = params;
    if (!owner || objectId === undefined || (status !== 'undelivered' && status !== 'failed')) {
      response.json({ effect: 'ignored' });
      return;
    }
    const event = { v: 1, id: `${objectId}:${status}`, kind: 'message.undelivered', objectId } as const;
    response.json({ effect: await relay.deliver(owner, event) });
  };
}
