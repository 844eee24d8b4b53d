import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attemptId, attemptOf, isCheckoutId } from '../../contracts/ids.js';
import {
  endedUnpaid,
  firstAttemptAt,
  firstAttemptBeside,
  firstAttemptsAfter,
  firstAttemptsBefore,
  firstBegunBefore,
  periodBegin,
  periodEnd,
  readAttempts,
} from '../../domain/attempts.js';

const fortnight = 14 * 24 * 3_600_000;
const start = Date.UTC(2026, 10, 23);

describe('the ids of attempts', () => {
  const purchase = `co_${'a1'.repeat(13)}`;

  test('count from 1 within their period, which they name', () => {
    const first = firstAttemptAt(start);
    expect(attemptId(purchase, first)).toBe(`${purchase}0017_1`);
    expect(attemptId(purchase, first + 199)).toBe(`${purchase}0017_200`);
    expect(attemptId(purchase, first + 200)).toBe(`${purchase}0018_1`);
  });

  test('are read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65_536 * 200 }), (number) => {
        const id = attemptId(purchase, number);
        expect(isCheckoutId(id)).toBe(true);
        expect(attemptOf(id)).toEqual({ purchase, number });
      }),
    );
    for (const other of ['co_0a_1', `${purchase}0018_12345`, `rf_${'a'.repeat(30)}`])
      expect(attemptOf(other)).toBeUndefined();
  });
});

describe('the numbers of attempts', () => {
  test('begin anew each fortnight, further up', () => {
    expect(firstAttemptAt(start)).toBe(23 * 200 + 1);
    expect(firstAttemptAt(start - 1)).toBe(22 * 200 + 1);
    expect(firstAttemptAt(start + fortnight - 1)).toBe(23 * 200 + 1);
    expect(periodEnd(start)).toBe(start + fortnight);
    expect(periodBegin(firstAttemptAt(start))).toBe(start);
    expect(periodBegin(firstAttemptAt(start + fortnight) + 199)).toBe(start + fortnight);
    expect(periodEnd(start - 1)).toBe(start);
    expect(firstAttemptAt(0)).toBe(1);
  });

  test('belong to one period each, whose neighbours are found from either side', () => {
    const time = fc.integer({ min: start, max: start + 1_000 * fortnight });
    fc.assert(
      fc.property(
        time,
        fc.integer({ min: 0, max: 199 }),
        fc.integer({ min: 0, max: 5 }),
        (at, further, periods) => {
          const first = firstAttemptAt(at);
          expect(firstAttemptBeside(first + further)).toBe(first);
          expect(firstAttemptsBefore(first + further)).toEqual([first - 400, first - 200]);
          const later = firstAttemptsAfter(first + further, at + periods * fortnight);
          expect(later).toEqual(Array.from({ length: periods }, (_, index) => first + (index + 1) * 200));
        },
      ),
    );
    expect(firstAttemptsBefore(5)).toEqual([]);
    expect(firstAttemptsBefore(205)).toEqual([1]);
  });

  test('are read until one is free, and not beyond their period', async () => {
    const read = (known: readonly number[]) => (number: number) =>
      Promise.resolve(known.includes(number) ? `co_${number}` : undefined);
    expect(await readAttempts(201, read([201, 202, 204]))).toEqual({
      attempts: [
        { number: 201, attempt: 'co_201' },
        { number: 202, attempt: 'co_202' },
      ],
      free: 203,
    });
    expect(await readAttempts(399, read([399, 400, 401]))).toEqual({
      attempts: [
        { number: 399, attempt: 'co_399' },
        { number: 400, attempt: 'co_400' },
      ],
    });
  });
});

describe('a later attempt', () => {
  const runs = { stopped: false, forgotten: false };

  test.each([
    ['an end without a payment', { ...runs, status: 'expired' }, true],
    ['a payment', { ...runs, status: 'paid' }, false],
    ['one under way', { ...runs, status: 'awaiting_link' }, false],
    ['one that others stopped', { ...runs, status: 'awaiting_link', stopped: true }, false],
    [
      'what only takes a number, before its first task',
      { ...runs, status: 'starting', forgotten: true },
      true,
    ],
    ['a payment found for a forgotten one', { ...runs, status: 'paid', forgotten: true }, false],
  ] as const)('ended unpaid or not: %s', (_, run, unpaid) => {
    expect(endedUnpaid(run)).toBe(unpaid);
  });

  test('is before a payment by more than clocks may differ, or not for all that is known', () => {
    const [known, unknown] = [{ begunAt: start }, { begunAt: undefined }];
    expect(firstBegunBefore([unknown, known], start + 5_001)).toBe(known);
    expect(firstBegunBefore([unknown, known], start + 5_000)).toBeUndefined();
  });
});
