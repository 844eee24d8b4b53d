import { parseArgs } from 'node:util';
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import {
  eventIdOf,
  type WebhookDeliveryInput,
  webhookDeliveryStart,
  webhookDeliveryWorkflowId,
  webhookDeliveryWorkflowType,
  webhookMessageId,
} from '../contracts/tenant-event.js';
import { isTenantId } from '../contracts/ids.js';
import type { webhookDelivery } from '../workflows/webhook-delivery.js';
import { isNotFound, type Outcome, runCommand } from './command.js';

const usage = `Sends a webhook to a tenant's own system again, with the same webhook-id.

  npm run webhook:resend -- --tenant <tenant> --id <webhook-id>
  node dist/workers/resend-webhook.js --tenant <tenant> --id <webhook-id>

The webhook-id is msg_<checkout or refund id>.<event type>. Temporal is found by the TEMPORAL_* variables.`;

interface Wanted {
  tenantId: string;
  eventId: string;
}

/** What is asked for; undefined when it cannot be understood. */
function wanted(args: readonly string[]): Wanted | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { tenant: { type: 'string' }, id: { type: 'string' } },
    });
    const eventId = eventIdOf(values.id ?? '');
    const tenantId = values.tenant ?? '';
    return eventId !== undefined && isTenantId(tenantId) ? { tenantId, eventId } : undefined;
  } catch {
    return undefined;
  }
}

/** Starts the delivery again from what its closed run was started with. Answers with what was done, or why not. */
async function resend(client: Client, { tenantId, eventId }: Wanted): Promise<Outcome> {
  const workflowId = webhookDeliveryWorkflowId(tenantId, eventId);
  const id = webhookMessageId(eventId);
  const underWay = { ok: false, text: `${id} to ${tenantId} is still being delivered: ${workflowId}` };
  const found = await lastRun(client, workflowId);
  if (found === undefined) return { ok: false, text: `there is no ${id} to ${tenantId}, or not any more` };
  if (found === 'running') return underWay;
  try {
    const { firstExecutionRunId } = await client.workflow.start<typeof webhookDelivery>(
      webhookDeliveryWorkflowType,
      {
        ...webhookDeliveryStart(found),
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
      },
    );
    return { ok: true, text: `${id} goes to ${tenantId} again: ${workflowId}, run ${firstExecutionRunId}` };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return underWay;
    throw error;
  }
}

/** What the newest run was started with, once it is closed; undefined when there is none. */
async function lastRun(
  client: Client,
  workflowId: string,
): Promise<WebhookDeliveryInput | 'running' | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    const { status } = await handle.describe();
    if (status.name === 'RUNNING') return 'running';
    const { events } = await handle.fetchHistory();
    const payload = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    return payload ? defaultPayloadConverter.fromPayload<WebhookDeliveryInput>(payload) : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

await runCommand(usage, wanted, resend);
