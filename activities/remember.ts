import { Context } from '@temporalio/activity';

const ofThisAttempt = new WeakMap<Context, unknown>();

/** Keeps a value for the next attempt of this activity, in its heartbeat; a worker that dies may take the newest one with it. */
export function remember(value: object): void {
  const context = Context.current();
  ofThisAttempt.set(context, value);
  context.heartbeat(value);
}

/** What this attempt, or else the one before, has remembered. Every heartbeat must repeat it, or it is forgotten. */
export function remembered(): unknown {
  const context = Context.current();
  return ofThisAttempt.get(context) ?? context.info.heartbeatDetails;
}
