import { Random } from '../support/simulation/random.js';
import { type VendorFault, vendorFaults } from '../support/simulation/vendor-network.js';
import { addRarities } from './rarities.js';
import type { Action, Caller, Purchase, Scenario, WebhookFault } from './scenario.js';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Outcomes of a payment at Stripe's stand-in, the usual one more often. */
const outcomes = [
  'succeeded',
  'succeeded',
  'succeeded',
  'declined',
  'insufficient_funds',
  'lost_card',
  'processing',
];
const walletOutcomes = [...outcomes, 'authentication_required'];

/**
 * A schedule of this seed. Each switches features on or off as a whole (swarm testing), or rare mixtures would never be
 * seen; times are put beside deadlines more often than chance would.
 */
export function generateScenario(seed: number): Scenario {
  const random = new Random(seed);
  const has = (probability: number) => random.chance(probability);
  const policy = {
    walletDeadlineMs: random.pick([5 * second, 60 * second, 60 * second]),
    linkDeadlineMs: random.pick([20 * second, 5 * minute, 30 * minute]),
    threshold: 5_000,
    approvalDeadlineMs: random.pick([10 * minute, day]),
    latePayment: random.pick(['refund', 'refund', 'honour'] as const),
  };
  const troubled = has(0.7);
  const rate = (probability: number, most: number) =>
    troubled && has(probability) ? random.next() * most : 0;
  const scenario: Scenario = {
    seed,
    policy,
    purchases: Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, (_, index) =>
      purchase(random, policy, index),
    ),
    actions: [],
    platform: {
      workers: random.pick([1, 2, 2]),
      workerDownMs: random.pick([300, 2_000, 20_000]),
      crash: rate(0.4, 0.25),
      evict: rate(0.3, 0.3),
      otherWorker: rate(0.3, 0.4),
      lostResults: rate(0.3, 0.15),
      lostCalls: rate(0.3, 0.15),
      lostAcks: rate(0.3, 0.5),
      suggestContinueAfter: has(0.1) ? random.between(12, 60) : 4_096,
      announces: has(0.4),
      hookDown: rate(0.3, 0.7),
    },
    vendors: { rates: {}, exactly: [], outages: [] },
    webhooks: { rates: {}, delayMs: random.pick([3 * second, 2 * minute, hour, 3 * day]) },
    calmAt: 0,
    calmMs: 0,
    reconciles: false,
  };
  if (troubled && has(0.6)) {
    for (const fault of Object.keys(vendorFaults) as VendorFault[])
      if (has(0.3)) scenario.vendors.rates[fault] = random.next() * 0.15;
  }
  if (troubled && has(0.06)) {
    const from = random.pick([0, random.between(0, 3 * minute)]);
    // A day without Stripe costs thousands of calls to simulate.
    const length = has(0.8) ? random.pick([30 * second, 10 * minute]) : random.pick([21 * hour, 30 * hour]);
    scenario.vendors.outages.push({
      vendor: random.pick(['stripe', 'stripe', 'twilio']),
      from,
      to: from + length,
    });
  }
  if (has(0.5)) {
    const kinds: WebhookFault[] = ['lose', 'duplicate', 'delay', 'reorder', 'bad_signature'];
    for (const kind of kinds) if (has(0.4)) scenario.webhooks.rates[kind] = random.next() * 0.5;
    if (has(0.1)) scenario.webhooks.rates.lose = 1;
  }
  // Most calls end unpaid: without these, refunds would hardly be tried.
  if (has(0.25)) {
    scenario.purchases.forEach(({ caller }) => Object.assign(caller.wallet, paysAtOnce));
    if (troubled && has(0.3)) scenario.vendors.rates[random.pick(unknownOutcomes)] = 0.3;
  }
  scenario.purchases.forEach((bought, index) =>
    scenario.actions.push(...actionsFor(random, scenario, bought, index)),
  );
  if (troubled) scenario.actions.push(...platformTroubles(random));
  scenario.actions.push(...refundsStopped(new Random(seed + 7_000_003), scenario));
  addRarities(seed, scenario);
  scenario.actions.sort((a, b) => a.at - b.at);
  const last = Math.max(
    ...scenario.actions.map(({ at }) => at),
    ...scenario.vendors.outages.map(({ to }) => to),
  );
  scenario.calmAt = last + random.pick([minute, 40 * minute]);
  scenario.calmMs = scenario.webhooks.delayMs + (has(0.05) ? 9 * day : 44 * hour);
  scenario.reconciles = has(0.25);
  if (has(0.1)) scenario.platform.deploysAt = random.between(second, random.pick([minute, 10 * minute]));
  return scenario;
}

const unknownOutcomes: VendorFault[] = ['stored_500', 'lost_after', 'slow'];

const paysAtOnce: Caller['wallet'] = {
  does: 'approve',
  after: 1_500,
  grants: 'payment',
  outcome: 'succeeded',
};

/** A time near a moment that matters: within 2 ms of it, or anywhere before twice of it. */
function near(random: Random, moment: number): number {
  if (random.chance(0.3)) return Math.max(0, moment + random.between(-2, 2));
  return random.chance(0.5)
    ? random.between(0, Math.min(moment, 20 * second))
    : random.between(0, 2 * moment);
}

function purchase(random: Random, policy: Scenario['policy'], index: number): Purchase {
  const phone = random.chance(0.08)
    ? random.pick(['+15550100404', '+15550110003', '+15005550004'])
    : `+155501001${10 + index}`;
  const amount = random.pick([4_900, 4_900, 10_000, 50_000, 50_100, 120_000]);
  const caller: Caller = {
    wallet: {
      does: random.pick(['approve', 'approve', 'deny', 'ignore']),
      after: near(random, policy.walletDeadlineMs),
      grants: random.pick([
        'payment',
        'payment',
        'shared_payment_token',
        'shared_payment_token',
        'payment',
        'nothing',
      ]),
      outcome: random.pick(walletOutcomes),
    },
    page: Array.from({ length: random.pick([0, 1, 1, 2, 3]) }, () => ({
      after: near(random, policy.linkDeadlineMs),
      outcome: random.pick(outcomes),
    })),
    bank: {
      after: random.pick([minute, 2 * hour, day]),
      outcome: random.pick(['succeeded', 'succeeded', 'declined']),
    },
  };
  if (random.chance(0.9) && caller.wallet.grants === 'nothing') caller.wallet.grants = 'payment';
  return {
    tenant: random.pick(['acme', 'acme', 'globex']),
    phone,
    amount,
    currency: 'usd',
    item: `item ${index}`,
    caller,
  };
}

function actionsFor(random: Random, scenario: Scenario, { amount }: Purchase, index: number): Action[] {
  const { policy } = scenario;
  const has = (probability: number) => random.chance(probability);
  const begin = random.between(0, 5 * second);
  const moments = [
    policy.walletDeadlineMs,
    policy.linkDeadlineMs,
    policy.walletDeadlineMs + policy.linkDeadlineMs,
  ];
  const some = () => begin + near(random, random.pick(moments));
  const rails: ('linkWallet' | 'paymentLink')[][] = [['linkWallet'], ['paymentLink']];
  const actions: Action[] = [
    {
      at: begin,
      kind: 'agent',
      purchase: index,
      call: `call-${index}`,
      ...(has(0.15) && { rails: random.pick(rails) }),
      ...(has(0.2) && { twice: true }),
      ...(has(0.2) && { repeatAfter: random.pick([1, 30, 900, 1_500, 70 * second]) }),
      ...(has(0.05) && { thinks: 16 * minute }),
      ...(has(0.03) && { hangsUp: true }),
    },
  ];
  // A redial, a second agent, a re-planned call, the same again.
  while (has(0.25)) {
    actions.push({
      at: some(),
      kind: 'agent',
      purchase: index,
      call: `call-${index}-${actions.length}`,
      ...(has(0.3) && { priceOff: random.pick([-100, 1, 700, -amount]) }),
      ...(has(0.3) && { again: true }),
      ...(has(0.2) && { twice: true }),
    });
  }
  if (has(0.2)) actions.push({ at: some(), kind: 'cancel', purchase: index });
  if (has(0.15)) {
    actions.push({
      at: some(),
      kind: 'switch',
      purchase: index,
      rail: random.pick(['paymentLink', 'paymentLink', 'linkWallet']),
    });
  }
  const { wallet } = scenario.purchases[index]!.caller;
  const refunds = has(wallet.after === paysAtOnce.after ? 0.8 : 0.4) ? random.between(1, 4) : 0;
  for (let number = 0; number < refunds; number++) {
    const at = begin + policy.walletDeadlineMs + random.between(0, 2 * policy.linkDeadlineMs);
    const sum = random.pick([undefined, 1_000, 2_500, 3_000, 3_000, 5_000, 5_001, amount, amount - 1]);
    actions.push({
      at: has(0.3) ? begin + policy.walletDeadlineMs + number : has(0.5) ? at : at + 20 * minute,
      kind: 'refund',
      purchase: index,
      call: `refund-${index}-${has(0.3) ? 0 : number}`,
      ...(sum !== undefined && { amount: sum }),
      reason: random.pick(['requested_by_customer', 'requested_by_customer', 'duplicate', 'fraudulent']),
      by: random.pick(['agent', 'agent', 'boss']),
      ...(has(0.25) && { twice: true }),
    });
  }
  const decisions = refunds > 0 ? random.between(0, 3) : 0;
  for (let number = 0; number < decisions; number++) {
    const asked = random.pick(actions.filter(({ kind }) => kind === 'refund'));
    actions.push({
      at: asked.at + near(random, random.pick([minute, policy.approvalDeadlineMs])),
      kind: 'decide',
      purchase: index,
      by: random.pick(['person:dana', 'person:omar', 'key:boss', 'key:agent', 'person:nobody']),
      decision: random.pick(['approved', 'approved', 'denied']),
      ...(has(0.1) && { altered: true }),
    });
  }
  if (has(0.15)) {
    const what = random.pick(['refund', 'dispute', 'foreign_payment', 'fail_refund'] as const);
    actions.push({ at: some() + (what === 'fail_refund' ? hour : 0), kind: 'byHand', purchase: index, what });
  }
  if (has(0.15)) {
    const what = random.pick([
      ...([
        'cancel',
        'terminate',
        'lose_history',
        'reset',
        'junk_signal',
        'forged_signal',
        'forged_decision',
      ] as const),
    ]);
    // Stripe forgets keys after a day: a run that is reset later must not rely on them.
    const at = what === 'reset' && has(0.4) ? begin + random.between(25 * hour, 50 * hour) : some();
    if (at > day) scenario.purchases[index]!.caller.bank.after = 60 * hour;
    actions.push({ at, kind: 'ops', purchase: index, what, back: random.between(1, 8) });
  }
  if (has(0.15)) actions.push(...strays(random, index, [some(), begin + after(random, moments[2]!)]));
  if (has(0.1)) {
    const what = random.pick(['other_account', 'livemode', 'old', 'resent', 'unsigned', 'storm'] as const);
    actions.push({ at: some(), kind: 'forgedWebhook', purchase: index, what });
  }
  return actions;
}

/** Some time after the end of most checkouts. */
const after = (random: Random, end: number) => 2 * end + random.pick([second, 20 * minute, 3 * hour]);

/** Money by copies of what a checkout was to be paid by: while it is open or after its end, once or twice, also at once. */
function strays(random: Random, purchase: number, moments: readonly number[]): Action[] {
  const actions: Action[] = [];
  const off = random.chance(0.15) ? 100 : 0;
  do {
    actions.push({
      at: random.pick(moments),
      kind: 'stray',
      purchase,
      by: random.pick(['payment', 'page']),
      ...(off > 0 && { amountOff: off }),
    });
  } while (random.chance(0.35));
  return actions;
}

/** Refund runs that ops end, or send back to where they were, at any time of their life; some are found at once. */
function refundsStopped(random: Random, { actions, policy, vendors }: Scenario): Action[] {
  // A pass ends after an hour without an answer: the next one of the schedule would find what it left.
  const away = actions.some((one) => one.kind === 'platform' && (one.ms ?? 0) >= hour);
  const answered = !away && vendors.outages.length === 0;
  return actions.flatMap((asked): Action[] => {
    if (asked.kind !== 'refund' || !random.chance(0.12)) return [];
    const { purchase } = asked;
    const moments = [random.between(10, 3 * second), minute, policy.approvalDeadlineMs / 2, 26 * hour];
    const at = asked.at + random.pick([...moments, moments[0]!]);
    const what = random.pick(['terminate_refund', 'terminate_refund', 'reset_refund'] as const);
    const back = random.between(1, 8);
    const pass: Action = { at: at + random.pick([second, minute]), kind: 'ops', purchase, what: 'reconcile' };
    return [{ at, kind: 'ops', purchase, what, back }, ...(random.chance(0.4) && answered ? [pass] : [])];
  });
}

function platformTroubles(random: Random): Action[] {
  const actions: Action[] = [];
  while (random.chance(0.3)) {
    const what = random.pick(['kill_worker', 'kill_worker', 'kill_api', 'temporal_away'] as const);
    const ms = random.pick([200, 2 * second, minute, hour]);
    actions.push({ at: random.between(0, 3 * minute), kind: 'platform', what, ms });
  }
  return actions;
}
