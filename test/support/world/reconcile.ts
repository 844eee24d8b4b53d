import {
  type ReconciliationInput,
  type ReconciliationResult,
  reconciliationStart,
  reconciliationWorkflowType,
} from '../../../contracts/reconciliation.js';
import { until } from './until.js';
import type { World } from './world.js';

type Options = Omit<ReconciliationInput, 'v' | 'tenantId'>;

/** Starts one reconciliation by hand. Nothing is too young for it unless a test says so. */
export function startReconciliation(world: World, tenantId: string, options: Options = {}) {
  const input: ReconciliationInput = { v: 1, tenantId, graceMs: 0, ...options };
  return world.client.workflow.start(reconciliationWorkflowType, reconciliationStart(input, Date.now()));
}

/** Runs one to its end. */
export async function reconcile(
  world: World,
  tenantId: string,
  options: Options = {},
): Promise<ReconciliationResult> {
  const run = await startReconciliation(world, tenantId, options);
  return (await run.result()) as ReconciliationResult;
}

/** A time, epoch ms, from which on a pass does not see an object any more: Stripe tells when it was made to the second. */
export function whenOlder({ created }: { created: number }): Promise<number> {
  return until('the next second', () => {
    const now = Date.now();
    return Math.floor(now / 1_000) > created && now;
  });
}

/** Differences in short. */
export function told({ differences }: ReconciliationResult, checkoutId?: string): string[] {
  return differences
    .filter((one) => checkoutId === undefined || one.checkoutId === checkoutId)
    .map(({ kind, outcome }) => `${kind} ${outcome}`);
}
