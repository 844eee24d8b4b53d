import { parseArgs } from 'node:util';
import type { Client } from '@temporalio/client';
import {
  type Difference,
  reconciliationStart,
  reconciliationWorkflowType,
  tenantOfSchedule,
} from '../contracts/reconciliation.js';
import { createTemporalClient } from '../runtime/temporal.js';
import type { reconciliation } from '../workflows/reconciliation.js';

const usage = `Compares once what Stripe and Temporal know of each tenant's money, repairs what differs, and prints it.

  npm run reconcile -- --since <time> [--tenant <tenant>]…
  node dist/workers/reconcile.js --since <time> [--tenant <tenant>]…

The time is RFC 3339, or how far to look back: 30m, 24h, 30d. Without a tenant: all that have a schedule. A worker must be
running; Temporal is found by the TEMPORAL_* variables. Exit code 0: nothing is left to do, 1: something is, 2: wrong usage.`;

/** Temporal answers within this time, or the command says that it does not. */
const deadlineMs = 10_000;

/** After this time it is said what is waited for. */
const patienceMs = 15_000;

const unitMs = { m: 60_000, h: 3_600_000, d: 24 * 3_600_000 } as const;

/** A tenant's id, as the tenants file allows it. */
const tenantId = /^[a-z0-9][a-z0-9_-]{0,39}$/;

function parseSince(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (count !== undefined) return Date.now() - Number(count) * unitMs[unit as keyof typeof unitMs];
  const at = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) || at > Date.now() ? undefined : at;
}

/** What is asked for; undefined when it cannot be understood. */
function wanted(args: readonly string[]): { sinceMs: number; tenants: string[] } | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { since: { type: 'string' }, tenant: { type: 'string', multiple: true } },
    });
    const sinceMs = parseSince(values.since ?? '');
    const { tenant: tenants = [] } = values;
    return sinceMs !== undefined && tenants.every((id) => tenantId.test(id))
      ? { sinceMs, tenants }
      : undefined;
  } catch {
    return undefined;
  }
}

/** The tenants that have a schedule. */
async function scheduledTenants(client: Client): Promise<string[]> {
  const tenants: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    const id = tenantOfSchedule(scheduleId);
    if (id !== undefined) tenants.push(id);
  }
  return tenants.sort();
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const rowOf = (tenant: string, { kind, object, checkoutId, refundId, outcome, detail }: Difference) => [
  tenant,
  kind,
  object,
  refundId ?? checkoutId ?? '',
  outcome,
  detail,
];

/** Tenants may share a Stripe account, and each pass asks it up to ten times a second. */
const tenantsAtOnce = 3;

/** Runs one per tenant, a few at once. True when nothing is left to do. */
async function reconcileAll(client: Client, sinceMs: number, tenants: readonly string[]): Promise<boolean> {
  const rows: string[][] = [];
  let repaired = 0;
  let left = 0;
  const reconcile = async (tenant: string) => {
    const handle = await client.workflow.start<typeof reconciliation>(
      reconciliationWorkflowType,
      reconciliationStart({ v: 1, tenantId: tenant, sinceMs }, Date.now()),
    );
    const waiting = setTimeout(() => {
      console.error(`still under way; is a worker running? ${handle.workflowId}`);
    }, patienceMs);
    try {
      const result = await handle.result();
      rows.push(...result.differences.map((one) => rowOf(tenant, one)));
      repaired += result.repaired;
      left += result.reported;
    } catch {
      left += 1;
      rows.push([tenant, 'not_completed', handle.workflowId, '', 'reported', 'see this run in Temporal']);
    } finally {
      clearTimeout(waiting);
    }
  };
  const next = tenants[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: tenantsAtOnce }, async () => {
      for (const tenant of next) await reconcile(tenant);
    }),
  );
  const since = new Date(sinceMs).toISOString();
  if (rows.length === 0) console.log(`nothing to repair since ${since}: ${tenants.join(', ')}`);
  else {
    console.log(
      table([['tenant', 'difference', 'object', 'checkout or refund', 'outcome', 'detail'], ...rows]),
    );
    console.log(`\n${repaired} repaired, ${left} left to do`);
  }
  return left === 0;
}

const request = wanted(process.argv.slice(2));
if (!request) {
  console.error(usage);
  process.exit(2);
}
const client = createTemporalClient();
try {
  const tenants =
    request.tenants.length > 0
      ? request.tenants
      : await client.withDeadline(Date.now() + deadlineMs, () => scheduledTenants(client));
  if (tenants.length === 0) {
    console.error('no tenant has a schedule: name one, or start a worker');
    process.exit(1);
  }
  process.exit((await reconcileAll(client, request.sinceMs, tenants)) ? 0 : 1);
} catch (error) {
  console.error(`Temporal could not be asked: ${error instanceof Error ? error.message : 'unknown'}`);
  process.exit(1);
}
