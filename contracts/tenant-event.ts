import type { IdentifiedEvent } from '../domain/tenant-event.js';
import { checkoutTaskQueue } from './checkout.js';
import { tenantIdAttribute } from './search-attributes.js';

/** One webhook to a tenant's own system, until it was taken or a day is over. */
export const webhookDeliveryWorkflowType = 'webhookDelivery';

/** `webhookDelivery/<tenant>/<event id>`: found without a look-up by whoever wants it sent again. */
export function webhookDeliveryWorkflowId(tenantId: string, eventId: string): string {
  return `webhookDelivery/${tenantId}/${eventId}`;
}

const prefix = 'msg_';

/** The header `webhook-id`: the same in every attempt and every resend. */
export function webhookMessageId(eventId: string): string {
  return prefix + eventId;
}

/** The event a `webhook-id` stands for; undefined when it cannot be one of ours. */
export function eventIdOf(messageId: string): string | undefined {
  return /^msg_[\w-]+\.(checkout|refund)\.[a-z_]+$/.test(messageId)
    ? messageId.slice(prefix.length)
    : undefined;
}

/** The event as it happened: a resend says the same. */
export interface WebhookDeliveryInput extends IdentifiedEvent {
  v: 1;
  tenantId: string;
}

/** How a delivery is started, the first time and again. */
export function webhookDeliveryStart(input: WebhookDeliveryInput) {
  const { tenantId, eventId, event } = input;
  return {
    workflowId: webhookDeliveryWorkflowId(tenantId, eventId),
    taskQueue: checkoutTaskQueue,
    args: [input] as [WebhookDeliveryInput],
    typedSearchAttributes: [{ key: tenantIdAttribute, value: tenantId }],
    staticSummary: `Tell ${tenantId}: ${event.type}`,
    // No caller waits for it: whatever one does wait for goes first.
    priority: { priorityKey: 4, fairnessKey: tenantId },
  };
}

export type WebhookDeliveryResult =
  /** The tenant's system answered 2xx. */
  | { outcome: 'delivered'; status: number }
  /** It answered 410: it wants no more of them. */
  | { outcome: 'gone' }
  /** Nobody took it in time; `lastProblem` is the last answer, in plain English. It can be sent again by command. */
  | { outcome: 'undelivered'; lastProblem: string };
