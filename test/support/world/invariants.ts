import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryAndWorkflowId } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { expect } from 'vitest';
import type { Caller, Checkout } from './caller.js';
import type { World } from './world.js';

type State = Checkout['state'];

/** The table of the HTTP contract, written down a second time so that product and tests do not share a mistake. */
const contractTable: Readonly<Record<string, readonly State[]>> = {
  starting: ['awaiting_wallet', 'charging', 'sending_link', 'failed'],
  awaiting_wallet: ['charging', 'closing'],
  charging: ['paid', 'processing', 'closing', 'needs_attention'],
  sending_link: ['awaiting_link', 'closing'],
  awaiting_link: ['paid', 'processing', 'closing'],
  processing: ['paid', 'closing'],
  closing: [
    'paid',
    'awaiting_wallet',
    'sending_link',
    'declined',
    'expired',
    'canceled',
    'failed',
    'needs_attention',
  ],
  needs_attention: ['paid', 'processing', 'charging', 'closing'],
};

/** Edges the contract's table lacks and the product needs: see `transitions` in domain/checkout-state. */
const furtherEdges: readonly string[] = [
  'starting canceled',
  'starting needs_attention',
  'closing processing',
  'closing charging',
];

/**
 * What must be true of every checkout once a test is over: it has ended, nothing of it can be paid any more, the ledger
 * holds exactly what it says, and its events are complete and went only where the contract allows.
 */
export async function expectAtRest(caller: Caller): Promise<void> {
  const { charges, refunds, live_instruments } = await caller.world.standIns.ledger();
  for (const id of caller.checkouts) {
    const ours = ({ metadata }: { metadata: Record<string, string> }) => metadata['vc_checkout'] === id;
    const { status, body: checkout } = await caller.get(id);
    if (status === 404) continue;
    const { state, amount, currency, amount_captured, rails_left, late_payment } = checkout;
    const honoured = late_payment?.state === 'honoured';
    const paid = state === 'paid' || honoured;
    // Money that came late, or twice, and went back as a whole is as if it had never come.
    const lateAndReturned = refunds.filter(
      (refund) => ours(refund) && (refund.metadata['vc_refund'] ?? '').startsWith('late_'),
    );
    const charged = charges
      .filter(ours)
      .filter(
        ({ payment_intent, amount: captured }) =>
          !lateAndReturned.some((one) => one.payment_intent === payment_intent && one.amount === captured),
      )
      .map((charge) => ({ amount: charge.amount, currency: charge.currency }));
    expect(charged, `charges of a checkout that is ${state}`).toEqual(paid ? [{ amount, currency }] : []);
    expect(amount_captured).toBe(paid ? amount : 0);
    const intents = charges.filter(ours).map(({ payment_intent }) => payment_intent);
    const givenBack = refunds.filter(({ payment_intent }) => intents.includes(payment_intent));
    await expectLawfulEvents(caller, id, givenBack.length > 0 || late_payment !== undefined);
    if (caller.leavesOpen.has(id)) continue;
    expect(checkout.terminal, `checkout is ${state}`).toBe(true);
    expect(live_instruments.filter(ours), `live instruments of a checkout that is ${state}`).toEqual([]);
    if (!paid && state !== 'canceled') expect(rails_left).toEqual([]);
  }
}

/** Money that came late or went back is no event of the checkout, but a visible change: its version counts that, too. */
async function expectLawfulEvents(caller: Caller, id: string, moved: boolean): Promise<void> {
  const events = await caller.events(id);
  // After the events: a refund of it may still be on its way.
  const { version, refunds } = (await caller.get(id)).body;
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  if (moved || refunds.length > 0) expect(version).toBeGreaterThanOrEqual(events.length);
  else expect(events).toHaveLength(version);
  const states = events.map(({ state }) => state);
  for (const [index, to] of states.entries()) {
    const from = states[index - 1];
    if (from === undefined || from === to) continue;
    const lawful = contractTable[from]?.includes(to) || furtherEdges.includes(`${from} ${to}`);
    expect(lawful, `${from} leads to ${to}`).toBe(true);
  }
}

/**
 * How long the SDK's replay worker may be silent about one history, ms. It takes milliseconds, but now and then on a loaded
 * machine the worker waits for ever before it takes the next history (seen with 1.24.0).
 */
const silentMs = 30_000;

/** Replays every history of a world with today's bundle. Answers how many there were; throws if one fails. */
export async function replayAll(world: World, codePath: string): Promise<number> {
  const histories: HistoryAndWorkflowId[] = [];
  for await (const one of world.client.workflow.list().intoHistories({ concurrency: 5 })) {
    if (hasBegun(one)) histories.push(one);
  }
  const failed: string[] = [];
  let done = 0;
  for (let silentAt = -1; done < histories.length;) {
    const left = histories.slice(done);
    const results = Worker.runReplayHistories({ workflowBundle: { codePath } }, left);
    for (;;) {
      const result = await inTime(results.next());
      if (result === undefined || result.done) break;
      done++;
      if (result.value.error) failed.push(`${result.value.workflowId}: ${result.value.error.message}`);
    }
    // A second worker that falls silent at the same history says that it is the history.
    if (silentAt === done) throw new Error(`the replay of ${histories[done]?.workflowId} does not end`);
    silentAt = done;
  }
  return report(failed, histories.length);
}

/** Before its first task a run has commanded nothing, and a replay worker waits for that task for ever. */
const hasBegun = ({ history }: HistoryAndWorkflowId) =>
  (history as temporal.api.history.v1.IHistory).events?.some(
    ({ workflowTaskCompletedEventAttributes: task }) => task != null,
  ) ?? false;

async function inTime<T>(result: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const silence = sleep(silentMs, undefined, { signal: over.signal }).catch(() => undefined);
  return Promise.race([result, silence]).finally(() => over.abort());
}

function report(failed: readonly string[], count: number): number {
  if (failed.length > 0)
    throw new Error(`${failed.length} of ${count} replays failed:\n${failed.join('\n')}`);
  return count;
}
