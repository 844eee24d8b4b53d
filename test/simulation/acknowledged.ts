import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { checkoutWorkflowType } from '../../contracts/checkout.js';
import type { WorkflowRun } from '../support/simulation/workflow-run.js';
import { reconciliationWorkflowType } from '../../contracts/reconciliation.js';
import { Violation } from '../support/simulation/violation.js';
import type { World } from './world.js';

/** Events that say that money came, or may have. Whatever else is acknowledged costs time if it is lost, and no money. */
const moneyEvents = [
  'link.agent_authorization.approved',
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'payment_intent.processing',
  'payment_intent.succeeded',
];

interface Marked {
  id: string;
  metadata?: Record<string, string> | null;
  payment_intent?: string | null;
}

/** An event that was answered 2xx, by the stand-in's book. */
interface Acknowledged {
  id: string;
  type: string;
  createdMs: number;
  checkout: string;
  /** The payment that it speaks of, if it names one. */
  intent: string | undefined;
}

export function acknowledgedMoney({ standIns, foreign }: World): Acknowledged[] {
  return Object.values(standIns.world.state.events).flatMap((event): Acknowledged[] => {
    const { id, metadata, payment_intent } = event.object as Marked;
    const checkout = metadata?.['vc_checkout'];
    if (!event.delivered || !moneyEvents.includes(event.type) || checkout === undefined) return [];
    const intent = event.type.startsWith('payment_intent.') ? id : (payment_intent ?? undefined);
    if (intent !== undefined && foreign.has(intent)) return [];
    // A token alone moves no money: nobody but the run that reads it can spend it.
    if (event.type === 'link.agent_authorization.approved' && intent === undefined) return [];
    return [{ id: event.id, type: event.type, createdMs: event.created * 1_000, checkout, intent }];
  });
}

/** The id of the event that a signal brought; none where a troublemaker signaled what cannot be read. */
function eventId({ input: [first] }: { input: readonly Payload[] }): string[] {
  if (!first) return [];
  try {
    const { id } = defaultPayloadConverter.fromPayload<{ id?: unknown } | null>(first) ?? {};
    return typeof id === 'string' ? [id] : [];
  } catch {
    return [];
  }
}

/** The ids of all events that stand in a history: what was taken by a task, and what still waits for one. */
const eventsInHistories = (runs: readonly WorkflowRun[]): Set<string> =>
  new Set(runs.flatMap(({ signals }) => signals.flatMap(eventId)));

/**
 * I12, I13: an event that the vendor sent twice, or that was repeated because its answer was lost, wakes a checkout once. What
 * was made up by hand is no event of the vendor's; a run that was reset gets what came since once more. What passes of
 * reconciliation see, each tells once at most, however often it looks.
 */
export function broughtOnce({ server, standIns }: World, reset: (checkoutId: string) => boolean): void {
  const { events } = standIns.world.state;
  const passes = server.all().filter(({ start }) => start.workflowType === reconciliationWorkflowType).length;
  for (const { workflowId, start, signals } of server.all()) {
    if (start.workflowType !== checkoutWorkflowType || reset(workflowId.split('/').at(-1) ?? '')) continue;
    const taken = new Map<string, number>();
    for (const id of signals.flatMap(eventId)) {
      const times = (taken.get(id) ?? 0) + 1;
      const most = id in events ? 1 : id.startsWith('reconcile:') ? passes : Infinity;
      if (times > most) throw new Violation('I12', `${workflowId} was told of ${id} ${times} times`);
      taken.set(id, times);
    }
  }
}

/**
 * I12: what was answered 2xx is in a history, or what it speaks of is settled without it. `settled` says whether a payment
 * (undefined: the event names none) is known to the checkout.
 */
export function nothingLost(
  world: World,
  settled: (checkout: string, intent: string | undefined) => boolean,
): void {
  const taken = eventsInHistories(world.server.all());
  for (const { id, type, checkout, intent } of acknowledgedMoney(world)) {
    if (taken.has(id) || settled(checkout, intent)) continue;
    throw new Violation('I12', `${type} ${id} of ${checkout} was acknowledged, and no history has it`);
  }
}
