import { activityInfo, Context } from '@temporalio/activity';
import { defaultPayloadConverter, type Payload, WorkflowNotFoundError } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { temporal } from '@temporalio/proto';
import { type CheckoutInput, type CheckoutMemo, checkoutWorkflowId } from '../contracts/checkout.js';
import { isPaymentEvent, type PaymentEvent, paymentEventReceived } from '../contracts/payment-event.js';
import { isTerminal } from '../domain/checkout-state.js';
import type { CheckoutRef } from './accounts.js';
import type { createWalletActivities } from './wallet.js';

/** gRPC status NOT_FOUND; some calls let the raw error through. */
const notFound = 5;

/** True when Temporal knows no such run. */
export function isUnknownRun(error: unknown): boolean {
  return (
    error instanceof WorkflowNotFoundError || (error as { code?: unknown } | undefined)?.code === notFound
  );
}

/** A checkout as Temporal has it. `broken`: closed, but not by its own end. `gone`: not there (any more). */
export type CheckoutRunReading =
  ({ run: 'open' | 'ended' | 'broken'; /** Epoch ms. */ startedAt: number } & CheckoutMemo) | { run: 'gone' };

/** Reads what a checkout's run has published. Throws when Temporal does not answer. */
export async function readCheckoutRun({ tenantId, checkoutId }: CheckoutRef): Promise<CheckoutRunReading> {
  const run = Context.current().client.workflow.getHandle(checkoutWorkflowId(tenantId, checkoutId));
  try {
    const { status, memo, startTime } = await run.describe();
    const { checkout, state } = (memo ?? {}) as Partial<CheckoutMemo>;
    if (!checkout || !state) return { run: 'gone' };
    const reading = { checkout, state, startedAt: startTime.getTime() };
    if (status.name === 'RUNNING' || status.name === 'PAUSED') return { run: 'open', ...reading };
    return { run: isTerminal(state.status) ? 'ended' : 'broken', ...reading };
  } catch (error) {
    if (isUnknownRun(error)) return { run: 'gone' };
    throw error;
  }
}

/** Whether ops reset the run that asks: what it does for the first time may have been done before. */
export async function readReset(): Promise<boolean> {
  const { workflowId = '', runId } = activityInfo().workflowExecution ?? {};
  const { raw } = await Context.current().client.workflow.getHandle(workflowId, runId).describe();
  const first = raw.workflowExecutionInfo?.firstRunId ?? '';
  return first !== '' && first !== runId;
}

/** More are not restored: whoever has access to Temporal can name as many, and an input has a limit. */
const maxReported = 1_000;

/** What a checkout's newest run was told. Holds personal data: not to be returned by an activity. */
interface CheckoutRecord {
  input: CheckoutInput;
  /** PaymentIntents that webhooks named to it: each was acknowledged, so somebody has to look into it. */
  reported: string[];
  /** The wallet request that a webhook named to it last. */
  namedAuthorization: string | undefined;
  /** When it asked the wallet last, epoch ms. Whether that was answered stands in its state. */
  walletAskedAt: number | undefined;
}

/** The record that Temporal keeps of a checkout's newest run; undefined when there is none. */
export async function readCheckoutRecord({
  tenantId,
  checkoutId,
}: CheckoutRef): Promise<CheckoutRecord | undefined> {
  const run = Context.current().client.workflow.getHandle(checkoutWorkflowId(tenantId, checkoutId));
  try {
    const { events } = await run.fetchHistory();
    const started = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    if (!started) return undefined;
    const told = toldIn(events);
    const reported = told.filter(({ kind }) => kind === 'payment.succeeded').map(({ objectId }) => objectId);
    return {
      input: defaultPayloadConverter.fromPayload<CheckoutInput>(started),
      reported: [...new Set(reported)].slice(0, maxReported),
      namedAuthorization: told.findLast(({ kind }) => kind.startsWith('authorization.'))?.objectId,
      walletAskedAt: lastScheduled(events, 'requestWalletApproval'),
    };
  } catch (error) {
    if (isUnknownRun(error)) return undefined;
    throw error;
  }
}

/** Epoch ms. */
function lastScheduled(
  events: temporal.api.history.v1.IHistoryEvent[],
  name: keyof ReturnType<typeof createWalletActivities>,
): number | undefined {
  const last = events.findLast(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name === name,
  );
  return last?.eventTime ? tsToMs(last.eventTime) : undefined;
}

/** What a workflow's newest run was told. Throws when Temporal does not answer or knows no such run. */
export async function readTold(workflowId: string): Promise<PaymentEvent[]> {
  const { events } = await Context.current().client.workflow.getHandle(workflowId).fetchHistory();
  return toldIn(events);
}

/** The events that a run was told of by signals; those may have been typed by hand and be anything. */
function toldIn(events: temporal.api.history.v1.IHistoryEvent[] | null | undefined): PaymentEvent[] {
  return (events ?? [])
    .flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => signal ?? [])
    .filter(({ signalName }) => signalName === paymentEventReceived.name)
    .map(({ input }) => contentOf(input?.payloads?.[0]))
    .filter((event) => isPaymentEvent(event));
}

function contentOf(payload: Payload | undefined): unknown {
  try {
    return payload && defaultPayloadConverter.fromPayload(payload);
  } catch {
    return undefined;
  }
}
