import { isUnknownRun } from '../../../activities/checkout-runs.js';
import { until } from './until.js';
import type { World } from './world.js';

/** Temporal takes its time to delete a run that has closed. */
const withinMs = 120_000;

/** Temporal forgets a run, as it forgets all of them when its data is lost. */
export async function loseRun({ client, namespace }: World, workflowId: string): Promise<void> {
  await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } });
  const run = client.workflow.getHandle(workflowId);
  await until('it is forgotten', () => run.describe().then(() => false, isUnknownRun), withinMs);
}
