import type { ApiProcess } from '../support/simulation/product.js';
import { principal } from '../support/simulation/product.js';
import { Problem } from '../../api/problem.js';
import type { RefundMemo } from '../../contracts/refund.js';
import { renderCheckout } from '../../api/checkouts/resource.js';
import { type ShownCheckout, withAftermath } from '../../api/checkouts/aftermath.js';
import { readCheckout } from '../../api/checkouts/store.js';
import { readRefund } from '../../api/refunds/resource.js';
import { Violation } from '../support/simulation/violation.js';
import type { Oracle } from './oracle.js';
import type { Action, Purchase } from './scenario.js';
import type { World } from './world.js';

type Of<Kind extends Action['kind']> = Extract<Action, { kind: Kind }>;

/** Pauses between looks at a checkout, ms. */
const looks = [2_000, 9_000, 60_000, 600_000, 3_600_000];

/** Those who speak with the API: voice agents, their colleagues, approvers. What they are told the oracle hears. */
export class Agents {
  /** Checkouts that somebody was told of, by purchase. */
  readonly checkouts: Set<string>[];
  readonly refunds = new Map<string, { purchase: number; memo: RefundMemo }>();
  readonly #world: World;
  readonly #oracle: Oracle;
  /** When each request was sent first, though the answer to that may have been lost. */
  readonly #refundsAskedAt = new Map<string, number>();
  readonly #watched = new Set<string>();
  /** Called with what is thrown where nobody waits. */
  onFault: (error: unknown) => void = () => undefined;

  constructor(world: World, oracle: Oracle) {
    this.#world = world;
    this.#oracle = oracle;
    this.checkouts = world.scenario.purchases.map(() => new Set<string>());
  }

  /** Reads the price out, gets the caller's yes and starts; each is repeated while its outcome is not known. */
  async sell(action: Of<'agent'>): Promise<void> {
    const { time, story } = this.#world;
    const bought = this.#purchase(action.purchase);
    const { currency, item: description, phone } = bought;
    const amount = bought.amount + (action.priceOff ?? 0);
    const after = action.again ? this.#oracle.lastPaid(action.purchase) : undefined;
    if (after !== undefined) this.#oracle.buysAgain(action.purchase, after);
    const tenant = this.#tenant(bought);
    const quoted = await this.#asking(`quote ${description}`, (api) =>
      api.quote(
        {
          call: { id: action.call, channel: 'voice' },
          customer: { phone },
          purchase: { kind: 'amount', amount, currency, description },
          ...(after !== undefined && { after }),
        },
        tenant,
      ),
    );
    if (!quoted) return;
    const { quote } = quoted;
    if (quote.checkout_state) story.count('joined an open checkout');
    this.checkouts[action.purchase]!.add(quote.checkout_id);
    this.#oracle.quoted(quote.checkout_id, action.purchase);
    if (action.hangsUp) {
      story.tell('caller', 'hangs up before saying yes', 'hung up before consent');
      return;
    }
    if (action.thinks !== undefined) await time.sleep(action.thinks);
    const consent = { amount, currency, confirmed_at: new Date(time.now).toISOString(), words: 'yes' };
    const start = async () => {
      this.#oracle.confirmed(quote.checkout_id, action.purchase, amount);
      const outcome = await this.#asking(`start ${quote.checkout_id.slice(-8)}`, (api) =>
        api.checkouts.startCheckout(
          {
            quote_token: quote.quote_token,
            consent,
            ...(action.rails && { rails: action.rails }),
            ...(action.toStranger && bought.stranger && { contact: { phone: bought.stranger.phone } }),
          },
          tenant,
        ),
      );
      if (!outcome) return;
      if (outcome.repeated) story.count('start repeated');
      this.#hear(action.purchase, outcome.memo);
      this.#watch(action.purchase, quote.checkout_id);
    };
    await Promise.all(action.twice ? [start(), start()] : [start()]);
    if (action.repeatAfter !== undefined) {
      await time.sleep(action.repeatAfter);
      await start();
    }
  }

  /** Asks for a price of what is not sold, or with a text that no call can hold: must be refused, and nothing may come of it. */
  async askInVain({ purchase, call, what }: Of<'misfit'>): Promise<void> {
    const bought = this.#purchase(purchase);
    const { amount, currency, phone, item } = bought;
    const goods = {
      invoice: { kind: 'invoice', invoice: 'in_simulated' },
      subscription_change: {
        kind: 'subscription_change',
        subscription: 'sub_simulated',
        price: 'price_more',
      },
      oversize: { kind: 'amount', amount, currency, description: item.repeat(20_000) },
    }[what];
    const body = { call: { id: call, channel: 'voice' }, customer: { phone }, purchase: goods };
    this.#oracle.asksInVain(call);
    const answer = await this.#asking(what, (api) => api.quote(body, this.#tenant(bought)));
    if (answer) throw new Violation('I2', `a price was read out for ${what}`);
  }

  async cancel({ purchase }: Of<'cancel'>): Promise<void> {
    const checkout = this.#lastCheckout(purchase);
    if (checkout === undefined) return;
    const tenant = this.#tenant(this.#purchase(purchase));
    const outcome = await this.#asking('cancel', (api) => api.checkouts.cancelCheckout(checkout, {}, tenant));
    if (outcome) this.#hear(purchase, outcome.memo);
  }

  async switchRail({ purchase, rail }: Of<'switch'>): Promise<void> {
    const checkout = this.#lastCheckout(purchase);
    if (checkout === undefined) return;
    const tenant = this.#tenant(this.#purchase(purchase));
    const outcome = await this.#asking(`switch to ${rail}`, (api) =>
      api.checkouts.switchRail(checkout, { rail }, tenant),
    );
    if (outcome) this.#hear(purchase, outcome.memo);
  }

  async giveBack({ purchase, call, amount, reason, by, twice }: Of<'refund'>): Promise<void> {
    const checkout = this.#oracle.lastPaid(purchase) ?? this.#lastCheckout(purchase);
    if (checkout === undefined) return;
    const tenant = this.#tenant(this.#purchase(purchase));
    const request = `${purchase} ${call}`;
    const askedAt = this.#refundsAskedAt.get(request) ?? this.#world.time.now;
    this.#refundsAskedAt.set(request, askedAt);
    const ask = async () => {
      const outcome = await this.#asking(`refund ${amount ?? 'the rest'}`, (api) =>
        api.refund(
          {
            checkout_id: checkout,
            reason,
            call: { id: call, channel: 'voice' },
            ...(amount !== undefined && { amount }),
          },
          principal(tenant, by),
        ),
      );
      if (!outcome) return;
      if (outcome.repeated) this.#world.story.count('refund repeated');
      this.refunds.set(outcome.memo.refund.refundId, { purchase, memo: outcome.memo });
      const wish = `${checkout} ${amount ?? 'rest'} ${call}`;
      this.#oracle.refunds.asked(outcome.memo.refund, wish, askedAt);
      this.#oracle.refunds.heard(tenant.id, outcome.memo);
    };
    await Promise.all(twice ? [ask(), ask()] : [ask()]);
  }

  async decide({ purchase, by, decision, altered }: Of<'decide'>): Promise<void> {
    const mine = [...this.refunds.values()].filter((refund) => refund.purchase === purchase);
    const refund = (mine.find(({ memo }) => memo.state.status === 'awaiting_approval') ?? mine.at(-1))?.memo
      .refund;
    if (!refund) return;
    const tenant = this.#tenant(this.#purchase(purchase));
    const requestHash = altered ? '0'.repeat(64) : refund.requestHash;
    if (!altered)
      this.#oracle.refunds.decided(refund.refundId, { by, decision, requestedBy: refund.requestedBy });
    const outcome = await this.#asking(`${by} ${decision}`, (api) =>
      api.decide({ tenantId: tenant.id, refundId: refund.refundId, requestHash, decision, decidedBy: by }),
    );
    if (!outcome) return;
    this.refunds.set(refund.refundId, { purchase, memo: outcome.memo });
    this.#oracle.refunds.heard(tenant.id, outcome.memo);
  }

  /** Reads everything anybody was ever told of once more. */
  async lookAtAll(): Promise<void> {
    for (const [purchase, ids] of this.checkouts.entries()) {
      for (const id of ids) await this.#look(purchase, id);
    }
    for (const [id, { purchase }] of this.refunds) {
      const tenant = this.#tenant(this.#purchase(purchase));
      const memo = await this.#world.api?.serve(() => readRefund(this.#world.api!.client, tenant.id, id));
      if (memo) this.#oracle.refunds.heard(tenant.id, memo);
    }
  }

  #watch(purchase: number, checkout: string): void {
    if (this.#watched.has(checkout)) return;
    this.#watched.add(checkout);
    const { time } = this.#world;
    for (const pause of looks)
      time.after(pause, () => void this.#look(purchase, checkout).catch(this.onFault));
  }

  async #look(purchase: number, checkout: string): Promise<void> {
    const { api } = this.#world;
    const tenant = this.#tenant(this.#purchase(purchase));
    try {
      const now = await api?.serve(async () => {
        const found = await readCheckout(api.client, tenant.id, checkout);
        return found && (await withAftermath(api.client, tenant.id, found));
      });
      if (now) this.#hear(purchase, now);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }

  #hear(purchase: number, shown: ShownCheckout): void {
    const tenant = this.#tenant(this.#purchase(purchase));
    const told = renderCheckout(shown, tenant);
    this.#world.story.tell(
      'agent',
      `hears of ${told.checkout_id.slice(-8)}: ${told.state}${told.reason ? ` (${told.reason})` : ''}${told.late_payment ? `, late money ${told.late_payment.state}` : ''}`,
    );
    for (const { rail, reason } of told.terminal ? told.attempts : [])
      if (reason) this.#world.story.count(`ended ${rail}: ${reason}`);
    this.#oracle.heard(told);
  }

  /** Repeats a request while its outcome is unknown, as the contract asks; undefined when it was refused. */
  async #asking<T>(what: string, request: (api: ApiProcess) => Promise<T>): Promise<T | undefined> {
    const { time, story } = this.#world;
    for (let tries = 1; tries <= 4; tries++) {
      try {
        const answer = await this.#world.api?.serve(() => request(this.#world.api!));
        if (answer !== undefined) {
          story.tell('agent', `${what}: answered`, `asked: ${what.split(' ')[0]}`);
          return answer;
        }
        story.count('asked a dead API');
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        story.tell('agent', `${what}: ${error.code}`, `refused: ${error.code}`);
        story.count(`${what.split(' ')[0]} refused: ${error.code}`);
        if (error.code !== 'unavailable') return undefined;
      }
      await time.sleep(1_000 * tries);
    }
    return undefined;
  }

  #lastCheckout(purchase: number): string | undefined {
    return [...(this.checkouts[purchase] ?? [])].at(-1);
  }

  #purchase(index: number): Purchase {
    return this.#world.scenario.purchases[index]!;
  }

  #tenant({ tenant }: Purchase) {
    return this.#world.tenants.get(tenant)!;
  }
}
