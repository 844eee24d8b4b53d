import type { Client } from '@temporalio/client';
import { createTemporalClient } from '../runtime/temporal.js';

/** Temporal answers within this time, or the command says that it does not. */
const deadlineMs = 10_000;

export interface Outcome {
  ok: boolean;
  text: string;
}

/**
 * Runs a command on Temporal, which is found by the TEMPORAL_* variables, and ends the process: 0 done, 1 not possible or
 * Temporal away, 2 not understood.
 */
export async function runCommand<Wanted>(
  usage: string,
  understand: (args: readonly string[]) => Wanted | undefined,
  perform: (client: Client, wanted: Wanted) => Promise<Outcome>,
): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    console.log(usage);
    return;
  }
  const wanted = understand(args);
  if (wanted === undefined) {
    console.error(usage);
    process.exit(2);
  }
  const client = createTemporalClient();
  try {
    const { ok, text } = await client.withDeadline(Date.now() + deadlineMs, () => perform(client, wanted));
    if (ok) console.log(text);
    else console.error(text);
    process.exit(ok ? 0 : 1);
  } catch (error) {
    console.error(`Temporal could not be asked: ${error instanceof Error ? error.message : 'unknown'}`);
    process.exit(1);
  }
}

/** True when Temporal has no such run, or none that is open. Some calls let the raw gRPC error through. */
export function isNotFound(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'WorkflowNotFoundError' || (error as { code?: unknown }).code === 5)
  );
}
