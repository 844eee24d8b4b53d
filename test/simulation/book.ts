import type { StripeState } from '../../local/simulators/stripe/stripe-state.js';
import type { World } from './world.js';

/** One payment of a checkout, by the stand-in's book; minor units. */
export interface Payment {
  intent: string;
  captured: number;
  net: number;
  /** When it was captured, epoch ms, to the second before. */
  takenAt: number;
  /** The status of the refund that was made because it came late, if there is one. */
  returned: string | undefined;
  disputed: boolean;
  /** Somebody gave some of it back in the dashboard. */
  byHand: boolean;
  /** The bank has sent a refund of it back that was asked for in a call. */
  sentBack: boolean;
}

/** What a person must look at: the bank may take it back, has sent it back, or somebody was faster with a part of it. */
export const isForPeople = ({ disputed, returned, byHand }: Payment): boolean =>
  disputed || returned !== undefined || byHand;

/** What the stand-ins know of money and of ways to pay: an independent record, whatever the product says. */
export class Book {
  /** Payments that nobody asked the caller for: copies that somebody made by hand. */
  readonly copies = new Set<string>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Minor units taken for a checkout, whatever was given back. */
  captured(checkoutId: string): number {
    return this.sum(checkoutId, (kind) => kind === 'capture');
  }

  net(checkoutId: string): number {
    return this.sum(checkoutId, () => true);
  }

  #belongs(intent: string, checkoutId: string): boolean {
    if (this.#world.foreign.has(intent)) return false;
    const mark = this.state.intents[intent]?.object.metadata['vc_checkout'];
    if (mark !== undefined) return mark === checkoutId;
    // Only the wallet request that it came of says whose it is.
    return Object.values(this.state.authorizations).some(
      ({ object }) => object.payment_intent === intent && object.metadata['vc_checkout'] === checkoutId,
    );
  }

  /** What was taken for a checkout, payment by payment. */
  payments(checkoutId: string): Payment[] {
    const { intents, refunds, charges, postings } = this.state;
    const capture = (intent: string) =>
      postings.find(
        ({ kind, lines }) =>
          kind === 'capture' && lines.some(({ account }) => account === `cardholder:${intent}`),
      );
    return Object.keys(intents)
      .filter((intent) => this.#belongs(intent, checkoutId))
      .map((intent) => {
        const ours = ({ object }: { object: { payment_intent: unknown } }) =>
          object.payment_intent === intent;
        const given = Object.values(refunds).filter(ours);
        const lateOnes = given.filter(({ object }) => object.metadata?.['vc_refund']?.startsWith('late_'));
        const askedFor = given.filter(({ object }) => object.metadata?.['vc_refund']?.startsWith('rf_'));
        return {
          intent,
          captured: this.sum(checkoutId, (kind) => kind === 'capture', intent),
          net: this.sum(checkoutId, () => true, intent),
          takenAt: (capture(intent)?.at ?? Infinity) * 1_000,
          returned: lateOnes.at(-1)?.object.status ?? undefined,
          disputed: Object.values(charges).some((charge) => ours(charge) && charge.object.disputed),
          sentBack: askedFor.some(({ object }) => object.status === 'failed'),
          byHand: given.some(({ object }) => object.metadata?.['vc_refund'] === undefined),
        };
      })
      .filter(({ captured }) => captured > 0);
  }

  /** When the money of a checkout was begun that was captured, or is under way, epoch ms, to the second before. */
  begun(checkoutId: string): number[] {
    return Object.values(this.state.intents)
      .filter(({ object: { id } }) => this.#belongs(id, checkoutId))
      .filter(({ object: { status } }) => status === 'succeeded' || status === 'processing')
      .map(({ object: { created } }) => created * 1_000);
  }

  /** Somebody approved in the wallet, and no payment and no token came of it. */
  hasBareApproval(checkoutId: string): boolean {
    return Object.values(this.state.authorizations).some(
      ({ object }) =>
        object.metadata['vc_checkout'] === checkoutId &&
        object.status === 'approved' &&
        object.payment_intent === null &&
        object.shared_payment_granted_token === null,
    );
  }

  /** Minor units that its payments took, over the postings of the kinds that count; `only`: by that payment. */
  sum(checkoutId: string, counts: (kind: string) => boolean, only?: string): number {
    const { postings } = this.state;
    let sum = 0;
    for (const { kind, lines } of postings) {
      if (!counts(kind)) continue;
      for (const { account, amount } of lines) {
        if (!account.startsWith('cardholder:')) continue;
        const intent = account.slice('cardholder:'.length);
        if (only !== undefined && intent !== only) continue;
        if (this.#belongs(intent, checkoutId)) sum -= amount;
      }
    }
    return sum;
  }

  /** The pages that are open, whether or not anybody has their link. */
  pages(checkoutId: string): string[] {
    const now = Math.floor(this.#world.time.now / 1_000);
    return Object.values(this.state.sessions)
      .map(({ object }) => object)
      .filter(({ metadata, status }) => metadata?.['vc_checkout'] === checkoutId && status === 'open')
      .filter(({ expires_at: end }) => end > now)
      .map(({ id }) => id);
  }

  /** The ways in which a caller could pay now. A page whose link nobody got is none. */
  live(checkoutId: string): string[] {
    const { authorizations, tokens, intents } = this.state;
    const now = Math.floor(this.#world.time.now / 1_000);
    const mine = (metadata: Record<string, string> | null | undefined) =>
      metadata?.['vc_checkout'] === checkoutId;
    const texts = Object.values(this.#world.standIns.network.state.messages);
    const live = this.pages(checkoutId)
      .filter((id) => texts.some(({ body }) => body.includes(id)))
      .map((id) => `page ${id}`);
    const asked = Object.values(authorizations).filter(
      ({ object }) => mine(object.metadata) && object.status === 'pending' && object.expires_at > now,
    );
    for (const { object } of asked) live.push(`wallet ${object.id}`);
    const token = Object.values(tokens).some(
      (one) => mine(one.metadata) && !one.spent && one.expires_at > now,
    );
    const charging = Object.values(intents)
      .map(({ object, session }) => ({ ...object, session }))
      .filter(({ id, session, amount }) => session === null && this.#belongs(id, checkoutId) && amount > 0)
      // Whoever makes one by hand has a payment method at hand, and no token.
      .filter(({ id }) => !this.copies.has(id));
    const underWay = charging.filter(({ status }) => status === 'processing');
    const inert = charging.find(({ status }) => !['processing', 'succeeded', 'canceled'].includes(status));
    for (const { id } of underWay) live.push(`charge ${id}`);
    // Of those that wait for the token one can be charged with it.
    if (underWay.length === 0 && inert && token) live.push(`charge ${inert.id}`);
    return live;
  }

  /** The way to pay that a charge came of; undefined for one that came of no wallet request. */
  originOf(way: string): string | undefined {
    const { authorizations } = this.state;
    const asked = Object.values(authorizations).find(
      ({ object }) => way === `charge ${object.payment_intent ?? ''}`,
    );
    return asked && `wallet ${asked.object.id}`;
  }

  get state(): StripeState {
    return this.#world.standIns.world.state;
  }
}
