import Stripe from 'stripe';
import { eventEnvelope } from './events.js';
import type { VendorPlumbing } from '../vendor-plumbing.js';
import type { WebhookPost } from '../webhook-post.js';
import type { Delivery, StripeState } from './stripe-state.js';

/** Delays before the second, third, … attempt; the last one repeats. */
const BACKOFF_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000];
const GIVE_UP_MS = 3 * 24 * 3_600_000;
const HOLD_MS = 2_000;
const ANSWER_MS = 20_000;

export interface WebhookTarget {
  url?: string | undefined;
  /** For events of connected accounts; the first url takes them where this is not set. */
  connectUrl?: string | undefined;
  secret?: string | undefined;
}

/** Delivers events signed, after the response, again and again until a 2xx. Pending ones live in the snapshot. */
export class WebhookSender {
  readonly #stripe = new Stripe('sk_test_webhooks', { telemetry: false });
  #closed = false;

  constructor(
    readonly state: StripeState,
    readonly plumbing: VendorPlumbing,
    readonly target: WebhookTarget,
    readonly post: WebhookPost,
  ) {
    for (const delivery of Object.values(state.deliveries)) this.#schedule(delivery);
  }

  /** Plans the deliveries of a new event, as the faults want them. */
  plan(eventId: string): void {
    const event = this.state.events[eventId];
    if (event === undefined) return;
    if (this.#urlFor(event.account) === undefined) {
      event.delivered = true;
      return;
    }
    const fault = this.plumbing.faults.takeWebhook(event.type);
    if (fault?.webhook === 'lose') return;
    const now = this.plumbing.clock.now();
    const copies = fault?.webhook === 'duplicate' ? 3 : 1;
    const wait =
      fault?.webhook === 'delay' ? (fault.ms ?? 1_000) : fault?.webhook === 'reorder' ? HOLD_MS : 0;
    for (let copy = 1; copy <= copies; copy += 1) {
      const delivery: Delivery = {
        id: `${eventId}.${copy}`,
        event: eventId,
        attempts: 0,
        first_at: now,
        // A few milliseconds, so that the answer to the request is out first.
        next_at: now + 4 + wait + (copy - 1) * 20,
        held: fault?.webhook === 'reorder',
        bad_signature: fault?.webhook === 'bad_signature',
      };
      this.state.deliveries[delivery.id] = delivery;
      this.#schedule(delivery);
    }
  }

  close(): void {
    this.#closed = true;
  }

  #urlFor(account: string | null): string | undefined {
    return account === null ? this.target.url : (this.target.connectUrl ?? this.target.url);
  }

  #schedule(delivery: Delivery): void {
    const attempt = delivery.attempts;
    this.plumbing.clock.at(delivery.next_at, () => {
      // A released hold has a second timer; only the first one to fire may send.
      if (this.state.deliveries[delivery.id] === undefined || delivery.attempts !== attempt) return;
      delivery.attempts += 1;
      delivery.held = false;
      void this.#attempt(delivery);
    });
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const accepted = await this.#post(delivery);
    if (this.#closed) return;
    if (accepted) {
      delete this.state.deliveries[delivery.id];
      const event = this.state.events[delivery.event];
      if (event !== undefined) event.delivered = true;
      this.#releaseHeld();
    } else if (this.plumbing.clock.now() - delivery.first_at > GIVE_UP_MS) {
      delete this.state.deliveries[delivery.id];
    } else {
      delivery.next_at = this.plumbing.clock.now() + (BACKOFF_MS[delivery.attempts - 1] ?? 60_000);
      this.#schedule(delivery);
    }
    this.plumbing.touch();
  }

  #releaseHeld(): void {
    for (const delivery of Object.values(this.state.deliveries)) {
      if (!delivery.held) continue;
      delivery.held = false;
      delivery.next_at = this.plumbing.clock.now();
      this.#schedule(delivery);
    }
  }

  async #post(delivery: Delivery): Promise<boolean> {
    const event = this.state.events[delivery.event];
    const url = event === undefined ? undefined : this.#urlFor(event.account);
    if (event === undefined || url === undefined) return false;
    const payload = JSON.stringify(eventEnvelope(event));
    const spoiled = delivery.bad_signature && delivery.attempts === 1;
    const secret = spoiled
      ? 'whsec_not_the_one'
      : (this.target.secret?.split(',')[0]?.trim() ?? 'whsec_unset');
    // Signed for each attempt, so that a late redelivery is within the receiver's tolerance.
    const signature = this.#stripe.webhooks.generateTestHeaderString({
      ...{ payload, secret },
      timestamp: this.plumbing.clock.seconds(),
    });
    const headers = { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature };
    // The wrongly signed attempt counts as failed even where a receiver takes it, so the event still arrives.
    return (await this.post(url, headers, payload, ANSWER_MS)) && !spoiled;
  }
}
