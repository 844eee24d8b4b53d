import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Agent,
  type Answer,
  type Caller,
  type Checkout,
  newCaller,
  type Quote,
} from '../support/system-agent.js';
import type { StandIns } from '../support/system-vendors.js';
import { Diary, type Tally } from './diary.js';
import { type Asker, insist } from './insist.js';
import type { CheckoutPlan } from './plans.js';

export interface StoryParts {
  agent: Agent;
  standIns: StandIns;
  repeats: Tally;
  patientUntil: () => number;
}

/** What was said of a checkout, once for each version. */
export type Heard = Pick<Checkout, 'version' | 'state' | 'say'>;

const waitMs = 2_000;

/** One caller, their agent, and every checkout that the one wish led to. */
export class CheckoutStory {
  readonly diary = new Diary();
  readonly heard = new Map<string, Heard[]>();
  /** What no weather excuses. */
  readonly problems: string[] = [];
  readonly #caller: Caller;
  readonly #asker: Asker;
  /** Everything done beside the following. */
  readonly #acts: Promise<void>[] = [];
  #reached = new Set<string>();

  constructor(
    readonly plan: CheckoutPlan,
    readonly parts: StoryParts,
  ) {
    const caller = newCaller();
    this.#caller = plan.hasWallet ? caller : { ...caller, email: `${caller.ref}@nolink.test` };
    this.#asker = { diary: this.diary, repeats: parts.repeats, patientUntil: parts.patientUntil };
    this.diary.note(JSON.stringify(plan));
  }

  /** Plays the call until its checkout has ended or nobody waits any longer; gives the first checkout as it was last. */
  async play(untilMs: number): Promise<Checkout> {
    const quote = (await this.#quote()).body;
    const body = this.#startBody(quote);
    const id = quote.checkout_id;
    const starts = this.plan.agent === 'starts twice at once' ? [body, body] : [body];
    if (starts.length > 1) this.parts.repeats.add('double starts');
    await Promise.all(starts.map((one) => this.#start(one, id)));
    const last = await this.follow(id, untilMs, (checkout) => this.#react(checkout, body));
    for (const act of this.#acts) await act;
    return last;
  }

  /** Hears whatever is new of a checkout until it has ended, or until then. */
  async follow(id: string, untilMs: number, react?: (checkout: Checkout) => void): Promise<Checkout> {
    let version = 0;
    for (;;) {
      const { status, body } = await insist(this.#asker, `GET ${id}`, () =>
        this.parts.agent.get(id, version, waitMs),
      );
      if (status !== 200) throw new Error(`GET ${id} answered ${status}`);
      this.#hear(body);
      if (body.version < version)
        this.problems.push(`${id} went back from version ${version} to ${body.version}`);
      version = body.version;
      react?.(body);
      if (body.terminal || Date.now() > untilMs) return body;
    }
  }

  #hear({ checkout_id, version, state, say }: Checkout): void {
    const known = this.heard.get(checkout_id) ?? [];
    this.heard.set(checkout_id, known);
    if (known.at(-1)?.version !== version || known.at(-1)?.state !== state)
      known.push({ version, state, say });
  }

  #quote(): Promise<Answer<Quote>> {
    return insist(this.#asker, 'POST quote', () =>
      this.parts.agent.askQuote(this.#caller, this.plan.amount, 'Growth plan'),
    );
  }

  #startBody(quote: Quote): object {
    return this.parts.agent.startBody(quote, this.#caller, this.plan.rails);
  }

  async #start(body: object, expected: string): Promise<void> {
    const { status, body: checkout } = await insist(this.#asker, 'POST start', () =>
      this.parts.agent.start(body),
    );
    if (status !== 202 && status !== 200) {
      this.problems.push(`the start answered ${status}`);
      return;
    }
    if (checkout.checkout_id !== expected)
      this.problems.push(`the start of ${expected} answered ${checkout.checkout_id}`);
    this.#hear(checkout);
  }

  /** Each state sets off what this caller and this agent do in it, once. */
  #react({ checkout_id: id, state }: Checkout, body: object): void {
    if (this.#reached.has(state)) return;
    this.#reached.add(state);
    if (state !== 'awaiting_wallet' && state !== 'awaiting_link') return;
    const first = !this.#reached.has(state === 'awaiting_wallet' ? 'awaiting_link' : 'awaiting_wallet');
    if (state === 'awaiting_wallet') this.#act('the wallet', this.plan.thinkMs, () => this.#useWallet(id));
    else this.#act('the page', this.plan.thinkMs, () => this.#usePage(id));
    if (first) this.#meddle(id, body);
  }

  /** Beside the following; that it came too late is part of the story, not an error. */
  #act(what: string, afterMs: number, act: () => Promise<unknown>): void {
    const done = sleep(afterMs)
      .then(act)
      .then(
        () => this.diary.note(`${what}: done`),
        (error: unknown) =>
          this.diary.note(`${what}: ${error instanceof Error ? error.message : String(error)}`),
      );
    this.#acts.push(done);
  }

  async #useWallet(id: string): Promise<void> {
    const { standIns } = this.parts;
    const token = { grants: 'shared_payment_token' };
    switch (this.plan.wallet) {
      case 'approves':
        return standIns.approve(id);
      case 'brings a token':
        return standIns.approve(id, token);
      case 'brings a token that is declined':
        return standIns.approve(id, { ...token, outcome: 'insufficient_funds' });
      case 'pays and is declined':
        return standIns.approve(id, { outcome: 'declined' });
      case 'denies':
        return standIns.deny(id);
      case 'ignores':
        return;
    }
  }

  async #usePage(id: string): Promise<void> {
    const { standIns } = this.parts;
    if (this.plan.page === 'ignores') return;
    if (this.plan.page === 'is declined, then pays') await standIns.pay(id, 'declined');
    await standIns.pay(id);
  }

  #meddle(id: string, body: object): void {
    const { agent, repeats } = this.parts;
    const { thinkMs } = this.plan;
    switch (this.plan.agent) {
      case 'follows':
      case 'starts twice at once':
        return;
      case 'starts again later':
        repeats.add('later starts');
        return this.#act('starting again', thinkMs / 2, () => this.#start(body, id));
      case 'is called again':
        repeats.add('redials');
        return this.#act('redialing', thinkMs / 2, () => this.#redial(id));
      case 'cancels':
      case 'cancels while the caller pays':
        repeats.add('cancels');
        return this.#act('canceling', this.plan.agent === 'cancels' ? thinkMs / 2 : thinkMs, () =>
          insist(this.#asker, 'POST cancel', () => agent.cancel(id)),
        );
      case 'switches to the page':
        repeats.add('switches');
        return this.#act('switching', thinkMs, () =>
          insist(this.#asker, 'POST rail', () => agent.switchRail(id, 'paymentLink')),
        );
    }
  }

  /** The same wish on another call: the same checkout, or a new one where the first has ended without money. */
  async #redial(id: string): Promise<void> {
    const { status, body } = await this.#quote();
    if (status !== 200 && status !== 201) return;
    if (body.checkout_id !== id) {
      const { body: before } = await insist(this.#asker, `GET ${id}`, () => this.parts.agent.get(id));
      this.#hear(before);
      if (!before.terminal || before.state === 'paid')
        this.problems.push(`a redial opened ${body.checkout_id} while ${id} is ${before.state}`);
    }
    await this.#start(this.#startBody(body), body.checkout_id);
  }
}
