import type { ChaosOptions, ChaosSize } from './run-chaos.js';

/** What runs with all other tests: a minute. With this seed each kind of caller, agent and refund is in it. */
const small: ChaosSize = { checkouts: 40, refunds: 14, seed: 25 };
/** Above it, kills and faults are as frequent as a long run needs them. */
const large = 200;

/** The run that is asked for, as `{"checkouts", "refunds", "seed"}`; the small one if none is. */
export function chaosRun(asked: string | undefined): ChaosOptions & { timeoutMs: number } {
  const size = { ...small, ...(JSON.parse(asked ?? '{}') as Partial<ChaosSize>) };
  const long = size.checkouts > large;
  return {
    ...size,
    concurrency: long ? 24 : 12,
    killEveryMs: long ? [3_000, 7_000] : [2_000, 5_000],
    faultEveryMs: [200, 900],
    temporalAfterMs: long ? 60_000 : 9_000,
    settleMs: 60_000,
    timeoutMs: 300_000 + size.checkouts * 3_000,
  };
}
