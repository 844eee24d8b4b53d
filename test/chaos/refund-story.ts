import type { Agent, Answer, Checkout, Refund } from '../support/system-agent.js';
import { Diary, type Tally } from './diary.js';
import { type Asker, insist } from './insist.js';
import type { RefundPlan } from './plans.js';
import type { SeededRandom } from './seeded-random.js';

export interface RefundParts {
  agent: Agent;
  approver: Agent;
  /** May ask for refunds too, and so decides on those of others only. */
  supervisor: Agent;
  repeats: Tally;
  patientUntil: () => number;
}

/** The sample tenants' threshold: above it a person decides. */
const threshold = 5_000;
const least = 50;

/** The refunds one paid checkout is asked for. */
export class RefundStory {
  readonly diary = new Diary();
  /** Those that were let through. */
  readonly accepted = new Set<string>();
  readonly problems: string[] = [];
  readonly #asker: Asker;

  constructor(
    readonly plan: RefundPlan,
    readonly checkout: Checkout,
    readonly parts: RefundParts,
    readonly random: SeededRandom,
  ) {
    this.#asker = { diary: this.diary, repeats: parts.repeats, patientUntil: parts.patientUntil };
    this.diary.note(`${plan}, of ${checkout.amount} paid for ${checkout.checkout_id}`);
  }

  async play(untilMs: number): Promise<void> {
    await Promise.all((await this.#ask()).map((refund) => this.#decideAndFollow(refund, untilMs)));
  }

  /** Until the refund has come to an end, or until then. */
  async follow(refundId: string, untilMs: number): Promise<Refund> {
    for (let version = 0; ;) {
      const { status, body } = await insist(this.#asker, `GET ${refundId}`, () =>
        this.parts.agent.getRefund(refundId, version, 2_000),
      );
      if (status !== 200) throw new Error(`GET ${refundId} answered ${status}`);
      if (body.version < version) this.problems.push(`${refundId} went back to version ${body.version}`);
      version = body.version;
      if (body.terminal || Date.now() > untilMs) return body;
    }
  }

  async #ask(): Promise<Refund[]> {
    const { agent, repeats } = this.parts;
    const { checkout_id: id, amount: paid } = this.checkout;
    const body = (amount?: number): object => agent.refundBody(id, amount);
    const small = Math.min(paid, this.random.between(least, threshold));
    const large = paid > threshold ? this.random.between(threshold + 1, paid) : small;
    switch (this.plan) {
      case 'small':
        return this.#request(body(small));
      case 'asked twice at once': {
        repeats.add('double refunds');
        const same = body(small);
        const answers = await Promise.all([this.#request(same), this.#request(same)]);
        const ids = new Set(answers.flat().map(({ refund_id }) => refund_id));
        if (ids.size !== 1) this.problems.push(`one request for a refund led to ${[...ids].join(', ')}`);
        return answers[0];
      }
      case 'approved':
      case 'denied':
      case 'raced': {
        const refunds = await this.#request(body(large));
        const held = refunds.some(({ approval }) => approval !== undefined);
        if (refunds.length > 0 && held !== large > threshold)
          this.problems.push(`a refund of ${large} was ${held ? '' : 'not '}held`);
        return refunds;
      }
      case 'all that is left':
        return this.#request(body());
      case 'more than was paid': {
        const answer = await this.#request(body(paid + 1));
        if (answer.length > 0) this.problems.push(`a refund of ${paid + 1} was let through`);
        return answer;
      }
      case 'two that do not fit together': {
        const most = Math.ceil(paid * 0.6);
        return (await Promise.all([this.#request(body(most)), this.#request(body(most))])).flat();
      }
    }
  }

  /** What was let through: one refund, or none where it was refused. */
  async #request(body: object): Promise<Refund[]> {
    const answer = await insist(this.#asker, 'POST refund', () => this.parts.agent.requestRefund(body));
    if (answer.status === 202 || answer.status === 200) {
      this.accepted.add(answer.body.refund_id);
      return [answer.body];
    }
    if (answer.status !== 409) this.problems.push(`the request for a refund answered ${answer.status}`);
    return [];
  }

  async #decideAndFollow(refund: Refund, untilMs: number): Promise<void> {
    if (refund.approval !== undefined) await this.#decide(refund);
    await this.follow(refund.refund_id, untilMs);
  }

  async #decide(refund: Refund): Promise<void> {
    const { approver, supervisor, repeats } = this.parts;
    const ask = (who: Agent, decision: 'approve' | 'deny'): Promise<Answer<Refund>> =>
      insist(this.#asker, decision, () => who.decide(refund, decision));
    if (this.plan === 'denied') return this.#first([ask(approver, 'deny')]);
    if (this.plan !== 'raced') return this.#first([ask(approver, 'approve')]);
    repeats.add('raced decisions');
    const racers = [ask(approver, 'approve'), ask(supervisor, 'deny'), ask(approver, 'approve')];
    return this.#first(this.random.chance(0.5) ? racers : racers.reverse());
  }

  /** Whoever was late learns who was first; nobody learns anything else. */
  async #first(answers: Promise<Answer<Refund>>[]): Promise<void> {
    for (const { status } of await Promise.all(answers)) {
      if (status !== 200 && status !== 409) this.problems.push(`a decision answered ${status}`);
    }
  }
}
