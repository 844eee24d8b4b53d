import {
  allHandlersFinished,
  condition,
  defineSignal,
  defineUpdate,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import type { BareActivities } from './bare-activities.js';

/** Same options as the product's effects and reads, so that only what is inside them differs. */
const { open, read } = proxyActivities<BareActivities>({
  startToCloseTimeout: 10_000,
  heartbeatTimeout: 1_500,
  retry: { initialInterval: 100 },
});

export const bareStarted = defineUpdate<string>('bareStarted');
export const barePaid = defineSignal<[{ id: string }]>('barePaid');

/**
 * The floor: a workflow with the activities, timer and signal of a paid checkout and nothing else. Answers its start
 * after the first activity, waits for the signal under a timer, reads back by the second activity.
 */
export async function bare(input: { id: string }): Promise<string> {
  let opened = false;
  let paid = false;
  setHandler(bareStarted, async () => {
    await condition(() => opened);
    return input.id;
  });
  setHandler(barePaid, () => {
    paid = true;
  });
  await open(input);
  opened = true;
  await condition(() => paid, 10_000);
  const answer = await read(input);
  await condition(allHandlersFinished);
  return answer;
}
