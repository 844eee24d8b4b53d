import type { DifferenceKind } from '../domain/reconcile.js';
import { checkoutTaskQueue } from './checkout.js';
import { tenantIdAttribute } from './search-attributes.js';

/** Compares what Stripe and Temporal know of a tenant's money, and repairs or reports each difference. */
export const reconciliationWorkflowType = 'reconciliation';

/** Of the schedule; Temporal appends the time to it for the id of each run. */
export function reconciliationScheduleId(tenantId: string): string {
  return `reconciliation/${tenantId}`;
}

/** The tenant of such a schedule; undefined when it is not one. */
export function tenantOfSchedule(scheduleId: string): string | undefined {
  return /^reconciliation\/([a-z0-9][a-z0-9_-]{0,39})$/.exec(scheduleId)?.[1];
}

/** What is walked, in this order. */
export const reconciliationSources = [
  'events',
  'approvals',
  'pages',
  'payments',
  'attempts',
  'refunds',
  'refunds_returned',
  'checkouts_stopped',
  'checkouts_open',
  'refunds_open',
  'late_payments',
] as const;

export type ReconciliationSource = (typeof reconciliationSources)[number];

export type ReconciledObject = 'payment' | 'page' | 'approval' | 'refund' | 'run' | 'window';

export interface Difference {
  kind: DifferenceKind;
  type: ReconciledObject;
  /** The vendor's id, or the id of a run. */
  object: string;
  checkoutId?: string;
  refundId?: string;
  /** `waiting`: something was done, and it is too early to see whether it helped. */
  outcome: 'repaired' | 'waiting' | 'reported';
  /** Plain English. */
  detail: string;
}

/** Where a reconciliation is: enough to go on after any interruption. */
export interface ReconciliationProgress {
  source: ReconciliationSource;
  /** Of the source's next page. */
  cursor?: string;
  /** Epoch ms. */
  from: number;
  until: number;
  examined: Partial<Record<ReconciliationSource, number>>;
  repaired: number;
  reported: number;
  differences: Difference[];
  /** Runs of payments were lost, and are there again: attempts before them may still be missing. */
  restored?: true;
}

export interface ReconciliationInput {
  v: 1;
  tenantId: string;
  /** From when on to look, epoch ms; absent: from where the schedule's last run ended. */
  sinceMs?: number;
  /** Objects younger than this are left alone: their run is in the middle of it. 2 min if not given. */
  graceMs?: number;
  /** Objects per page; 100, Stripe's limit, if not given. */
  pageSize?: number;
  /** Set where a run goes on as a new one. */
  progress?: ReconciliationProgress;
}

export interface ReconciliationResult {
  from: number;
  until: number;
  /** Where the next scheduled run goes on, epoch ms. */
  resumeAt: number;
  examined: ReconciliationProgress['examined'];
  /** All of them; `differences` holds the first ones only. */
  repaired: number;
  reported: number;
  differences: Difference[];
}

/** How it is started by hand. `at`: epoch ms. */
export function reconciliationStart(input: ReconciliationInput, at: number) {
  return {
    workflowId: `${reconciliationScheduleId(input.tenantId)}/by-hand/${new Date(at).toISOString()}`,
    ...reconciliationAction(input),
  };
}

/** What a schedule starts. */
export function reconciliationAction(input: ReconciliationInput) {
  return {
    taskQueue: checkoutTaskQueue,
    args: [input] as [ReconciliationInput],
    typedSearchAttributes: [{ key: tenantIdAttribute, value: input.tenantId }],
    staticSummary: `Compare Stripe with the runs of ${input.tenantId}`,
  };
}
