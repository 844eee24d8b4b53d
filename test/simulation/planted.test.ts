import { expect, it } from 'vitest';
import { hunt, withBug } from './plant.js';
import { planted } from './planted.js';

/** A bug that so many schedules do not show is a hole in them. */
const seeds = 600;

it('at least twenty bugs are planted, each of a class of its own', () => {
  expect(new Set(planted.map(({ name }) => name)).size).toBe(planted.length);
  expect(planted.length).toBeGreaterThanOrEqual(20);
});

// Known in a second, where a hunt takes minutes: a bug is planted in the code of today.
it.for(planted)('fits the code: $name', (bug) => {
  expect(withBug(bug)).not.toHaveLength(0);
});

// Each bug needs the code loaded anew: a process of its own.
it.concurrent.for(planted)('is found: $name', { timeout: 600_000 }, async (bug) => {
  expect(await hunt(bug, seeds)).toBeDefined();
});
