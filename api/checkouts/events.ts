import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import { refundWorkflowId } from '../../contracts/refund.js';
import type { CheckoutEvent, CheckoutState } from '../../domain/checkout-state.js';
import type { RefundState } from '../../domain/refund-state.js';
import { checkoutStatusSchema, railSchema } from '../schemas.js';
import { isNotFound, readDeadlineMs, temporalUnavailable } from '../runs.js';
import { withAftermath } from './aftermath.js';
import { readCheckout } from './store.js';

export const checkoutEventsSchema = z
  .object({
    events: z.array(
      z.object({
        seq: z.number(),
        at: z.string(),
        type: z.string(),
        state: checkoutStatusSchema,
        rail: railSchema.optional(),
        reason: z.string().optional(),
        by: z.string().optional().meta({ description: 'Who of ops resolved it.' }),
        refund_id: z.string().optional().meta({ description: 'Of a line `refund_…`, with its `amount`.' }),
        amount: z.number().optional(),
      }),
    ),
    next: z.number().meta({ description: 'Pass as `after` to get what comes later.' }),
  })
  .meta({ id: 'CheckoutEvents' });

/** Every state a run has published, in order, as its own history keeps them. Undefined when there is no such run. */
async function publishedStates<State>(client: Client, workflowId: string): Promise<State[] | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    const { events } = await client.withDeadline(Date.now() + 2 * readDeadlineMs, () =>
      handle.fetchHistory(),
    );
    return (events ?? []).flatMap((event) => {
      const memo =
        event.workflowExecutionStartedEventAttributes?.memo ??
        event.workflowPropertiesModifiedEventAttributes?.upsertedMemo;
      const payload = memo?.fields?.['state'];
      return payload ? [defaultPayloadConverter.fromPayload<State>(payload)] : [];
    });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw temporalUnavailable();
  }
}

type Event = z.output<typeof checkoutEventsSchema>['events'][number];

/** The lines of a checkout itself, up to its end. Undefined when there is no such run. */
export async function listOwnEvents(
  client: Client,
  tenantId: string,
  checkoutId: string,
): Promise<CheckoutEvent[] | undefined> {
  const states = await publishedStates<CheckoutState>(client, checkoutWorkflowId(tenantId, checkoutId));
  return states?.flatMap(({ events }) => events);
}

/** What became of each refund of a checkout, step by step, as lines of its event list, without their numbers. */
async function refundLines(client: Client, tenantId: string, checkoutId: string) {
  const memo = await readCheckout(client, tenantId, checkoutId);
  const { state, refunds = [] } = (memo && (await withAftermath(client, tenantId, memo))) ?? {};
  const lines = refunds.map(async ({ refund: { refundId, amount } }) =>
    ((await publishedStates<RefundState>(client, refundWorkflowId(tenantId, refundId))) ?? []).map(
      ({ event, failureReason }) => ({
        at: event.at,
        type: `refund_${event.type}`,
        status: state!.status,
        refund_id: refundId,
        amount,
        ...(failureReason !== undefined && { reason: failureReason }),
      }),
    ),
  );
  return (await Promise.all(lines)).flat().sort((a, b) => a.at - b.at);
}

/**
 * Every version the checkout went through, in order, then what became of its refunds: each is a published state in a run's
 * own history, so the list is complete, needs no worker and is stored nowhere else. Undefined when there is no such run.
 */
export async function listCheckoutEvents(
  client: Client,
  tenantId: string,
  checkoutId: string,
  after: number,
): Promise<z.output<typeof checkoutEventsSchema> | undefined> {
  const [own, refunds] = await Promise.all([
    listOwnEvents(client, tenantId, checkoutId),
    refundLines(client, tenantId, checkoutId),
  ]);
  if (!own) return undefined;
  const last = own.at(-1)?.seq ?? 0;
  const all = [...own, ...refunds.map((line, index) => ({ seq: last + index + 1, ...line }))];
  const news = all.filter(({ seq }) => seq > after);
  return {
    events: news.map(({ at, status, ...event }): Event => ({
      ...event,
      at: new Date(at).toISOString(),
      state: status,
    })),
    next: news.at(-1)?.seq ?? after,
  };
}
