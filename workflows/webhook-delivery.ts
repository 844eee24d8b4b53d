import { ActivityFailure, isCancellation, setCurrentDetails } from '@temporalio/workflow';
import {
  type WebhookDeliveryInput,
  type WebhookDeliveryResult,
  webhookMessageId,
} from '../contracts/tenant-event.js';
import { deliverTenantWebhook } from './steps/effects.js';

/**
 * One webhook to a tenant's own system. Tried at once and then, with growing pauses, for 24 hours: the attempts cost no
 * history. Nobody taking it is a result, not a failure; the command `webhook:resend` starts the same again.
 */
export async function webhookDelivery(input: WebhookDeliveryInput): Promise<WebhookDeliveryResult> {
  const { tenantId, eventId, event } = input;
  const about = `${event.type} to ${tenantId}, webhook-id ${webhookMessageId(eventId)}`;
  setCurrentDetails(
    `Delivering ${about}. Tried with growing pauses for 24 hours; the pending activity shows the last answer and the next attempt.`,
  );
  const result = await deliver(input);
  setCurrentDetails(`${about}: ${inWords(result)}`);
  return result;
}

async function deliver(input: WebhookDeliveryInput): Promise<WebhookDeliveryResult> {
  try {
    return await deliverTenantWebhook(input);
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    return { outcome: 'undelivered', lastProblem: error.cause?.message ?? 'no attempt came to an end' };
  }
}

function inWords(result: WebhookDeliveryResult): string {
  switch (result.outcome) {
    case 'delivered':
      return `delivered, the answer was ${result.status}.`;
    case 'gone':
      return 'not wanted any more, the answer was 410.';
    case 'undelivered':
      return `nobody took it in time, at last ${result.lastProblem}. The command webhook:resend sends it again.`;
  }
}
