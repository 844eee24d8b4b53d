import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { containsCardNumber } from '../../domain/card-data.js';
import { cardForms, dashForms, gluedForms } from '../support/card-forms.js';

/** Prefix and length of each scheme. Source: docs.stripe.com/testing and the schemes' published ranges. */
const schemes = [
  ['4', 16],
  ['51', 16],
  ['55', 16],
  ['2221', 16],
  ['2720', 16],
  ['34', 15],
  ['37', 15],
  ['6011', 16],
  ['65', 16],
  ['36', 14],
  ['3528', 16],
  ['62', 16],
] as const;

/** The number completed by its check digit: doubles every second digit from the right, without the code under test. */
function withCheckDigit(digits: string): string {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const doubled = Number(digit) * (index % 2 === 0 ? 2 : 1);
    return total + Math.floor(doubled / 10) + (doubled % 10);
  }, 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

const cardNumber = fc.constantFrom(...schemes).chain(([prefix, length]) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), {
      minLength: length - 1 - prefix.length,
      maxLength: length - 1 - prefix.length,
    })
    .map((rest) => withCheckDigit(prefix + rest.join(''))),
);

/** The n-th of a reproducible row of 256-bit values, in hex. */
const hash = (n: number) => createHash('sha256').update(`row ${n}`).digest('hex');
const numbers = Array.from({ length: 20_000 }, (_, n) => n);
const uuid = (hex: string) =>
  [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');

describe('a card number is found', () => {
  test.each(cardForms)('in the form: %s', (_name, text) => {
    expect(containsCardNumber(text)).toBe(true);
  });

  test.each(dashForms)('between dashes of the form: %s', (_name, text) => {
    expect(containsCardNumber(text)).toBe(true);
  });

  test.each(gluedForms)('at the front of an unbroken run: %s', (_name, text) => {
    expect(containsCardNumber(text)).toBe(true);
  });

  test('whatever the number and however it is broken up', () => {
    const separator = fc.constantFrom(
      ...[
        '',
        '',
        ' ',
        '-',
        '.',
        ' - ',
        '/',
        ',',
        '\u200b',
        '\u00a0',
        '|',
        ':',
        ' * ',
        "'",
        '\\',
        '•',
        ')(',
        '     ',
      ],
    );
    const separators = fc.array(separator, { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(cardNumber, separators, (number, between) => {
        const text = [...number].map((digit, index) => `${digit}${between[index] ?? ''}`).join('');
        expect(containsCardNumber(text)).toBe(true);
        expect(containsCardNumber(`please charge ${text}, thanks`)).toBe(true);
      }),
    );
  });

  test('unless its check digit is wrong', () => {
    fc.assert(
      fc.property(cardNumber, fc.integer({ min: 1, max: 9 }), (number, shift) => {
        const last = (Number(number.at(-1)) + shift) % 10;
        expect(containsCardNumber(`${number.slice(0, -1)}${last}`)).toBe(false);
      }),
    );
  });
});

describe('an innocent text is let through', () => {
  test.each([
    ['a phone number', '+1 (555) 012-3001'],
    ['a long phone number', '+49 1512 3456789'],
    ['a time', '2026-11-21T08:37:47.123Z'],
    ['a time in seconds', '1795250267'],
    ['a time in milliseconds', '1795250267123'],
    ['a phone number with a time', '+1 (555) 012-3001, 14:30'],
    ['a range of times', '2026-11-30 08:30 - 2026-11-30 09:00'],
    ['an amount', '4900'],
    ['a large amount', '99999999'],
    ['a written amount', '$1,234,567.89'],
    ['a UUID', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
    ['amounts added up', '$49.00 + $12.50 = $61.50'],
    ['several invoices', 'invoices #4711, #4712, #4713'],
    ['a number of Asterisk', '1795250267.4242'],
    ['an order number', 'order 2026-000123'],
    ['a call id', 'CA5ef8732a3c49700934481addd5ce1659'],
    ['a Stripe id', 'cs_test_a1YS1URlnyQCN5fUUduORoQ7Pw41PJqDWkIVQCpJPqkfIhd6tVY8XB1OLY'],
    ['a checkout id', 'co_0123456789abcdef0123456789abcd_1'],
    ['an IBAN', 'DE89 3704 0044 0532 0130 00'],
    ['nothing', ''],
  ])('%s', (_name, text) => {
    expect(containsCardNumber(text)).toBe(false);
  });

  test('20,000 of our own ids', () => {
    const ids = numbers.map(
      (n) => `${n % 2 === 0 ? 'co' : 'qt'}_${hash(n).slice(0, 30)}${n % 2 === 0 ? '_1' : ''}`,
    );
    expect(ids.filter(containsCardNumber)).toEqual([]);
  });

  test('20,000 UUIDs, as voice platforms name calls', () => {
    expect(numbers.map((n) => uuid(hash(n))).filter(containsCardNumber)).toEqual([]);
  });

  test.each<[form: string, write: (time: { date: string; clock: string; ms: string }) => string]>([
    ['as machines write them', ({ date, clock, ms }) => `${date}T${clock}.${ms}Z`],
    ['as Python writes them', ({ date, clock, ms }) => `${date}T${clock}.${ms}987+02:00`],
    ['without zone', ({ date, clock }) => `${date} ${clock}`],
    ['with microseconds and zone', ({ date, clock, ms }) => `${date} ${clock}.${ms}987+00:00`],
    ['with microseconds', ({ date, clock, ms }) => `${date} ${clock}.${ms}987`],
    ['as logs have them', ({ date, clock, ms }) => `[${date} ${clock},${ms}]`],
    ['day first', ({ date, clock }) => `${date.split('-').reverse().join('.')} ${clock}`],
    ['day first, in slashes', ({ date, clock }) => `${date.split('-').reverse().join('/')}, ${clock}`],
    ['between brackets', ({ date, clock }) => `(${date.replaceAll('-', '/')}) (${clock})`],
  ])('20,000 times %s', (_form, write) => {
    const times = numbers.map((n) => {
      const [date = '', rest = ''] = new Date(Date.UTC(2026, 0, 1) + n * 1_234_567).toISOString().split('T');
      return write({ date, clock: rest.slice(0, 8), ms: rest.slice(9, 12) });
    });
    expect(times.filter(containsCardNumber)).toEqual([]);
  });

  test('20,000 phone numbers with the time of the call', () => {
    const calls = numbers.map(
      (n) => `+1 (555) 01${n % 10}-${String(n).padStart(5, '0').slice(1)}, 2026-11-30 08:37`,
    );
    expect(calls.filter(containsCardNumber)).toEqual([]);
  });
});

test('a body full of combining marks is looked through at once', () => {
  const marks = `4${'\u0316\u0301'.repeat(64_000)}242 4242 4242 4242`;
  const began = performance.now();
  expect(containsCardNumber(marks)).toBe(true);
  expect(performance.now() - began).toBeLessThan(1_000);
});
