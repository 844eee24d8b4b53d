import type { Scenario } from './scenario.js';
import { type Outcome, simulate } from './simulate.js';
import type { WorkflowCode } from './world.js';

/** Shorter schedules to try, the largest cuts first. */
function* cuts(scenario: Scenario): Generator<Scenario> {
  const { actions, vendors, webhooks, platform, purchases } = scenario;
  for (let size = Math.ceil(actions.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0) {
    for (let from = 0; from < actions.length; from += size)
      if (actions.length > size)
        yield { ...scenario, actions: actions.filter((_, index) => index < from || index >= from + size) };
  }
  if (scenario.reconciles) yield { ...scenario, reconciles: false };
  if (Object.keys(webhooks.rates).length > 0) yield { ...scenario, webhooks: { ...webhooks, rates: {} } };
  for (const fault of Object.keys(webhooks.rates))
    yield { ...scenario, webhooks: { ...webhooks, rates: without(webhooks.rates, fault) } };
  if (Object.keys(vendors.rates).length > 0) yield { ...scenario, vendors: { ...vendors, rates: {} } };
  for (const fault of Object.keys(vendors.rates))
    yield { ...scenario, vendors: { ...vendors, rates: without(vendors.rates, fault) } };
  if (vendors.outages.length > 0) yield { ...scenario, vendors: { ...vendors, outages: [] } };
  for (const chance of [
    'crash',
    'evict',
    'otherWorker',
    'lostResults',
    'lostCalls',
    'lostAcks',
    'hookDown',
  ] as const)
    if (platform[chance] > 0) yield { ...scenario, platform: { ...platform, [chance]: 0 } };
  if (platform.deploysAt !== undefined) yield { ...scenario, platform: without(platform, 'deploysAt') };
  if (platform.announces) yield { ...scenario, platform: { ...platform, announces: false } };
  for (const [index, { caller, ...bought }] of purchases.entries()) {
    const replaced = (one: Scenario['purchases'][number]) => ({
      ...scenario,
      purchases: purchases.with(index, one),
    });
    if (caller.page.length > 0)
      yield replaced({ ...bought, caller: { ...caller, page: caller.page.slice(1) } });
    if (caller.wallet.does !== 'ignore')
      yield replaced({ ...bought, caller: { ...caller, wallet: { ...caller.wallet, does: 'ignore' } } });
  }
  for (const [index, action] of actions.entries()) {
    for (const option of ['twice', 'repeatAfter', 'rails', 'thinks', 'again', 'priceOff'])
      if (option in action) yield { ...scenario, actions: actions.with(index, without(action, option)) };
  }
}

function without<T extends object>(object: T, name: string): T {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name)) as T;
}

/** The shortest schedule found in so many tries that breaks the same rule. */
export async function shrink(outcome: Outcome, code: WorkflowCode, tries = 300): Promise<Outcome> {
  let best = outcome;
  for (let left = tries; left > 0;) {
    let shorter: Outcome | undefined;
    for (const scenario of cuts(best.scenario)) {
      if (left-- <= 0) break;
      const tried = await simulate(scenario, code);
      if (tried.violation?.rule !== outcome.violation?.rule) continue;
      shorter = tried;
      break;
    }
    if (!shorter) break;
    best = shorter;
  }
  return best;
}
