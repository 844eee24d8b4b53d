import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Checkout } from '../support/system-agent.js';
import type { TestSystem } from '../support/system.js';
import { CheckoutStory, type StoryParts } from './checkout-story.js';
import { Tally } from './diary.js';
import { LiveWatch } from './live-watch.js';
import { type Told, wrongs, wrongTexts } from './oracle.js';
import { checkoutPlan, refundPlan } from './plans.js';
import { RefundStory } from './refund-story.js';
import { SeededRandom } from './seeded-random.js';
import { Weather, type WeatherOptions } from './weather.js';

export interface ChaosSize {
  checkouts: number;
  refunds: number;
  seed: number;
}

export interface ChaosOptions extends ChaosSize, WeatherOptions {
  /** Calls at a time. */
  concurrency: number;
  /** How long everything may take to come to an end once the weather is over, ms. */
  settleMs: number;
}

export interface ChaosReport {
  /** One line: what was done and what became of it. */
  summary: string;
  /** The story of each call that went wrong; empty when all is well. */
  stories: string[];
}

/** Longest time one call is followed while the weather lasts, ms. */
const callMs = 60_000;
/** A day that is not over by then has gone wrong, and is judged as it is. */
const longestDayMs = ({ checkouts }: ChaosSize): number => 120_000 + checkouts * 2_000;

const rails = (walletMs: number, linkMs: number) => ({
  rails: [
    { rail: 'linkWallet', deadline_ms: walletMs },
    { rail: 'paymentLink', deadline_ms: linkMs },
  ],
});
/** Changes to the sample's tenants: one waits as long as a caller may need, one until the caller has hardly thought. */
export const chaosTenants = [rails(6_000, 10_000), rails(2_000, 4_000)];

/** Many calls in bad weather, on a system with two workers; then calm, and a look at the books. */
export async function runChaos(system: TestSystem, options: ChaosOptions): Promise<ChaosReport> {
  const { seed, settleMs } = options;
  const begun = Date.now();
  const repeats = new Tally();
  let calmSince = Infinity;
  const patientUntil = (): number => calmSince + settleMs;
  const day = new Day(system, options, { repeats, patientUntil });
  const weather = new Weather(system, new SeededRandom(seed, 3_000_000), options);
  const watch = new LiveWatch(system.standIns);

  weather.begin();
  watch.begin();
  const calls = day.play();
  await Promise.race([calls, sleep(longestDayMs(options), undefined, { ref: false })]);
  const faults = await weather.end();
  calmSince = Date.now();
  await calls;
  const told = await day.settle(patientUntil());
  await watch.end();

  const found = wrongs(told, await system.standIns.ledger());
  const ofNobody = [...(found.get('') ?? []), ...wrongTexts(await system.standIns.messages())];
  const stories = [...ofNobody, ...day.wrongStories(told, found, watch.seen)];
  const seconds = (from: number, to: number): string => `${Math.round((to - from) / 1_000)} s`;
  const count = (names: readonly string[]): Tally => {
    const tally = new Tally();
    for (const name of names) tally.add(name);
    return tally;
  };
  const refunds = count(told.flatMap((one) => one.refunds.map(({ state }) => state)));
  const summary = [
    `chaos seed ${seed}: ${told.length} checkouts of ${options.checkouts} calls (${count(told.map(({ checkout }) => checkout.state)).text})`,
    `late money: ${count(told.flatMap(({ checkout }) => checkout.late_payment?.state ?? [])).text}`,
    `${refunds.total} refunds (${refunds.text})`,
    `kill -9: ${weather.kills.text}`,
    `faults met: ${faults.text}`,
    `agents: ${repeats.text}`,
    `${watch.looks} looks for two ways to pay at once`,
    `${seconds(begun, calmSince)} of weather, ${seconds(calmSince, Date.now())} to rest`,
    `${stories.length} wrong`,
  ].join('; ');
  return { summary, stories };
}

/** All calls of one run. */
class Day {
  readonly #stories: CheckoutStory[] = [];
  readonly #refunds: RefundStory[] = [];

  constructor(
    readonly system: TestSystem,
    readonly options: ChaosOptions,
    readonly shared: Pick<StoryParts, 'repeats' | 'patientUntil'>,
  ) {}

  play(): Promise<void> {
    const { checkouts, concurrency } = this.options;
    return inParallel(checkouts, concurrency, (index) => this.#call(index));
  }

  /** Follows whatever has not ended yet, until it has or until then. */
  async settle(untilMs: number): Promise<Told[]> {
    const told: Told[] = [];
    await inParallel(this.#stories.length, this.options.concurrency, async (index) => {
      const story = this.#stories[index];
      for (const id of [...(story?.heard.keys() ?? [])]) {
        if (story) await noting(story, async () => void told.push(await this.#asItEnded(story, id, untilMs)));
      }
    });
    return told;
  }

  /** Each call with something wrong: what, and all that happened. */
  wrongStories(
    told: readonly Told[],
    found: ReadonlyMap<string, readonly string[]>,
    doubles: ReadonlyMap<string, string>,
  ): string[] {
    return this.#stories.flatMap((story) => {
      const ids = [...story.heard.keys()];
      const refunds = ids.flatMap((id) => this.#refundsOf(id));
      const paid = told.filter(
        ({ checkout: { checkout_id: id, state } }) => ids.includes(id) && state === 'paid',
      );
      const wrong = [
        ...ids.flatMap((id) => (found.get(id) ?? []).map((text) => `${id} ${text}`)),
        ...ids.flatMap((id) => doubles.get(id) ?? []),
        ...[story, ...refunds].flatMap(({ problems }) => problems),
        ...(paid.length > 1 ? [`one wish was paid ${paid.length} times`] : []),
        ...(ids.length === 0 ? ['no start was ever accepted'] : []),
      ];
      if (wrong.length === 0) return [];
      const lines = [story, ...refunds].flatMap(({ diary }) => diary.lines);
      return [[...wrong, ...lines.map((line) => `    ${line}`)].join('\n')];
    });
  }

  async #call(index: number): Promise<void> {
    const { seed } = this.options;
    const plan = checkoutPlan(seed, index);
    const as = (key: 'agent' | 'approver' | 'supervisor'): Agent =>
      new Agent(
        () => this.system.dev,
        () => (plan.tenant === 'patient' ? this.system.dev : this.system.dev.other_tenant)?.keys[key],
      );
    const parts = { ...this.shared, agent: as('agent') };
    const story = new CheckoutStory(plan, { ...parts, standIns: this.system.standIns });
    this.#stories.push(story);
    await noting(story, async () => {
      const checkout = await story.play(Date.now() + callMs);
      const number = this.#refunds.length;
      if (checkout.state !== 'paid' || number >= this.options.refunds) return;
      const people = { ...parts, approver: as('approver'), supervisor: as('supervisor') };
      const random = new SeededRandom(seed, 2_000_000 + number);
      const refund = new RefundStory(refundPlan(seed, number), checkout, people, random);
      this.#refunds.push(refund);
      await noting(refund, () => refund.play(Date.now() + callMs));
    });
  }

  #refundsOf(checkoutId: string): RefundStory[] {
    return this.#refunds.filter(({ checkout }) => checkout.checkout_id === checkoutId);
  }

  /** The checkout shows what its refunds came to a moment after they have ended, so that it is waited for, too. */
  async #asItEnded(story: CheckoutStory, id: string, untilMs: number): Promise<Told> {
    await story.follow(id, untilMs);
    const asked = this.#refundsOf(id).flatMap((one) =>
      [...one.accepted].map((refund) => one.follow(refund, untilMs)),
    );
    const refunds = await Promise.all(asked);
    const givenBack = refunds
      .filter(({ state }) => state === 'refunded')
      .reduce((sum, { amount }) => sum + amount, 0);
    const atRest = ({ state, amount_refunded, late_payment }: Checkout): boolean =>
      state === 'paid' ? amount_refunded === givenBack : late_payment?.state !== 'refunding';
    let checkout = await story.follow(id, untilMs);
    while (!atRest(checkout) && Date.now() < untilMs) {
      await sleep(200);
      checkout = await story.follow(id, untilMs);
    }
    return { checkout, refunds, heard: story.heard.get(id) ?? [] };
  }
}

/** What goes wrong is part of the story, and does not end the day. */
async function noting(story: { problems: string[] }, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    story.problems.push(error instanceof Error ? error.message : String(error));
  }
}

async function inParallel(
  count: number,
  concurrency: number,
  run: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(count, concurrency) }, async () => {
      while (next < count) await run(next++);
    }),
  );
}
