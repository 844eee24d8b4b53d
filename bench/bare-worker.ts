import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import type { Activities } from '../activities/activities.js';
import { createLogger } from '../runtime/logger.js';
import { createCheckoutWorker } from '../workers/worker.js';
import { bareActivities } from './bare-activities.js';

/**
 * The bare workflow's worker process. Made by the product's own function, so that every worker option is the same; in a
 * namespace of its own, because that function also names the task queue.
 */
const { values } = parseArgs({
  options: {
    address: { type: 'string', default: '' },
    namespace: { type: 'string', default: '' },
    health: { type: 'string', default: '0' },
  },
});
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: ['SIGTERM', 'SIGINT'] });
const workflowsPath = fileURLToPath(new URL('bare-workflow.ts', import.meta.url));
const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error };
const connection = await NativeConnection.connect({ address: values.address });
const worker = await createCheckoutWorker({
  connection,
  namespace: values.namespace,
  // Other names than the product's: the bare workflow calls no other.
  activities: bareActivities as unknown as Activities,
  workflowBundle: await bundleWorkflowCode({ workflowsPath, logger: quiet }),
  log: createLogger('worker', 'silent'),
});
createServer((_request, response) => {
  response.writeHead(worker.getState() === 'RUNNING' ? 200 : 503).end();
}).listen(Number(values.health), '127.0.0.1');
process.once('disconnect', () => process.exit(1));
await worker.run();
process.exit(0);
