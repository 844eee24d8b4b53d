import { beforeAll, describe, expect, it } from 'vitest';
import { catalogue, coverageTable, rowsReached } from './coverage.js';
import { generateScenario } from './generate.js';
import { Report } from './report.js';
import { shrink } from './shrink.js';
import { loadCode, simulate } from './simulate.js';
import type { WorkflowCode } from './world.js';

/** The same seeds in every run: what they once found stays found. */
const fixed = { from: 1, seeds: 2_000 };
/** New ones every day: they look where none looked before, and whoever sees one fail sees it again the same day. */
const fresh = { from: Math.floor(Date.now() / 86_400_000) * 10_000, seeds: 500 };

let code: WorkflowCode;
beforeAll(async () => {
  code = await loadCode();
});

/** The first failing schedule, cut to what matters and told; undefined when there is none. */
async function firstFailure({ from, seeds }: { from: number; seeds: number }, report: Report) {
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = await simulate(generateScenario(seed), code);
    report.add({ seed, counts: outcome.counts, duration: outcome.duration });
    if (!outcome.violation) continue;
    const { scenario, story } = await shrink(outcome, code, 60);
    return `seed ${seed}\n${JSON.stringify(scenario, undefined, 1)}\n${story}`;
  }
  return undefined;
}

describe('no schedule breaks an invariant', () => {
  const report = new Report();

  it(`${fixed.seeds} fixed seeds`, { timeout: 600_000 }, async () => {
    expect(await firstFailure(fixed, report)).toBeUndefined();
  });

  it(`${fresh.seeds} fresh seeds from ${fresh.from}`, { timeout: 300_000 }, async () => {
    expect(await firstFailure(fresh, report)).toBeUndefined();
  });

  it('and every race of the catalogue was met', () => {
    const reached = rowsReached(report.counts);
    const missed = catalogue.filter(({ row }) => !reached.get(row));
    expect(missed, coverageTable(report.counts)).toEqual([]);
  });
});

describe('a seed', () => {
  it.for([7, 102, 1_001])('gives the same story each time: %d', { timeout: 60_000 }, async (seed) => {
    const [first, second] = [
      await simulate(generateScenario(seed), code),
      await simulate(generateScenario(seed), code),
    ];
    expect(second.story).toBe(first.story);
    expect(second.counts).toEqual(first.counts);
  });
});

it('the catalogue has all 52 races', () => {
  expect(catalogue.map(({ row }) => row).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 52 }, (_, index) => index + 1),
  );
});
