/** Amounts are integers in minor units with a lowercase ISO 4217 code; no floating point ever touches money. */
export interface Money {
  amount: number;
  currency: string;
}

/** Currencies Stripe treats as having no minor unit. Source: docs.stripe.com/currencies#zero-decimal. */
const zeroDecimal = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf'.split(' '));
/** Currencies with three decimals. Source: docs.stripe.com/currencies#three-decimal. */
const threeDecimal = new Set('bhd jod kwd omr tnd'.split(' '));
const twoDecimal = new Set(
  (
    'usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve ' +
    'czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd kzt ' +
    'lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln ' +
    'qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah uyu uzs wst xcd yer zar zmw'
  ).split(' '),
);

/** Decimals of a currency, or undefined for a code we do not take. */
export function currencyDecimals(currency: string): 0 | 2 | 3 | undefined {
  if (zeroDecimal.has(currency)) return 0;
  if (threeDecimal.has(currency)) return 3;
  if (twoDecimal.has(currency)) return 2;
  return undefined;
}

/** Stripe's largest charge: eight digits of minor units. Source: docs.stripe.com/currencies#minimum-and-maximum-charge-amounts. */
export const maxAmount = 99_999_999;

/** Why an amount cannot be charged, or undefined when it can. */
export function amountProblem({ amount, currency }: Money): string | undefined {
  const decimals = currencyDecimals(currency);
  if (decimals === undefined) return 'the currency is not supported';
  if (!Number.isSafeInteger(amount)) return 'amount must be an integer in minor units';
  if (amount <= 0) return 'amount must be positive';
  if (amount > maxAmount) return `amount must be at most ${maxAmount}`;
  if (decimals === 3 && amount % 10 !== 0) {
    // Stripe asks for the last digit of three-decimal amounts to be 0.
    return 'the last digit of an amount in a three-decimal currency must be 0';
  }
  return undefined;
}

/** "$49.00", "¥5,000": for people, in the given locale. Exact: works on digits, never on a float. */
export function formatMoney({ amount, currency }: Money, locale = 'en-US'): string {
  const decimals = currencyDecimals(currency) ?? 2;
  const digits = String(Math.abs(amount)).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  // As decimal text, which the platform writes digit by digit; a number would become a float, a BigInt has no fraction.
  const decimal = `${amount < 0 ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
  return numberFormat(locale, currency, decimals).format(decimal as Intl.StringNumericLiteral);
}

/** Made once each: to make one takes longer than all the rest of a sentence, and a run renders one at every step. */
const numberFormats = new Map<string, Intl.NumberFormat>();

/** Locales come with requests, so that not all of them can be kept. */
const maxNumberFormats = 100;

function numberFormat(locale: string, currency: string, decimals: number): Intl.NumberFormat {
  const name = `${locale} ${currency}`;
  const known = numberFormats.get(name);
  if (known) return known;
  const made = new Intl.NumberFormat(locale, {
    style: 'currency',
    currency: currency.toUpperCase(),
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  if (numberFormats.size < maxNumberFormats) numberFormats.set(name, made);
  return made;
}
