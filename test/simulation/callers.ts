import type Stripe from 'stripe';
import {
  approveAuthorization,
  declineAuthorization,
} from '../../local/simulators/stripe/agent-authorizations.js';
import { paySession, settleIntent } from '../../local/simulators/stripe/checkout-sessions.js';
import { settleRefund } from '../../local/simulators/stripe/refunds.js';
import { StripeRefusal } from '../../local/simulators/stripe/stripe-refusal.js';
import type { World } from './world.js';

/** The callers: what they do in their wallet and on the page, and what their banks say later. They see only what is theirs. */
export class Callers {
  readonly #world: World;
  readonly #seen = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Looks what is new on the callers' phones. */
  look(): void {
    const { state: stripe } = this.#world.standIns.world;
    for (const record of Object.values(stripe.authorizations)) {
      const { id, customer } = record.object;
      if (this.#once(id)) this.#wallet(id, customer.phone);
    }
    for (const { sid, to, body, status } of Object.values(this.#world.standIns.network.state.messages)) {
      const session = /\/c\/pay\/(\w+)/.exec(body)?.[1];
      if (session === undefined || status === 'undelivered' || status === 'failed') continue;
      if (this.#once(sid)) this.#page(session, to);
    }
    for (const record of Object.values(stripe.intents)) {
      if (record.object.status === 'processing' && this.#once(`bank ${record.object.id}`))
        this.#bank(record.object);
    }
    for (const { object } of Object.values(stripe.refunds)) {
      if (object.status === 'pending' && this.#once(object.id)) this.#bankReturns(object);
    }
  }

  #once(id: string): boolean {
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    return true;
  }

  #callerOf(phone: string | null) {
    return this.#world.scenario.purchases.find((bought) => bought.phone === phone)?.caller;
  }

  #strangerAt(phone: string) {
    return this.#world.scenario.purchases.find(({ stranger }) => stranger?.phone === phone)?.stranger;
  }

  #wallet(id: string, phone: string | null): void {
    const wallet = this.#callerOf(phone)?.wallet;
    const { story } = this.#world;
    if (!wallet || wallet.does === 'ignore') {
      if (wallet) story.tell('caller', `ignores the wallet (${id})`, 'wallet ignored');
      return;
    }
    this.#later(wallet.after, `${wallet.does} in the wallet`, () => {
      const { world } = this.#world.standIns;
      const record = world.state.authorizations[id];
      if (!record) return;
      if (wallet.does === 'approve') {
        approveAuthorization(world, record, wallet);
        story.tell(
          'caller',
          `approves ${id}: ${wallet.grants}, ${wallet.outcome}`,
          `wallet ${wallet.grants}`,
        );
      } else {
        declineAuthorization(world, record);
        story.tell('caller', `declines ${id}`, 'wallet declined');
      }
    });
  }

  #page(session: string, phone: string): void {
    const stranger = this.#strangerAt(phone);
    for (const { after, outcome } of (stranger ?? this.#callerOf(phone))?.page ?? []) {
      this.#later(after, `pays on the page: ${outcome}`, () => {
        const { world } = this.#world.standIns;
        const record = world.state.sessions[session];
        if (!record) return;
        paySession(world, record, outcome);
        const who = stranger ? 'stranger' : 'caller';
        this.#world.story.tell(who, `pays ${session.slice(0, 14)}: ${outcome}`, `page ${outcome}`);
        if (stranger && outcome === 'succeeded') this.#world.story.count('page paid by somebody else');
      });
    }
  }

  #bank(intent: Stripe.PaymentIntent): void {
    const { scenario, standIns } = this.#world;
    const bank = scenario.purchases.find(({ amount }) => amount === intent.amount)?.caller.bank ?? {
      after: 1_000,
      outcome: 'succeeded',
    };
    this.#later(bank.after, `the bank says ${bank.outcome}`, () => {
      const record = standIns.world.state.intents[intent.id];
      if (!record) return;
      settleIntent(standIns.world, record, bank.outcome);
      this.#world.story.tell('bank', `${bank.outcome} for ${intent.id.slice(0, 9)}`, `bank ${bank.outcome}`);
    });
  }

  /** A refund of a bank debit is under way as long as that was, and half an hour at most: the last pass sees its end. */
  #bankReturns({ id, charge }: Stripe.Refund): void {
    const { scenario, standIns } = this.#world;
    const { amount } =
      (typeof charge === 'string' ? standIns.world.state.charges[charge]?.object : undefined) ?? {};
    const { after = 0, returns } = scenario.purchases.find((one) => one.amount === amount)?.caller.bank ?? {};
    const outcome = returns ? 'failed' : 'succeeded';
    this.#later(Math.min(after, 1_800_000), `the bank says ${outcome} to a refund`, () => {
      const record = standIns.world.state.refunds[id];
      if (record) settleRefund(standIns.world, record, outcome);
      this.#world.story.tell('bank', `refund ${id.slice(0, 9)} ${outcome}`, `refund of a debit ${outcome}`);
    });
  }

  /** What the vendor no longer takes happened too late. */
  #later(after: number, what: string, run: () => void): void {
    this.#world.time.after(after, () => {
      try {
        run();
      } catch (error) {
        if (!(error instanceof StripeRefusal)) throw error;
        this.#world.story.tell('caller', `${what}, too late`, 'too late');
      }
      this.#world.onVendorChange();
    });
  }
}
