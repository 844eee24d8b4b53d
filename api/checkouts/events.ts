import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { z } from 'zod';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import type { CheckoutState } from '../../domain/checkout-state.js';
import { checkoutStatusSchema, railSchema } from '../schemas.js';
import { isNotFound, readDeadlineMs, temporalUnavailable } from '../runs.js';

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
      }),
    ),
    next: z.number().meta({ description: 'Pass as `after` to get what comes later.' }),
  })
  .meta({ id: 'CheckoutEvents' });

type Memo = temporal.api.common.v1.IMemo | null | undefined;

function stateIn(memo: Memo): CheckoutState | undefined {
  const payload = memo?.fields?.['state'];
  return payload ? defaultPayloadConverter.fromPayload<CheckoutState>(payload) : undefined;
}

/**
 * Every version the checkout went through, in order: each is a published state in the run's own history, so the list is
 * complete, needs no worker and is stored nowhere else. Undefined when there is no such run.
 */
export async function listCheckoutEvents(
  client: Client,
  tenantId: string,
  checkoutId: string,
  after: number,
): Promise<z.output<typeof checkoutEventsSchema> | undefined> {
  const handle = client.workflow.getHandle(checkoutWorkflowId(tenantId, checkoutId));
  try {
    const { events } = await client.withDeadline(Date.now() + 2 * readDeadlineMs, () =>
      handle.fetchHistory(),
    );
    const all = (events ?? []).flatMap((event) => {
      const memo =
        event.workflowExecutionStartedEventAttributes?.memo ??
        event.workflowPropertiesModifiedEventAttributes?.upsertedMemo;
      return stateIn(memo)?.events ?? [];
    });
    const news = all.filter(({ seq }) => seq > after);
    return {
      events: news.map(({ at, status, ...event }) => ({
        ...event,
        at: new Date(at).toISOString(),
        state: status,
      })),
      next: news.at(-1)?.seq ?? after,
    };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw temporalUnavailable();
  }
}
