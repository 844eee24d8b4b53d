import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { startTemporalServer } from '../support/world/temporal-server.js';
import { startWorld, type World } from '../support/world/world.js';
import { buildWorkflowBundle } from '../../workers/bundle.js';
import { tenants } from '../support/world/tenants.js';
import { announcingTenants, paths } from './paths.js';
import { refundPathTenants } from './refund-paths.js';

/**
 * Records anew, with today's workflow code on a real Temporal server, the histories that replay tests check:
 *
 *   npx tsx test/replay/record.ts [path…]
 *
 * What `histories/earlier` holds was recorded by code of before, and is never recorded anew.
 *
 * Needed when a path is added, or when code that no deployment runs yet was changed. Once the product is deployed, a
 * history that fails to replay means that open checkouts would get stuck: then the code is wrong, not the history.
 */
const folder = fileURLToPath(new URL('histories', import.meta.url));

/** Names of machines and places in their file systems are nobody's business. */
function withoutMachine(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMachine);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (name === 'identity') return [name, 'recorded'];
      if (name === 'stackTrace') return [name, ''];
      return [name, withoutMachine(inner)];
    }),
  );
}

async function record(world: World, name: string): Promise<void> {
  const { run, ends } = await paths[name]!(world);
  if (ends) await run.result();
  const history: unknown = JSON.parse(historyToJSON(await run.fetchHistory()));
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(withoutMachine(history), null, 1)}\n`);
  process.stdout.write(`${name}: ${(history as { events: unknown[] }).events.length} events\n`);
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in paths));
if (unknown.length > 0) throw new Error(`no such path: ${unknown.join(', ')}`);

const temporary = mkdtempSync(join(tmpdir(), 'record-'));
const workflowBundle = join(temporary, 'workflow-bundle.js');
writeFileSync(workflowBundle, await buildWorkflowBundle());
const server = await startTemporalServer();
const world = await startWorld({
  temporalAddress: server.address,
  workflowBundle,
  tenants: [...tenants, ...refundPathTenants],
  webhookTenants: announcingTenants,
});
try {
  mkdirSync(folder, { recursive: true });
  if (asked.length === 0) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')))
      rmSync(join(folder, file));
  }
  for (const name of asked.length > 0 ? asked : Object.keys(paths)) await record(world, name);
} finally {
  await world.close();
  await server.stop();
  rmSync(temporary, { recursive: true, force: true });
}
