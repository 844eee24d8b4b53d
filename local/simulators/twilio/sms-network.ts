import twilio from 'twilio';
import { hexOf } from '../random-bytes.js';
import type { VendorPlumbing } from '../vendor-plumbing.js';
import type { WebhookPost } from '../webhook-post.js';
import type { SmsRecord, TwilioState } from './twilio-state.js';

const STEP_MS = 150;
const CALLBACK_RETRY_MS = [300, 1_000, 3_000];
const CALLBACK_ANSWER_MS = 15_000;
const STOP_WORDS = ['stop', 'stopall', 'unsubscribe', 'cancel', 'end', 'quit'];
const UNREACHABLE = 30_003;

export interface TwilioAccount {
  accountSid: string | undefined;
  authToken: string | undefined;
}

/** Carries messages to phones on a short clock, and reports each change but the initial status. */
export class SmsNetwork {
  #closed = false;

  constructor(
    readonly state: TwilioState,
    readonly plumbing: VendorPlumbing,
    readonly account: TwilioAccount,
    readonly post: WebhookPost,
  ) {
    for (const sms of Object.values(state.messages)) this.#advance(sms);
  }

  send(
    given: Pick<SmsRecord, 'to' | 'from' | 'messaging_service_sid' | 'body' | 'status_callback'>,
  ): SmsRecord {
    const now = this.plumbing.clock.now();
    const sms: SmsRecord = {
      ...given,
      sid: `SM${hexOf(this.plumbing.random(16))}`,
      // A messaging service first accepts, then chooses a sender.
      status: given.messaging_service_sid === null ? 'queued' : 'accepted',
      direction: 'outbound-api',
      error_code: null,
      created: now,
      updated: now,
      sent: null,
    };
    this.state.messages[sms.sid] = sms;
    this.#advance(sms);
    return sms;
  }

  /** A text from a phone. STOP opts the number out, START in again. */
  receive(from: string, body: string): SmsRecord {
    const word = body.trim().toLowerCase();
    if (STOP_WORDS.includes(word)) this.state.opted_out[from] = true;
    if (word === 'start' || word === 'unstop') delete this.state.opted_out[from];
    const sms = this.send({ to: '', from, messaging_service_sid: null, body, status_callback: null });
    sms.direction = 'inbound';
    sms.status = 'received';
    return sms;
  }

  close(): void {
    this.#closed = true;
  }

  #advance(sms: SmsRecord): void {
    if (!['accepted', 'queued', 'sent'].includes(sms.status)) return;
    this.plumbing.clock.at(this.plumbing.clock.now() + STEP_MS, () => {
      if (sms.direction === 'inbound') return;
      const now = this.plumbing.clock.now();
      if (sms.status === 'sent') {
        const lost = sms.to.endsWith('0003');
        sms.status = lost ? 'undelivered' : 'delivered';
        sms.error_code = lost ? UNREACHABLE : null;
      } else {
        sms.status = 'sent';
        sms.sent = now;
      }
      sms.updated = now;
      this.plumbing.touch();
      void this.#report(sms);
      this.#advance(sms);
    });
  }

  async #report(sms: SmsRecord): Promise<void> {
    const url = sms.status_callback;
    if (url === null) return;
    const params: Record<string, string> = {
      AccountSid: this.account.accountSid ?? '',
      ApiVersion: '2010-04-01',
      From: sms.from ?? '',
      MessageSid: sms.sid,
      MessageStatus: sms.status,
      SmsSid: sms.sid,
      SmsStatus: sms.status,
      To: sms.to,
    };
    if (sms.messaging_service_sid !== null) params['MessagingServiceSid'] = sms.messaging_service_sid;
    if (sms.error_code !== null) params['ErrorCode'] = String(sms.error_code);
    const body = new URLSearchParams(params).toString();
    const headers = {
      'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
      'x-twilio-signature': twilio.getExpectedTwilioSignature(this.account.authToken ?? '', url, params),
    };
    for (const wait of [0, ...CALLBACK_RETRY_MS]) {
      if (wait > 0) await this.plumbing.clock.sleep(wait);
      const again = { 'i-twilio-idempotency-token': hexOf(this.plumbing.random(8)) };
      if (this.#closed || (await this.post(url, { ...headers, ...again }, body, CALLBACK_ANSWER_MS))) return;
    }
  }
}
