import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import Stripe from 'stripe';
import { checkoutWorkflowType } from '../contracts/checkout.js';
import { failureTypes } from '../contracts/failures.js';
import type { Difference, ReconciliationSource } from '../contracts/reconciliation.js';
import { refundWorkflowType } from '../contracts/refund.js';
import { unmatchedPaymentWorkflowType } from '../contracts/unmatched-payment.js';
import { eventsListedMs, overdueMs } from '../domain/reconcile.js';
import { authorizationEvents, listEvents } from '../providers/stripe/agent-authorizations.js';
import { type ActivityDependencies, onAccount } from './accounts.js';
import { chargeOf, mayPay } from './charges.js';
import { withVendorFailures } from './failures.js';
import { createPace } from './pacer.js';
import { ObjectReconciler } from './reconcile-object.js';
import type { LateRepairs } from './reconcile-repairs.js';
import { idInWorkflow } from './reconciliation-facts.js';
import { RunReconciler } from './reconcile-run.js';

/** Which page of what is to be compared. Times in ms. */
export interface ReconciliationPageRequest {
  tenantId: string;
  source: ReconciliationSource;
  cursor?: string;
  from: number;
  graceMs: number;
  pageSize: number;
}

export interface ReconciliationPage {
  /** Objects of this tenant on the page. */
  examined: number;
  /** Cursor of the next page; absent: this was the last one. */
  next?: string;
  differences: Difference[];
  /** A run of a payment on it had been lost: the attempts before it may be lost still. */
  restored?: true;
}

/** Stripe takes 100 requests per second, 25 in a sandbox, and 25 per endpoint. Source: docs.stripe.com/rate-limits. */
const requestsPerSecond = 10;

const hour = 3_600_000;

/** No page lives longer. Source: Checkout Session `expires_at`. */
const pageLifetimeMs = 25 * hour;

/** A page may be opened again and again for ten minutes before its run learns its id: see `opening` in steps/effects. */
const settlingFactor = 8;

/** The events that speak of money; `charge.refunded` too. */
const eventTypes = [
  'checkout.session.completed',
  'checkout.session.expired',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'payment_intent.succeeded',
  'payment_intent.payment_failed',
  'payment_intent.processing',
  'payment_intent.canceled',
  ...Object.values(authorizationEvents),
  'charge.refunded',
  'refund.created',
  'refund.updated',
  'refund.failed',
];

const iso = (ms: number) => new Date(ms).toISOString();

const stopped = 'ExecutionStatus IN ("Terminated", "Failed", "TimedOut", "Canceled")';

/** What Temporal lists for a source; undefined for Stripe's. */
function runsQuery(source: ReconciliationSource, from: number): string | undefined {
  const closed = `(${stopped} AND CloseTime >= "${iso(from)}")`;
  switch (source) {
    case 'checkouts_stopped':
      return `WorkflowType = "${checkoutWorkflowType}" AND ${closed}`;
    case 'checkouts_open':
      return `WorkflowType = "${checkoutWorkflowType}" AND ExecutionStatus = "Running" AND (CheckoutState = "needs_attention" OR StartTime < "${iso(Date.now() - overdueMs)}")`;
    case 'refunds_open':
      return `WorkflowType = "${refundWorkflowType}" AND ((ExecutionStatus = "Running" AND RefundState IN ("submitting", "submitted", "needs_attention")) OR ${closed})`;
    case 'late_payments':
      // Who waited for a person for too long has ended so, and the money is with us all the same.
      return `WorkflowType = "${unmatchedPaymentWorkflowType}" AND ((ExecutionStatus IN ("Running", "Completed") AND LatePayment IN ("needs_attention", "refunding")) OR ${closed})`;
    case 'events':
    case 'approvals':
    case 'pages':
    case 'payments':
    case 'attempts':
    case 'refunds':
    case 'refunds_returned':
      return undefined;
  }
}

/** Comparing what Stripe and Temporal know, one page or one object at a time. */
export function createReconciliationActivities(dependencies: ActivityDependencies, late: LateRepairs) {
  const { stripe } = dependencies;

  function reconcilers(tenantId: string) {
    const pace = createPace(requestsPerSecond);
    const objects = new ObjectReconciler(dependencies, late, tenantId, pace);
    return { pace, objects, runs: new RunReconciler(objects, tenantId) };
  }

  async function stripePage(request: ReconciliationPageRequest): Promise<ReconciliationPage> {
    const { tenantId, source, cursor, from, graceMs, pageSize } = request;
    const { pace, objects } = reconcilers(tenantId);
    const account = onAccount(dependencies, { tenantId, checkoutId: '' });
    const since = (ms: number) => ({ gte: Math.floor(ms / 1_000) });
    const page = { limit: pageSize, ...(cursor !== undefined && { starting_after: cursor }) };
    const old = (seconds: number, factor = 1) => seconds * 1_000 <= Date.now() - graceMs * factor;
    await pace();

    switch (source) {
      case 'events': {
        const created = since(Math.max(from, Date.now() - eventsListedMs));
        const undelivered = { ...page, created, types: eventTypes, delivery_success: false };
        const list = await listEvents(stripe, undelivered, account);
        const named = new Map<string, NamedObject>();
        for (const { created: at, data } of list.data) {
          const object = data.object as NamedObject;
          // Copies of metadata are read all the same; what is not ours costs no request.
          if (old(at) && objects.ownerOf(object.metadata)) named.set(object.id, object);
        }
        return walked(list, [...named.values()], (object) => lookAtNamed(objects, object));
      }
      case 'approvals': {
        // Also those that were delivered: what the run was told is lost with it, and nothing but the request names its payment.
        const created = since(Math.max(from, Date.now() - eventsListedMs));
        const approved = { ...page, created, types: [authorizationEvents.approved] };
        const list = await listEvents(stripe, approved, account);
        const ours = list.data
          .filter(({ created: at }) => old(at))
          .map(({ data }) => data.object as NamedObject)
          .filter(({ metadata }) => objects.ownerOf(metadata));
        return walked(list, ours, (one) => objects.approvalIfLost(one));
      }
      case 'pages': {
        const created = since(Math.min(from, Date.now() - pageLifetimeMs));
        const list = await stripe.checkout.sessions.list({ ...page, created, status: 'open' }, account);
        const ours = list.data.filter(({ created: at, metadata }) => old(at) && objects.ownerOf(metadata));
        return walked(list, ours, (one) => objects.page(one, !old(one.created, settlingFactor)));
      }
      case 'payments': {
        const expand = ['data.latest_charge'];
        const list = await stripe.paymentIntents.list({ ...page, created: since(from), expand }, account);
        const ours = list.data.filter(
          (one) => old(chargeOf(one)?.created ?? one.created) && objects.ownerOf(one.metadata),
        );
        const walk = await walked(list, ours, (one) => objects.payment(one));
        return objects.sawRestored ? { ...walk, restored: true } : walk;
      }
      case 'attempts': {
        const list = await stripe.paymentIntents.list({ ...page, created: since(from) }, account);
        const ours = list.data.filter((one) => mayPay(one) && objects.ownerOf(one.metadata));
        const found = await Promise.all(ours.map((one) => objects.earlierAttempts(one)));
        const walk = await walked(list, [], () => Promise.resolve(undefined));
        return { ...walk, examined: ours.length, differences: found.flat() };
      }
      case 'refunds_returned': {
        // By whomever it was made: a refund by hand has no run that could be told. Banks return one days after it was made.
        const created = since(Math.max(from, Date.now() - eventsListedMs));
        const list = await listEvents(stripe, { ...page, created, types: ['refund.failed'] }, account);
        const returned = list.data
          .filter(({ created: at }) => old(at))
          .map(({ data }) => data.object as NamedObject);
        return walked(list, returned, ({ id }) => objects.refundById(id));
      }
      default: {
        const expand = ['data.payment_intent', 'data.charge'];
        const list = await stripe.refunds.list({ ...page, created: since(from), expand }, account);
        const ours = list.data.filter(
          ({ created: at, payment_intent: intent }) =>
            old(at) && typeof intent === 'object' && objects.ownerOf(intent?.metadata),
        );
        return walked(list, ours, (one) => objects.refund(one));
      }
    }
  }

  async function runsPage(request: ReconciliationPageRequest, query: string): Promise<ReconciliationPage> {
    const { tenantId, source, cursor, graceMs, pageSize } = request;
    const { runs } = reconcilers(tenantId);
    const { workflowService, options } = Context.current().client;
    const { executions, nextPageToken } = await workflowService.listWorkflowExecutions({
      namespace: options.namespace,
      query: `TenantId = "${tenantId}" AND ${query}`,
      pageSize,
      ...(cursor !== undefined && { nextPageToken: Buffer.from(cursor, 'base64') }),
    });
    const ids = [...new Set(executions.map(({ execution }) => execution?.workflowId ?? ''))];
    const differences: Difference[] = [];
    for (const id of ids) {
      const found = await harmless(id, 'run', () => runs.look(source, idInWorkflow(id), graceMs));
      if (found && !isToldBy(differences, found)) differences.push(found);
    }
    const next = nextPageToken.length > 0 ? Buffer.from(nextPageToken).toString('base64') : undefined;
    return { examined: ids.length, differences, ...(next !== undefined && { next }) };
  }

  return {
    /** Compares one page of one source, and does what sets differences right. */
    async reconcilePage(request: ReconciliationPageRequest): Promise<ReconciliationPage> {
      const query = runsQuery(request.source, request.from);
      return withVendorFailures(() => (query === undefined ? stripePage(request) : runsPage(request, query)));
    },

    /** Looks at what waits again: `repaired` when there is no difference any more. */
    async lookAgain(request: { tenantId: string; differences: Difference[] }): Promise<Difference[]> {
      const { objects, runs } = reconcilers(request.tenantId);
      const looked: Difference[] = [];
      for (const before of request.differences) {
        const { type, object } = before;
        const now = await withVendorFailures(() =>
          harmless(object, type, () =>
            type === 'run' ? runs.lookAgain(object, before.kind) : lookAgainAt(objects, type, object),
          ),
        );
        // What was seen first names the difference.
        looked.push(
          now ? { ...before, outcome: now.outcome, detail: now.detail } : { ...before, outcome: 'repaired' },
        );
      }
      return looked;
    },
  };
}

/** The part of an event's object that is used: a reason to look, never believed. */
interface NamedObject {
  id: string;
  object: string;
  metadata?: Record<string, string>;
  payment_intent?: string | null;
}

function lookAtNamed(
  objects: ObjectReconciler,
  { id, object, payment_intent: intent }: NamedObject,
): Promise<Difference | undefined> {
  switch (object) {
    case 'payment_intent':
      return objects.paymentById(id);
    case 'checkout.session':
      return objects.pageById(id, true);
    case 'refund':
      return objects.refundById(id);
    case 'charge':
      return intent ? objects.paymentById(intent) : Promise.resolve(undefined);
    default:
      return objects.approvalById(id);
  }
}

function lookAgainAt(
  objects: ObjectReconciler,
  type: Exclude<Difference['type'], 'run'>,
  id: string,
): Promise<Difference | undefined> {
  switch (type) {
    case 'payment':
      return objects.paymentById(id);
    case 'page':
      return objects.pageById(id);
    case 'refund':
      return objects.refundById(id);
    case 'approval':
      return objects.approvalById(id);
    case 'window':
      return Promise.resolve(undefined);
  }
}

async function walked<T extends { id: string }>(
  list: { data: readonly { id: string }[]; has_more: boolean },
  ours: readonly T[],
  look: (object: T) => Promise<Difference | undefined>,
): Promise<ReconciliationPage> {
  const differences: Difference[] = [];
  for (const object of ours) {
    const found = await harmless(object.id, 'payment', () => look(object));
    if (found && !isToldBy(differences, found)) differences.push(found);
  }
  const next = list.has_more ? list.data.at(-1)?.id : undefined;
  return { examined: ours.length, differences, ...(next !== undefined && { next }) };
}

/** Several events of one page may speak of the same object, and what is being repaired looks different the second time. */
function isToldBy(differences: readonly Difference[], { object }: Difference): boolean {
  return differences.some((one) => one.object === object);
}

/** One object that Stripe refuses to show must not hide the others. */
async function harmless(
  object: string,
  type: Difference['type'],
  look: () => Promise<Difference | undefined>,
): Promise<Difference | undefined> {
  try {
    return await look();
  } catch (error) {
    const refusals: readonly unknown[] = [failureTypes.requestRefused, failureTypes.notOurs];
    const refused =
      error instanceof Stripe.errors.StripeInvalidRequestError ||
      (error instanceof ApplicationFailure && refusals.includes(error.type));
    if (!refused) throw error;
    return {
      kind: 'unreadable',
      type,
      object,
      outcome: 'reported',
      detail: 'Stripe refuses to show it',
    };
  }
}
