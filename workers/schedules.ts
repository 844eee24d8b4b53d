import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  isGrpcServiceError,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type ScheduleOptions,
  type ScheduleOptionsStartWorkflowAction,
} from '@temporalio/client';
import {
  reconciliationAction,
  reconciliationScheduleId,
  reconciliationWorkflowType,
  tenantOfSchedule,
} from '../contracts/reconciliation.js';
import type { Logger } from '../runtime/logger.js';
import type { reconciliation } from '../workflows/reconciliation.js';

type Action = ScheduleOptionsStartWorkflowAction<typeof reconciliation>;

export interface ScheduleKeeping {
  client: Client;
  /** Whose schedules these are: others are never changed. */
  deployment: string;
  tenants: () => readonly string[];
  everyMs: number | 'off';
  log: Logger;
}

/** How soon a changed tenants file counts, and a failure is tried again, ms. */
const lookEveryMs = 30_000;

/** A time that was missed while Temporal was away is made up for within this time; the window of the run reaches back anyhow. */
const catchupWindowMs = 60_000;

/** Temporal keeps one question at a time for a schedule that is at work, as one is that several workers have just made, ms. */
const busyPauseMs = 200;
const busyTries = 20;
/** gRPC status RESOURCE_EXHAUSTED. */
const busy = 8;

/**
 * Sees to it that every tenant of the file has its schedule, now and when the file changes. Any number of workers may do so at
 * once. Whatever goes wrong is logged and tried again: it never keeps a worker from working.
 */
export function keepSchedules(options: ScheduleKeeping): { stop: () => void } {
  const { log, tenants } = options;
  let settled: string | undefined;
  let busy = false;
  const look = async () => {
    const wanted = JSON.stringify(tenants());
    if (busy || wanted === settled) return;
    busy = true;
    try {
      await setSchedules(options);
      settled = wanted;
    } catch (error) {
      const failure = error instanceof Error ? error.message : 'unknown';
      log.warn({ failure }, 'the schedules of the reconciliation could not be set: tried again');
    } finally {
      busy = false;
    }
  };
  void look();
  const timer = setInterval(() => void look(), lookEveryMs).unref();
  return { stop: () => clearInterval(timer) };
}

/** Creates what is missing, changes what differs, deletes what is ours and wanted no more. */
export async function setSchedules(options: Omit<ScheduleKeeping, 'log'>): Promise<void> {
  const { client, deployment, everyMs } = options;
  const wanted = everyMs === 'off' ? [] : options.tenants();
  for await (const { scheduleId, memo } of client.schedule.list()) {
    const tenantId = tenantOfSchedule(scheduleId);
    if (tenantId === undefined || wanted.includes(tenantId) || memo?.['deployment'] !== deployment) continue;
    await client.schedule.getHandle(scheduleId).delete().catch(unlessGone);
  }
  if (everyMs === 'off') return;
  for (const tenantId of wanted) await setSchedule(options, tenantId, everyMs);
}

async function setSchedule(
  { client, deployment }: Omit<ScheduleKeeping, 'log'>,
  tenantId: string,
  everyMs: number,
): Promise<void> {
  const scheduleId = reconciliationScheduleId(tenantId);
  const interval = { every: everyMs, offset: offsetOf(tenantId, everyMs) };
  const schedule: Omit<ScheduleOptions<Action>, 'scheduleId' | 'memo' | 'state'> = {
    spec: { intervals: [interval] },
    action: {
      type: 'startWorkflow',
      workflowType: reconciliationWorkflowType,
      workflowId: scheduleId,
      ...reconciliationAction({ v: 1, tenantId }),
    },
    policies: { overlap: 'SKIP', catchupWindow: catchupWindowMs },
  };
  try {
    await client.schedule.create<typeof reconciliation>({ scheduleId, memo: { deployment }, ...schedule });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const handle = client.schedule.getHandle(scheduleId);
    const { spec, state, memo } = await whenNotBusy(() => handle.describe());
    const [set, ...others] = spec.intervals ?? [];
    const same = others.length === 0 && set?.every === interval.every && set.offset === interval.offset;
    if (same || memo?.['deployment'] !== deployment) return;
    // Somebody may have paused it: that stays.
    const { paused, note } = state;
    const change = () => ({ ...schedule, state: { paused, ...(note && { note }) } });
    await whenNotBusy(() => handle.update<typeof reconciliation>(change)).catch(unlessGone);
  }
}

/** Tenants take turns, in whole seconds as ms: their passes may share a Stripe account, and its rate limit. */
function offsetOf(tenantId: string, everyMs: number): number {
  const offset = createHash('sha256').update(tenantId).digest().readUInt32BE() % everyMs;
  return offset - (offset % 1_000);
}

async function whenNotBusy<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (tries === busyTries || !isGrpcServiceError(cause) || Number(cause.code) !== busy) throw error;
      await sleep(busyPauseMs * (1 + Math.random()));
    }
  }
}

/** Another worker was first. */
function unlessGone(error: unknown): void {
  if (!(error instanceof ScheduleNotFoundError)) throw error;
}
