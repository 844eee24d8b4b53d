import { unmatchedPaymentWorkflowId } from '../../contracts/unmatched-payment.js';
import { Caller } from '../support/world/caller.js';
import { payLate } from '../support/world/late-money.js';
import { reconcile, startReconciliation } from '../support/world/reconcile.js';
import type { Path } from './path.js';

const onlyLink = { rails: ['paymentLink'] };

/** Money that comes after a checkout has expired; recorded once it is in the named state. It is watched on. */
function lateMoney(tenant: string, state: 'refunded' | 'honoured'): Path {
  return async (world) => {
    const caller = new Caller(world, { tenant });
    const id = await caller.begin({}, onlyLink);
    await caller.reach(id, 'expired');
    await payLate(world, id);
    await caller.reach(id, ({ late_payment }) => late_payment?.state === state);
    return { run: world.client.workflow.getHandle(unmatchedPaymentWorkflowId(tenant, id)), ends: false };
  };
}

/** Every way of money that no open run waits for, of a checkout whose run was stopped, and what finds both. */
export const latePaths: Readonly<Record<string, Path>> = {
  'late-refunded': lateMoney('brisk', 'refunded'),
  'late-honoured': lateMoney('obliging', 'honoured'),
  'late-announced': lateMoney('restless', 'refunded'),
  /** What the stopped run had published the next one tells again. */
  'late-taken-over': async (world) => {
    const caller = new Caller(world, { tenant: 'restless' });
    const id = await caller.begin({}, onlyLink);
    await caller.reach(id, 'expired');
    const run = world.client.workflow.getHandle(unmatchedPaymentWorkflowId(caller.tenant, id));
    await payLate(world, id);
    const { version } = await caller.reach(id, ({ late_payment }) => late_payment?.state === 'refunded');
    await run.terminate('recorded');
    await payLate(world, id);
    // The second payment is being given back, and has been.
    await caller.reach(id, (checkout) => checkout.version >= version + 2);
    return { run, ends: false };
  },
  'restored-then-paid': async (world) => {
    const caller = new Caller(world);
    const id = await caller.begin({}, onlyLink);
    await caller.reach(id, 'awaiting_link');
    await world.handleOf(caller.tenant, id).terminate('recorded');
    await world.standIns.pay(id);
    await caller.reach(id, 'paid');
    return { run: world.handleOf(caller.tenant, id), ends: true };
  },
  /** Nobody knows what became of the stopped run's wallet request until a webhook names it. */
  'restored-unanswered-then-paid': async (world) => {
    const caller = new Caller(world);
    const route = 'POST /v1/link/agent_authorizations';
    await world.standIns.fault({ route, kind: 'status', status: 500, after_effect: true });
    const id = await caller.begin();
    await caller.reach(id, 'needs_attention');
    await world.handleOf(caller.tenant, id).terminate('recorded');
    await reconcile(world, caller.tenant, { sinceMs: Date.now() - 60_000 });
    await world.standIns.approve(id);
    await caller.reach(id, 'paid');
    return { run: world.handleOf(caller.tenant, id), ends: true };
  },
  /** With a second look: a run that was stopped is started again. */
  reconciliation: async (world) => {
    const caller = new Caller(world);
    const id = await caller.begin({}, onlyLink);
    await caller.reach(id, 'awaiting_link');
    await world.handleOf(caller.tenant, id).terminate('recorded');
    const { workflowId } = await startReconciliation(world, caller.tenant, { sinceMs: Date.now() - 60_000 });
    return { run: world.client.workflow.getHandle(workflowId), ends: true };
  },
};
