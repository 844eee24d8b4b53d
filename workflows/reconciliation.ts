import { continueAsNew, log, patched, setCurrentDetails, sleep, workflowInfo } from '@temporalio/workflow';
import { failureTypes } from '../contracts/failures.js';
import {
  type Difference,
  type ReconciliationInput,
  type ReconciliationProgress,
  type ReconciliationResult,
  type ReconciliationSource,
  reconciliationSources,
} from '../contracts/reconciliation.js';
import { explainReconciliation } from '../domain/explain-reconciliation.js';
import { eventsListedMs, overlapMs, resumeAt, windowStart } from '../domain/reconcile.js';
import { lookAgain, reconcilePage, refusal } from './steps/effects.js';

/** Each object may cost several requests, and a page has a minute. */
const usualPageSize = 50;
const usualGraceMs = 120_000;

/** Pauses before what was repaired is looked at again, ms: runs that were woken or started need a moment. */
const secondLooksMs = [1_000, 2_000, 4_000, 8_000, 15_000];

/** Pauses while credentials are refused, ms: a key that is being rotated comes back soon, a wrong one does not. */
const refusedPausesMs = [1_000, 5_000, 15_000, 30_000, 60_000];

/** Differences that are told one by one; the others are counted. Keeps the result far below Temporal's limit. */
const maxTold = 300;

/**
 * Walks a tenant's money at Stripe and its runs, page by page; each difference is repaired and looked at again, or reported.
 * The cursor stands in the history, so it goes on where it was interrupted. A second run changes nothing.
 */
export async function reconciliation(input: ReconciliationInput): Promise<ReconciliationResult> {
  const { tenantId, graceMs = usualGraceMs, pageSize = usualPageSize } = input;
  let progress = input.progress ?? beginning(input);
  for (;;) {
    const { source, cursor, from } = progress;
    setCurrentDetails(explainReconciliation(progress, Date.now()));
    const request = { tenantId, source, from, graceMs, pageSize };
    const page = await accepted(() => reconcilePage(cursor === undefined ? request : { ...request, cursor }));
    const settled = await settle(tenantId, page.differences);
    const next = after(progress, page, settled);
    progress = next ?? { ...progress, ...counted(progress, page, settled) };
    if (!next) break;
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof reconciliation>({ ...input, progress });
    }
  }
  const { from, until, examined, repaired, reported, differences } = progress;
  setCurrentDetails(explainReconciliation(progress));
  if (repaired + reported > 0) {
    log.warn(`reconciliation of ${tenantId}: ${repaired} repaired, ${reported} to be looked at by a person`);
  }
  return {
    from,
    until,
    resumeAt: resumeAt({ from, until }, reported > 0),
    examined,
    repaired,
    reported,
    differences,
  };
}

function beginning({ sinceMs }: ReconciliationInput): ReconciliationProgress {
  const until = Date.now();
  const last = workflowInfo().lastResult as Partial<ReconciliationResult> | undefined;
  const from = windowStart(until, {
    ...(sinceMs !== undefined && { since: sinceMs }),
    ...(typeof last?.resumeAt === 'number' && { resumeAt: last.resumeAt }),
  });
  const beyond = sinceMs === undefined && until - from > eventsListedMs + overlapMs;
  const differences: Difference[] = beyond
    ? [
        {
          kind: 'events_out_of_reach',
          type: 'window',
          object: new Date(from).toISOString(),
          outcome: 'reported',
          detail:
            'the last reconciliation is longer ago than Stripe lists events: only objects were compared',
        },
      ]
    : [];
  return {
    source: reconciliationSources[0],
    from,
    until,
    examined: {},
    repaired: 0,
    reported: differences.length,
    differences,
  };
}

/** Asks again while the credentials are refused; throws when they stay so. */
async function accepted<T>(ask: () => Promise<T>): Promise<T> {
  for (let refusals = 0; ; refusals++) {
    try {
      return await ask();
    } catch (error) {
      const pause = refusedPausesMs[refusals];
      if (refusal(error)?.type !== failureTypes.credentialsRefused || pause === undefined) throw error;
      await sleep(pause, { summary: 'until refused credentials are tried again' });
    }
  }
}

/** Looks again until nothing waits any more, or for half a minute: what then still waits is reported. */
async function settle(tenantId: string, found: Difference[]): Promise<Difference[]> {
  let differences = found;
  for (const pause of secondLooksMs) {
    const waiting = differences.filter(({ outcome }) => outcome === 'waiting');
    if (waiting.length === 0) return differences;
    await sleep(pause, { summary: 'until what was repaired is looked at again' });
    const looked = await accepted(() => lookAgain({ tenantId, differences: waiting }));
    differences = [...differences.filter(({ outcome }) => outcome !== 'waiting'), ...looked];
  }
  return differences.map((one) => (one.outcome === 'waiting' ? { ...one, outcome: 'reported' } : one));
}

function counted(
  progress: ReconciliationProgress,
  page: { examined: number },
  settled: readonly Difference[],
): Pick<ReconciliationProgress, 'examined' | 'repaired' | 'reported' | 'differences'> {
  const { source, examined, repaired, reported, differences } = progress;
  // An object that several lists show is told once.
  const news = settled.filter(
    ({ kind, object }) => !differences.some((one) => one.kind === kind && one.object === object),
  );
  const count = (outcome: Difference['outcome']) => news.filter((one) => one.outcome === outcome).length;
  return {
    examined: { ...examined, [source]: (examined[source] ?? 0) + page.examined },
    repaired: repaired + count('repaired'),
    reported: reported + count('reported'),
    differences: told([...differences, ...news]),
  };
}

/** The first ones; one that tells of lost runs among them, if there is any: it decides what else is walked. */
function told(differences: Difference[]): Difference[] {
  const first = differences.slice(0, maxTold);
  const lost = differences.find(tellsOfLoss);
  return lost === undefined || first.includes(lost) ? first : [...first.slice(0, -1), lost];
}

const tellsOfLoss = ({ kind }: Difference) => kind === 'payment_without_run';

/** Undefined after the last page of the last source. */
function after(
  progress: ReconciliationProgress,
  page: { examined: number; next?: string; restored?: true },
  settled: readonly Difference[],
): ReconciliationProgress | undefined {
  const { source, from, until } = progress;
  const restored = progress.restored ?? page.restored;
  const counts = { ...counted(progress, page, settled), ...(restored && { restored }) };
  if (page.next !== undefined) return { source, from, until, ...counts, cursor: page.next };
  const skipped: ReconciliationSource[] = [];
  // Only where runs were lost can the attempts before them be lost too. Another pass, or the relay, may have found them first.
  const wereLost = counts.differences.some(tellsOfLoss) || (restored && patched('attempts-after-a-restore'));
  if (!wereLost) skipped.push('attempts');
  if (source === 'refunds' && !patched('returned-refunds-are-walked')) skipped.push('refunds_returned');
  if (source === 'events' && !patched('approvals-are-walked')) skipped.push('approvals');
  const left = reconciliationSources.slice(reconciliationSources.indexOf(source) + 1);
  const next = left.find((one) => !skipped.includes(one));
  return next && { source: next, from, until, ...counts };
}
