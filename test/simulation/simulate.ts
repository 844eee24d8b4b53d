import { createActivities } from '../../activities/activities.js';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import { unmatchedPaymentWorkflowType } from '../../contracts/unmatched-payment.js';
import { WorkflowIsolate } from '../support/simulation/isolate.js';
import type { VendorCall } from '../support/simulation/vendor-network.js';
import { Violation } from '../support/simulation/violation.js';
import { buildWorkflowBundle } from '../../workers/bundle.js';
import { Agents } from './agents.js';
import { Callers } from './callers.js';
import { Oracle } from './oracle.js';
import type { Action, Scenario } from './scenario.js';
import { momentOf, Troublemakers } from './troublemakers.js';
import { World, type WorkflowCode } from './world.js';

export interface Outcome {
  scenario: Scenario;
  /** What must never happen, and did. */
  violation: Violation | undefined;
  story: string;
  counts: ReadonlyMap<string, number>;
  /** Virtual time, ms. */
  duration: number;
  /** Every request to a vendor, in order. */
  vendorCalls: readonly VendorCall[];
}

/** Loads today's workflow code, and what it was before its patches. The isolates serve all schedules of a process. */
export async function loadCode(): Promise<WorkflowCode> {
  const names = Object.keys(createActivities({} as Parameters<typeof createActivities>[0]));
  const bundle = await buildWorkflowBundle();
  const unpatched = bundle.replaceAll(/\(0, ?[\w$]+\.patched\)\(/g, '(() => false)(');
  if (unpatched === bundle) throw new Error('the bundle holds no patch in the form that is known here');
  return { current: new WorkflowIsolate(bundle, names), previous: new WorkflowIsolate(unpatched, names) };
}

/** What the product alone does not get over: runs that are gone, and news that never comes. */
const needsReconciliation = [
  'ops terminate',
  'ops terminate_refund',
  'ops reconcile',
  'ops lose_history',
  'webhook lose',
  'webhook bad_signature',
  'late run reset before the patches',
];

/** The code before its patches dropped what came for a checkout that was still open while its late money was reported. */
function mayHaveDroppedMoney({ scenario, server }: World): boolean {
  const deployedAt = momentOf(scenario.platform.deploysAt ?? -Infinity);
  return server.all().some(({ start, startedAt }) => {
    if (start.workflowType !== unmatchedPaymentWorkflowType || startedAt >= deployedAt) return false;
    const [, tenant = '', checkoutId = ''] = start.workflowId.split('/');
    const runs = server.runs.get(checkoutWorkflowId(tenant, checkoutId)) ?? [];
    return runs.some((run) => run.startedAt <= startedAt && run.closedAt > startedAt);
  });
}

/** Time for a pass of reconciliation, and for what it starts anew to end, ms. */
const reconciledWithinMs = 3_600_000;

/** Runs one schedule to its end. The same scenario always gives the same story. */
export async function simulate(
  scenario: Scenario,
  code: WorkflowCode,
  { traces = false } = {},
): Promise<Outcome> {
  const world = new World(scenario, code);
  const oracle = new Oracle(world);
  const agents = new Agents(world, oracle);
  const callers = new Callers(world);
  const troublemakers = new Troublemakers(world, agents, oracle);
  const { time, story } = world;
  const restore = time.install(world.random);
  const { stackTraceLimit } = Error;
  // Most of the time of an outage would go into traces of errors that nobody reads.
  if (!traces) Error.stackTraceLimit = 0;
  let violation: Violation | undefined;
  /** Found in code nobody waits for. */
  const note = (error: unknown) => {
    violation ??= error instanceof Violation ? error : new Violation('fault', describe(error));
  };
  const watching = <T>(work: Promise<T>) => void work.catch(note);
  world.onVendorChange = () => {
    try {
      callers.look();
      oracle.instruments();
    } catch (error) {
      note(error);
    }
  };
  world.onAnnouncement = (told) => {
    try {
      oracle.announced(told);
    } catch (error) {
      note(error);
    }
  };
  time.afterEach = () => {
    if (!violation) oracle.always();
  };
  agents.onFault = note;

  const perform = (action: Action): Promise<void> => {
    switch (action.kind) {
      case 'agent':
        return agents.sell(action);
      case 'misfit':
        return agents.askInVain(action);
      case 'cancel':
        return agents.cancel(action);
      case 'switch':
        return agents.switchRail(action);
      case 'refund':
        return agents.giveBack(action);
      case 'decide':
        return agents.decide(action);
      case 'byHand':
        return troublemakers.byHand(action);
      case 'stray':
        return troublemakers.stray(action);
      case 'ops':
        return troublemakers.ops(action);
      case 'platform':
        return troublemakers.platform(action);
      case 'forgedWebhook':
        return troublemakers.forgeWebhook(action);
    }
  };
  const until = async (moment: number) => {
    // In slices, so that a violation in code nobody waits for ends the schedule soon.
    while (!violation && time.now < moment) await time.run(Math.min(moment, time.now + 6 * 3_600_000));
  };
  /** Everybody asks once more, and what they hear is compared with the book. */
  const rest = async () => {
    if (violation) return;
    let seen = false;
    watching(agents.lookAtAll().then(() => void (seen = true)));
    await until(time.now + 60_000);
    if (!violation && !seen) throw new Violation('I10', 'the API does not answer at the end');
    if (!violation) oracle.atRest();
  };
  try {
    for (const action of scenario.actions) time.at(momentOf(action.at), () => watching(perform(action)));
    await until(momentOf(scenario.calmAt));
    world.calm();
    await until(momentOf(scenario.calmAt + scenario.calmMs));
    const needed = needsReconciliation.some((what) => story.counts.has(what)) || mayHaveDroppedMoney(world);
    if (!violation && needed) oracle.acknowledged();
    if (!violation && needed) oracle.ended();
    if (!needed) await rest();
    if (needed || scenario.reconciles) {
      if (!violation) watching(world.reconcile());
      await until(time.now + reconciledWithinMs);
      if (!violation && !needed) oracle.quiet();
      await rest();
    }
    for (const { start } of world.server.all()) story.count(`run ${start.workflowType}`);
  } catch (error) {
    note(error);
  } finally {
    await world.server.dispose();
    Error.stackTraceLimit = stackTraceLimit;
    restore();
  }
  if (violation) story.tell('oracle', violation.message);
  return {
    scenario,
    violation,
    story: story.text(),
    counts: story.counts,
    duration: time.now - momentOf(0),
    vendorCalls: world.calls,
  };
}

const describe = (error: unknown) =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
