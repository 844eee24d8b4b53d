import type { Client } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { RunWatch } from '../../api/run-watch.js';

interface Shown {
  state: { version: number };
}

/** Of a run that is over: only what `read` gives may change, and no call to Temporal is made besides. */
const over = (read: () => Promise<Shown | undefined>, waitMs: number, watch = new RunWatch({} as Client)) =>
  watch.waitFor('checkout/acme/co_1', read, {
    since: 3,
    isOver: () => true,
    waitMs,
    withState: (value, state) => ({ ...value, state }),
  });

describe('waiting on a run that is over', () => {
  test('costs a hundred waiters one look in each pace', async () => {
    const watch = new RunWatch({} as Client);
    let reads = 0;
    const read = () => {
      reads++;
      return Promise.resolve({ state: { version: 3 } });
    };
    const waiting = Array.from({ length: 100 }, () => over(read, 1_400, watch));
    expect((await Promise.all(waiting)).every((shown) => shown?.state.version === 3)).toBe(true);
    // Everybody's own at the beginning and at the end, and those at 500 and at 1,000 ms.
    expect(reads).toBe(202);
  });

  test('brings all of them what another run has added', async () => {
    const watch = new RunWatch({} as Client);
    let version = 3;
    const read = () => Promise.resolve({ state: { version } });
    const waiting = Array.from({ length: 3 }, () => over(read, 20_000, watch));
    version = 4;
    for (const shown of await Promise.all(waiting)) expect(shown).toEqual({ state: { version: 4 } });
  });

  test('ends with its time, with what is true then', async () => {
    let reads = 0;
    const began = performance.now();
    const shown = await over(() => Promise.resolve({ state: { version: 3 + reads++ } }), 50);
    expect(shown).toEqual({ state: { version: 4 } });
    expect(performance.now() - began).toBeLessThan(490);
  });

  test('fails when a look fails, and looks again for the next who asks', async () => {
    const watch = new RunWatch({} as Client);
    let reads = 0;
    const read = () =>
      ++reads === 2
        ? Promise.reject(new Error('away'))
        : Promise.resolve({ state: { version: reads < 4 ? 3 : 4 } });
    await expect(over(read, 5_000, watch)).rejects.toThrow('away');
    expect(await over(read, 5_000, watch)).toEqual({ state: { version: 4 } });
    expect(reads).toBe(4);
  });
});
