import { Random } from '../support/simulation/random.js';
import type { Action, Scenario } from './scenario.js';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/**
 * Mixtures that chance alone makes too seldom, each of which a planted bug needed to be seen. Each draws from a stream of its
 * own: one more of them leaves the schedules of all other seeds as they were.
 */
export function addRarities(seed: number, scenario: Scenario): void {
  redialsAfterLoss(new Random(seed + 11_000_003), scenario);
  ownMoneyCalledLate(new Random(seed + 19_000_013), scenario);
  copiesToBeHonoured(new Random(seed + 17_000_023), scenario);
  wrongNumbers(new Random(seed + 23_000_009), scenario);
  misfits(new Random(seed + 29_000_017), scenario);
  forgedMarks(new Random(seed + 31_000_003), scenario);
  redialsWithoutEnd(new Random(seed + 37_000_021), scenario);
  lateMoneyReturned(new Random(seed + 41_000_017), scenario);
  lateMoneyWithoutTemporal(new Random(seed + 43_000_003), scenario);
  refundsOfTwoPayments(new Random(seed + 47_000_003), scenario);
  barePayments(new Random(seed + 53_000_017), scenario);
  passesOnSchedule(new Random(seed + 59_000_009), scenario);
  booksStopped(new Random(seed + 61_000_003), scenario);
  muchIsLost(new Random(seed + 67_000_013), scenario);
  attemptsPaidLate(new Random(seed + 71_000_011), scenario);
  moneyBesideADebit(new Random(seed + 73_000_001), scenario);
  redialsInTheNextFortnight(new Random(seed + 79_000_003), scenario);
  stoppedUnheard(new Random(seed + 83_000_009), scenario);
  redialsWhenAllIsFoundAgain(new Random(seed + 89_000_011), scenario);
  debitsGivenBack(new Random(seed + 97_000_001), scenario);
}

const firstCall = ({ actions }: Scenario, purchase: number) =>
  actions.find((one) => one.kind === 'agent' && one.purchase === purchase) as
    Extract<Action, { kind: 'agent' }> | undefined;

const hasCopyAtAnotherPrice = ({ actions }: Scenario, purchase: number) =>
  actions.some((one) => one.kind === 'stray' && one.purchase === purchase && one.amountOff !== undefined);

/** A run is gone while something of it can still be paid, and the caller rings again, or a pass comes by, before that is over. */
function redialsAfterLoss(random: Random, scenario: Scenario): void {
  for (const purchase of scenario.purchases.keys()) {
    const call = firstCall(scenario, purchase);
    if (!call || !random.chance(0.1)) continue;
    // A run that is started again for money at another price is left to a person: it would not come to rest.
    if (hasCopyAtAnotherPrice(scenario, purchase)) continue;
    if (random.chance(0.5)) call.rails = ['paymentLink'];
    const { walletDeadlineMs } = scenario.policy;
    const at = call.at + random.pick([0, walletDeadlineMs]) + random.between(2 * second, 15 * second);
    const what = random.pick(['lose_history', 'lose_history', 'terminate'] as const);
    scenario.actions.push({ at, kind: 'ops', purchase, what });
    const again: Action = {
      at: at + random.pick([second, 10 * second, minute]),
      kind: 'agent',
      purchase,
      call: `redial-${purchase}`,
      ...(call.rails && { rails: call.rails }),
    };
    const pass: Action = {
      at: at + random.between(3 * minute, 8 * minute),
      kind: 'ops',
      purchase,
      what: 'reconcile',
    };
    scenario.actions.push(...(random.chance(0.6) ? [again] : [pass]));
  }
}

/** Where late money is honoured: nobody pays in time, and after the end twice, or another sum than was agreed to. */
function copiesToBeHonoured(random: Random, scenario: Scenario): void {
  if (!random.chance(0.06)) return;
  // As above.
  const { actions } = scenario;
  if (actions.some((one) => one.kind === 'ops' && one.purchase === 0)) return;
  scenario.policy.latePayment = 'honour';
  const { caller } = scenario.purchases[0]!;
  caller.wallet.does = 'ignore';
  caller.page = [];
  const { walletDeadlineMs, linkDeadlineMs } = scenario.policy;
  const at = 2 * (walletDeadlineMs + linkDeadlineMs) + random.pick([minute, hour]);
  const by = () => random.pick(['payment', 'page'] as const);
  const copy = (later: number): Action => ({ at: at + later, kind: 'stray', purchase: 0, by: by() });
  // At the right price only one of two may be kept.
  if (random.chance(0.5)) scenario.actions.push(copy(0), copy(random.pick([0, second, hour])));
  else scenario.actions.push({ ...copy(0), amountOff: random.pick([-100, 100, 900]) } as Action);
}

/** Somebody with Temporal's CLI says of what a checkout was paid by that it came late: it would go back, and the goods are gone. */
function ownMoneyCalledLate(random: Random, scenario: Scenario): void {
  for (const purchase of scenario.purchases.keys()) {
    if (!random.chance(0.08)) continue;
    const { walletDeadlineMs, linkDeadlineMs } = scenario.policy;
    const at = 2 * (walletDeadlineMs + linkDeadlineMs) + random.pick([minute, hour]);
    scenario.actions.push({ at, kind: 'ops', purchase, what: 'forged_late' });
  }
}

/** The number was misheard: the link reaches a stranger, who pays. */
function wrongNumbers(random: Random, scenario: Scenario): void {
  for (const [index, bought] of scenario.purchases.entries()) {
    const call = firstCall(scenario, index);
    if (!call || !random.chance(0.05)) continue;
    const page = [{ after: random.between(second, minute), outcome: 'succeeded' }];
    bought.stranger = { phone: `+1555010012${index}`, page };
    call.toStranger = true;
    if (random.chance(0.7)) call.rails = ['paymentLink'];
  }
}

/** Agents ask for what is not sold, a change of a subscription twice; requests and signals are too large to be any. */
function misfits(random: Random, scenario: Scenario): void {
  if (!random.chance(0.05)) return;
  const { purchases, policy, actions } = scenario;
  const purchase = random.between(0, purchases.length - 1);
  const ask = (what: Extract<Action, { kind: 'misfit' }>['what']) => {
    const at = random.between(0, minute);
    const call = `misfit-${actions.length}`;
    actions.push({ at, kind: 'misfit', purchase, call, what });
  };
  for (const what of ['invoice', 'subscription_change', 'subscription_change', 'oversize'] as const)
    ask(what);
  const at = random.between(second, policy.walletDeadlineMs + policy.linkDeadlineMs);
  actions.push({ at, kind: 'ops', purchase, what: 'oversize_signal' });
}

/** When the checkouts of a purchase that began at once are over, whatever happened to them. */
const afterTheEnd = ({ policy: { walletDeadlineMs, linkDeadlineMs } }: Scenario, random: Random) =>
  2 * (walletDeadlineMs + linkDeadlineMs) + random.pick([minute, hour]);

/** Another shop on the account copies a mark of ours, and cannot make its MAC: while the checkout is open, and after it. */
function forgedMarks(random: Random, scenario: Scenario): void {
  for (const purchase of scenario.purchases.keys()) {
    if (!random.chance(0.06)) continue;
    const at = random.pick([random.between(second, minute), afterTheEnd(scenario, random)]);
    scenario.actions.push({ at, kind: 'byHand', purchase, what: 'forged_mark' });
  }
}

/** The caller never pays, and rings again whenever a link has run out: more links than a number may get in an hour. */
function redialsWithoutEnd(random: Random, scenario: Scenario): void {
  const call = firstCall(scenario, 0);
  const { linkDeadlineMs } = scenario.policy;
  if (!call || linkDeadlineMs > 5 * minute || !random.chance(0.05)) return;
  scenario.purchases[0]!.caller.page = [];
  call.rails = ['paymentLink'];
  for (let redial = 1; redial <= 5; redial++) {
    const at = call.at + redial * (linkDeadlineMs + 20 * second);
    scenario.actions.push({
      at,
      kind: 'agent',
      purchase: 0,
      call: `redial-0-${redial}`,
      rails: ['paymentLink'],
    });
  }
}

/** Late money goes back, and the bank sends it back in turn. */
function lateMoneyReturned(random: Random, scenario: Scenario): void {
  if (!random.chance(0.05)) return;
  scenario.policy.latePayment = 'refund';
  const at = afterTheEnd(scenario, random);
  scenario.actions.push(
    { at, kind: 'stray', purchase: 0, by: 'payment' },
    { at: at + random.pick([hour, 5 * hour]), kind: 'byHand', purchase: 0, what: 'fail_refund' },
  );
}

/** Late money comes just when Temporal is away: nobody waits for it, so only the event knows of it. */
function lateMoneyWithoutTemporal(random: Random, scenario: Scenario): void {
  if (!random.chance(0.05)) return;
  const at = afterTheEnd(scenario, random);
  scenario.actions.push(
    { at: at - 10, kind: 'platform', what: 'temporal_away', ms: random.pick([10 * second, 5 * minute]) },
    { at, kind: 'stray', purchase: 0, by: 'payment' },
  );
}

/** The caller buys the same thing twice, and gives some of each back: each alone needs nobody, both together do. */
function refundsOfTwoPayments(random: Random, scenario: Scenario): void {
  const call = firstCall(scenario, 0);
  if (!call || !random.chance(0.05)) return;
  const bought = scenario.purchases[0]!;
  bought.amount = 4_900;
  bought.caller.wallet = { does: 'approve', after: second, grants: 'payment', outcome: 'succeeded' };
  const at = call.at + minute;
  const refund = (number: number): Action => ({
    at: at + number * 5 * minute,
    kind: 'refund',
    purchase: 0,
    call: `return-${number}`,
    amount: 3_000,
    reason: 'requested_by_customer',
    by: 'agent',
  });
  const again: Action = { at: at + 6 * minute, kind: 'agent', purchase: 0, call: 'again', again: true };
  scenario.actions.push(refund(0), again, refund(2));
}

/** The payment of a wallet's approval carries no mark of ours: only the request that it came of says whose it is. */
function barePayments(random: Random, { purchases }: Scenario): void {
  for (const { caller } of purchases) if (random.chance(0.2)) caller.wallet.bare = true;
}

/** Passes in the middle of it all, each over the window that the last has left. */
function passesOnSchedule(random: Random, { actions }: Scenario): void {
  if (!random.chance(0.06)) return;
  const pause = random.pick([5 * minute, 20 * minute, 6 * hour]);
  for (let pass = 1; pass <= 6; pass++)
    actions.push({ at: pass * pause, kind: 'ops', purchase: 0, what: 'reconcile_on_schedule' });
}

/** Ops end, or set back, a run for late money or a customer's ledger. */
function booksStopped(random: Random, scenario: Scenario): void {
  for (const asked of [...scenario.actions]) {
    if ((asked.kind !== 'refund' && asked.kind !== 'stray') || !random.chance(0.08)) continue;
    const aim = asked.kind === 'refund' ? 'ledger' : 'late';
    const what = random.pick([`terminate_${aim}`, `terminate_${aim}`, `reset_${aim}`] as const);
    const at = asked.at + random.pick([random.between(10, 3 * second), minute, 26 * hour]);
    scenario.actions.push({ at, kind: 'ops', purchase: asked.purchase, what, back: random.between(1, 8) });
  }
}

/** Temporal forgets refunds and their ledger, or everything at once, as a server does that kept all in memory. */
function muchIsLost(random: Random, scenario: Scenario): void {
  if (!random.chance(0.04)) return;
  const what = random.pick(['lose_refunds', 'lose_everything'] as const);
  const asked = scenario.actions.find(({ kind }) => kind === 'refund');
  const at = (asked?.at ?? 0) + random.pick([random.between(10, 3 * second), minute, 10 * minute]);
  scenario.actions.push({ at, kind: 'ops', purchase: 0, what });
}

/** Where late money is honoured: two attempts at one purchase end unpaid, and then money comes for each. */
function attemptsPaidLate(random: Random, scenario: Scenario): void {
  const call = firstCall(scenario, 0);
  if (!call || !random.chance(0.04)) return;
  scenario.policy.latePayment = 'honour';
  const { caller } = scenario.purchases[0]!;
  caller.wallet.does = 'ignore';
  caller.page = [];
  const at = call.at + afterTheEnd(scenario, random);
  const paidAt = at + afterTheEnd(scenario, random);
  const stray = (later: number, ofFirst: boolean): Action => ({
    at: paidAt + later,
    kind: 'stray',
    purchase: 0,
    by: 'payment',
    ...(ofFirst && { ofFirst }),
  });
  const again: Action = { at, kind: 'agent', purchase: 0, call: 'second-try' };
  scenario.actions.push(
    again,
    ...random
      .pick([
        [0, 0],
        [0, second],
        [minute, 0],
      ])
      .map((later, n) => stray(later, n === 0)),
  );
}

/** Other money comes while a bank debit is under way, and has to wait for its end through many passes. */
function moneyBesideADebit(random: Random, scenario: Scenario): void {
  const call = firstCall(scenario, 0);
  if (!call || !random.chance(0.03)) return;
  const { caller } = scenario.purchases[0]!;
  caller.wallet = { ...caller.wallet, does: 'approve', after: second, outcome: 'processing' };
  caller.bank.after = 26 * hour;
  const by = random.pick(['payment', 'page'] as const);
  scenario.actions.push({ at: call.at + 10 * minute, kind: 'stray', purchase: 0, by });
  for (let pass = 1; pass <= 4; pass++)
    scenario.actions.push({ at: pass * hour, kind: 'ops', purchase: 0, what: 'reconcile_on_schedule' });
}

/** The caller has paid, and rings again when the numbers of attempts have begun anew (see `beginning` in world). */
function redialsInTheNextFortnight(random: Random, scenario: Scenario): void {
  const call = firstCall(scenario, 0);
  if (!call || !random.chance(0.04)) return;
  scenario.purchases[0]!.caller.wallet = {
    does: 'approve',
    after: second,
    grants: 'payment',
    outcome: 'succeeded',
  };
  const at = 2 * hour + random.between(-minute, hour);
  scenario.actions.push({ at, kind: 'agent', purchase: 0, call: 'next-fortnight' });
}

/** Ops end a run that has not heard what became of its wallet request; it is started again, and the caller still has the request. */
function stoppedUnheard(random: Random, scenario: Scenario): void {
  const call = firstCall(scenario, 0);
  if (!call || hasCopyAtAnotherPrice(scenario, 0) || !random.chance(0.03)) return;
  const bought = scenario.purchases[0]!;
  bought.amount = 4_900;
  const after = random.pick([second, 5 * minute]);
  bought.caller.wallet = { does: 'approve', after, grants: 'payment', outcome: 'succeeded' };
  // The first of all requests to a vendor is then this call's, to the wallet.
  call.at = 0;
  delete call.rails;
  scenario.vendors.exactly.push({ call: 1, fault: 'stored_500' });
  const at = random.pick([random.between(30, 200), 3 * second, minute]);
  scenario.actions.push({ at, kind: 'ops', purchase: 0, what: 'terminate' });
  scenario.actions.push({ at: at + second, kind: 'ops', purchase: 0, what: 'reconcile' });
}

/** An attempt ends unpaid and the next one is paid; Temporal forgets both, a pass finds them again, and the caller rings once more. */
function redialsWhenAllIsFoundAgain(random: Random, scenario: Scenario): void {
  const call = firstCall(scenario, 0);
  if (!call || hasCopyAtAnotherPrice(scenario, 0) || !random.chance(0.03)) return;
  const { actions, purchases } = scenario;
  purchases[0]!.caller.wallet = {
    does: 'approve',
    after: minute,
    grants: 'payment',
    outcome: 'succeeded',
  };
  call.at = 0;
  const lostAt = random.pick([10 * minute, hour, 30 * hour]);
  const agent = (at: number, name: string): Action => ({ at, kind: 'agent', purchase: 0, call: name });
  actions.push(
    { at: 20 * second, kind: 'cancel', purchase: 0 },
    agent(2 * minute, 'second-call'),
    { at: lostAt, kind: 'ops', purchase: 0, what: 'lose_everything' },
    { at: lostAt + 5 * minute, kind: 'ops', purchase: 0, what: 'reconcile' },
    agent(lostAt + random.pick([20 * minute, 26 * hour]), 'third-call'),
  );
}

/** A bank debit is given back, by a call or as late money: the refund is under way, too, and may fail. */
function debitsGivenBack(random: Random, scenario: Scenario): void {
  const call = firstCall(scenario, 0);
  if (!call || !random.chance(0.04)) return;
  const { caller } = scenario.purchases[0]!;
  caller.wallet = { ...caller.wallet, does: 'approve', after: second, outcome: 'processing' };
  caller.bank = { after: random.pick([minute, hour]), outcome: 'succeeded' };
  if (random.chance(0.4)) caller.bank.returns = true;
  scenario.actions.push({
    at: call.at + 2 * hour,
    kind: 'refund',
    purchase: 0,
    call: 'debit-back',
    amount: 2_000,
    reason: 'requested_by_customer',
    by: 'agent',
  });
}
