import { setTimeout as sleep } from 'node:timers/promises';

/** Waits as long as is needed to stay under a rate. */
export type Pace = () => Promise<void>;

/** At most so many calls per second, one after the other: callers' own requests need Stripe's rate limit more. */
export function createPace(perSecond: number): Pace {
  let nextAt = 0;
  return async () => {
    const now = performance.now();
    const at = Math.max(now, nextAt);
    nextAt = at + 1_000 / perSecond;
    if (at > now) await sleep(at - now);
  };
}
