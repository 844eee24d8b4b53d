import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountProblem, currencyDecimals, formatMoney, maxAmount } from '../../domain/money.js';

const currencies = ['usd', 'eur', 'jpy', 'krw', 'bhd', 'kwd'] as const;

/** The amount as decimal text, by integer arithmetic only. */
function decimalText(amount: number, decimals: number): string {
  const unit = 10n ** BigInt(decimals);
  const size = amount < 0 ? -BigInt(amount) : BigInt(amount);
  const fraction = decimals === 0 ? '' : `.${(size % unit).toString().padStart(decimals, '0')}`;
  return `${amount < 0 ? '-' : ''}${size / unit}${fraction}`;
}

/** What the platform writes for exact decimal text, which it does not turn into a float. */
function expected(amount: number, currency: string, locale: string): string {
  const decimals = currencyDecimals(currency) ?? 2;
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(decimalText(amount, decimals) as Intl.StringNumericLiteral);
}

describe('writing money', () => {
  test.each([
    [4900, 'usd', '$49.00'],
    [5, 'usd', '$0.05'],
    [100_000_000, 'usd', '$1,000,000.00'],
    [5000, 'jpy', '¥5,000'],
    [1, 'jpy', '¥1'],
    [12_340, 'kwd', 'KWD\u00a012.340'],
    [10, 'bhd', 'BHD\u00a00.010'],
    [0, 'usd', '$0.00'],
    [-4900, 'usd', '-$49.00'],
  ])('writes %d %s as %s', (amount, currency, text) => {
    expect(formatMoney({ amount, currency })).toBe(text);
  });

  test('writes every amount exactly, also beyond what a float can hold in major units', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.constantFrom(...currencies), (amount, currency) => {
        const digits = formatMoney({ amount, currency }).replace(/\D/g, '');
        const decimals = currencyDecimals(currency) ?? 2;
        expect(digits).toBe(
          BigInt(amount)
            .toString()
            .padStart(decimals + 1, '0'),
        );
      }),
    );
  });

  test('writes every amount as the locale writes it', () => {
    const locales = ['en-US', 'de-DE', 'fr-FR', 'ja-JP', 'en-IN', 'pt-BR'];
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.constantFrom(...currencies),
        fc.constantFrom(...locales),
        (amount, currency, locale) => {
          expect(formatMoney({ amount, currency }, locale)).toBe(expected(amount, currency, locale));
        },
      ),
    );
  });

  test('writes the fraction in the digits of the locale, as it does the rest', () => {
    expect(formatMoney({ amount: 4925, currency: 'usd' }, 'fa-IR')).toBe(expected(4925, 'usd', 'fa-IR'));
  });

  test('keeps the sign of a negative amount below one major unit', () => {
    expect(formatMoney({ amount: -50, currency: 'usd' })).toBe('-$0.50');
  });
});

describe('what can be charged', () => {
  test.each([
    ['negative', -1, 'usd'],
    ['zero', 0, 'usd'],
    ['negative zero', -0, 'usd'],
    ['a fraction', 1.5, 'usd'],
    ['beyond 2^53', 1e21, 'usd'],
    ['2^53', 2 ** 53, 'usd'],
    ['not a number', NaN, 'usd'],
    ['infinite', Infinity, 'usd'],
    ['text', '4900' as unknown as number, 'usd'],
    ['more than Stripe takes', maxAmount + 1, 'usd'],
    ['an upper-case currency', 4900, 'USD'],
    ['an unknown currency', 4900, 'xxx'],
    ['no currency', 4900, ''],
    ['a name of every object', 4900, 'constructor'],
    ['a last digit that a three-decimal currency does not take', 12_345, 'kwd'],
  ])('refuses %s', (_name, amount, currency) => {
    expect(amountProblem({ amount, currency })).toEqual(expect.any(String));
  });

  test.each([
    [1, 'usd'],
    [maxAmount, 'usd'],
    [1, 'jpy'],
    [12_340, 'kwd'],
  ])('takes %d %s', (amount, currency) => {
    expect(amountProblem({ amount, currency })).toBeUndefined();
  });
});
