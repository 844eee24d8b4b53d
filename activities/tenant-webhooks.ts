import { activityInfo, Context } from '@temporalio/activity';
import {
  ApplicationFailure,
  ApplicationFailureCategory,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import { failureTypes } from '../contracts/failures.js';
import {
  type WebhookDeliveryInput,
  type WebhookDeliveryResult,
  webhookDeliveryStart,
  webhookDeliveryWorkflowType,
  webhookMessageId,
} from '../contracts/tenant-event.js';
import type { LatePayment } from '../domain/late-payment.js';
import { checkoutEvent, latePaymentEvent, refundEvent } from '../domain/tenant-event.js';
import {
  type TenantWebhook,
  type WebhookSender,
  WebhookUnanswered,
} from '../providers/tenant-webhooks/sender.js';
import type { CheckoutRef } from './accounts.js';
import { readCheckoutRecord, readCheckoutRun } from './checkout-runs.js';
import { isRefundAnnounced, readRefundRun, type RefundRef } from './refund-runs.js';

export interface TenantWebhookDependencies {
  /** Where the tenant wants its webhooks; undefined when the file does not name it (any more). */
  tenantWebhook: (tenantId: string) => TenantWebhook | undefined;
  sendWebhook: WebhookSender;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** Pauses between attempts. By the time since the first one, so that a worker's death or a full queue shifts nothing. */
const pauses = [
  5 * second,
  30 * second,
  2 * minute,
  10 * minute,
  30 * minute,
  hour,
  2 * hour,
  4 * hour,
  8 * hour,
  8 * hour,
];

/** The last attempt begins so long before the time is over. */
const lastAttemptMs = minute;

/**
 * How long to wait for the next attempt, ms; undefined when the time is over. `elapsedMs` since the first attempt was
 * due, of `withinMs` in all. `random` in 0..1 spreads attempts that failed together; the receiver's wish to wait longer is
 * honoured as far as the time reaches.
 */
export function pauseBeforeNext(
  { elapsedMs, withinMs, retryAfterMs = 0 }: { elapsedMs: number; withinMs: number; retryAfterMs?: number },
  random: number,
): number | undefined {
  const lastAt = withinMs - lastAttemptMs;
  if (elapsedMs >= lastAt) return undefined;
  let due = 0;
  let pause = 0;
  for (pause of pauses) {
    due += pause;
    // An attempt that took long does not make the next one follow at once.
    if (due >= elapsedMs + pause / 2) break;
  }
  const wait = Math.max(due - elapsedMs, pause / 2) + 0.2 * pause * random;
  return Math.round(Math.min(Math.max(wait, retryAfterMs), lastAt - elapsedMs));
}

/** `Retry-After` in ms: seconds or a date (RFC 9110 10.2.3); 0 for anything else. */
function asked(retryAfter: string | undefined): number {
  const ms = Number(retryAfter) * second;
  const until = Number.isFinite(ms) ? ms : Date.parse(retryAfter ?? '') - Date.now();
  return Number.isFinite(until) ? Math.max(0, until) : 0;
}

/** Requests at a time of one worker: receivers that hang must leave room for what callers wait for. */
const limits = { perTenant: 10, inAll: 30 };

/** Lets so many deliveries through at a time and turns the others away. */
class Turnstile {
  readonly #inside = new Map<string, number>();

  /** Undefined when it was turned away. */
  async pass<T>(tenantId: string, run: () => Promise<T>): Promise<T | undefined> {
    const mine = this.#inside.get(tenantId) ?? 0;
    const all = [...this.#inside.values()].reduce((sum, count) => sum + count, 0);
    if (mine >= limits.perTenant || all >= limits.inAll) return undefined;
    this.#inside.set(tenantId, mine + 1);
    try {
      return await run();
    } finally {
      const left = (this.#inside.get(tenantId) ?? 1) - 1;
      if (left > 0) this.#inside.set(tenantId, left);
      else this.#inside.delete(tenantId);
    }
  }
}

/** Not taken: to be tried again as long as there is time. */
function notTaken(problem: string, retryAfter?: string): ApplicationFailure {
  const { scheduledTimestampMs, scheduleToCloseTimeoutMs: withinMs } = activityInfo();
  const times = { elapsedMs: Date.now() - scheduledTimestampMs, withinMs, retryAfterMs: asked(retryAfter) };
  const nextRetryDelay = pauseBeforeNext(times, Math.random());
  return ApplicationFailure.create({
    type: failureTypes.vendorUnavailable,
    message: `the tenant's system: ${problem}`,
    ...(nextRetryDelay === undefined ? { nonRetryable: true } : { nextRetryDelay }),
    category: ApplicationFailureCategory.BENIGN,
  });
}

/** For a run that announces within its own task: that is to end within 2 s. */
const startDeadlineMs = 1_500;

/** By then such a run, too, has published the state that it announces: a receiver that asks the API at once sees it. */
const startDelayMs = 1_000;

/** Starts the delivery of an event, once: repeated, or after ops reset the run that announced it, it is no news. */
async function startDelivery(input: WebhookDeliveryInput): Promise<void> {
  const { client } = Context.current();
  try {
    await client.withDeadline(Date.now() + startDeadlineMs, () =>
      client.workflow.start(webhookDeliveryWorkflowType, {
        ...webhookDeliveryStart(input),
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        startDelay: startDelayMs,
      }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/*
 * What a run published, and was perhaps stopped before it could tell: told to the tenant's own system where the run was to
 * tell it. What was told already is no news.
 */

/** How a checkout ended. */
export async function announceEnd(ref: CheckoutRef): Promise<void> {
  const found = await readCheckoutRun(ref);
  if (found.run !== 'ended' || !(await isAnnounced(ref))) return;
  const { checkout, state } = found;
  const identified = checkoutEvent(checkout, state, state.events.at(-1)?.at ?? Date.now());
  if (identified) await startDelivery({ v: 1, tenantId: ref.tenantId, ...identified });
}

/** What became of late money. */
export async function announceLatePayments(
  ref: CheckoutRef,
  payments: readonly LatePayment[],
): Promise<void> {
  const found = await readCheckoutRun(ref);
  if (found.run === 'gone' || !(await isAnnounced(ref))) return;
  const { tenantId } = ref;
  for (const payment of payments)
    await startDelivery({ v: 1, tenantId, ...latePaymentEvent(found.checkout, payment) });
}

/** What became of a refund. */
export async function announceRefund(ref: RefundRef): Promise<void> {
  const found = await readRefundRun(ref);
  if (found.run === 'gone' || !(await isRefundAnnounced(ref))) return;
  const identified = refundEvent(found.refund, found.state, found.state.event.at);
  if (identified) await startDelivery({ v: 1, tenantId: ref.tenantId, ...identified });
}

const isAnnounced = async (ref: CheckoutRef) => (await readCheckoutRecord(ref))?.input.announce ?? false;

/** Telling tenants' own systems what happened. */
export function createTenantWebhookActivities({ tenantWebhook, sendWebhook }: TenantWebhookDependencies) {
  const turnstile = new Turnstile();

  return {
    startWebhookDelivery: startDelivery,

    /**
     * Sends the event once, with a signature of its own. 2xx: delivered. 410: not wanted any more. Anything else is tried
     * again by Temporal, on the schedule above: the receiver may see an event twice, with the same `webhook-id`.
     */
    async deliverTenantWebhook({
      tenantId,
      eventId,
      event,
    }: WebhookDeliveryInput): Promise<Exclude<WebhookDeliveryResult, { outcome: 'undelivered' }>> {
      const webhook = tenantWebhook(tenantId);
      if (!webhook) throw notTaken('it is not in the file of tenants’ webhooks');
      const message = { id: webhookMessageId(eventId), body: JSON.stringify(event) };
      const answer = await turnstile
        .pass(tenantId, () => sendWebhook(webhook, message))
        .catch((error: unknown) => {
          throw error instanceof WebhookUnanswered ? notTaken(error.message) : error;
        });
      if (!answer) throw notTaken('too many requests to it are under way');
      const { status, retryAfter } = answer;
      if (status >= 200 && status < 300) return { outcome: 'delivered', status };
      if (status === 410) return { outcome: 'gone' };
      throw notTaken(`it answered ${status}`, retryAfter);
    },
  };
}
