/** Card schemes by leading digits and length. Source: ISO/IEC 7812 issuer ranges as published by the schemes. */
const schemes: readonly { prefix: RegExp; lengths: readonly number[] }[] = [
  { prefix: /^4/, lengths: [13, 16, 19] },
  { prefix: /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, lengths: [16] },
  { prefix: /^3[47]/, lengths: [15] },
  { prefix: /^(6011|64[4-9]|65)/, lengths: [16, 17, 18, 19] },
  { prefix: /^(30[0-5]|3[689])/, lengths: [14, 16, 17, 18, 19] },
  { prefix: /^35(2[89]|[3-8])/, lengths: [16, 17, 18, 19] },
  { prefix: /^62/, lengths: [16, 17, 18, 19] },
  { prefix: /^(50|5[6-9]|6[37])/, lengths: [13, 14, 15, 16, 17, 18, 19] },
];

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    if (i % 2 === 1) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return sum % 10 === 0;
}

function isCardNumber(digits: string): boolean {
  return (
    schemes.some(({ prefix, lengths }) => lengths.includes(digits.length) && prefix.test(digits)) &&
    passesLuhn(digits)
  );
}

/**
 * Ids whose digits are random: ours, call ids of voice platforms, hashes (30 and more hexadecimal characters with a letter
 * among them, behind a short prefix) and UUIDs. One in 3,000 holds what could be a card number. Only these exact forms are
 * passed over: a card number behind one of our prefixes is still found.
 */
const ids =
  /(?<![\p{L}\p{N}])(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|(?:[a-z]{2,4}_?)?(?=\d*[a-f])[\da-f]{30,64}(?:_\d{1,4})?)(?![\p{L}\p{N}])/giu;

const day = String.raw`(?:(?:19|20)\d\d([-./])(?:0\d|1[0-2])\1[0-3]\d|[0-3]?\d([-./])[01]?\d\2(?:19|20)\d\d)`;
const clock = String.raw`(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?(?:Z|[+-][01]\d:?[0-5]\d)?`;
/** Dates, with or without the time of day: one in ten of some days would pass for a card. */
const times = new RegExp(
  String.raw`(?<![\p{L}\p{N}])${day}(?:(?:T|[^\p{L}\p{N}]{1,3})${clock})?(?![\p{L}\p{N}])`,
  'gu',
);

/** What people, programs and phones put between the digits of one number: a few of any character that is no letter. */
const digitRuns = /\d(?:[^\p{L}\p{N}]{0,5}\d)+/gu;

/** Digits of any script to ASCII, full-width forms folded, invisible characters removed. */
function normalise(text: string): string {
  // First the marks: to put thousands of them in order is what makes `normalize` slow.
  const folded = text.replace(/[\p{Cf}\p{M}]/gu, '').normalize('NFKC');
  return folded.replace(/[\p{Cf}\p{M}]/gu, '').replace(/\p{Nd}/gu, (char) => {
    // Decimal digits of every script stand in blocks of ten that start at a code point whose predecessor is no digit.
    let value = 0;
    const code = char.codePointAt(0) ?? 48;
    while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value++;
    return code < 128 ? char : String(value % 10);
  });
}

/** True when an unbroken run of digits is a card with its CVC or expiry date typed behind it. */
function startsWithCardNumber(run: string): boolean {
  for (let length = 13; length <= 19; length++) {
    const behind = run.length - length;
    // No longer than a card itself, so that much may be innocent: exactly CVC or MMYY, behind a card of 14 digits or more,
    // or every tenth 16-digit number that starts with a 4 would be a Visa of 13.
    const plausible = run.length > 19 || (length > 13 && (behind === 3 || behind === 4));
    if (plausible && isCardNumber(run.slice(0, length))) return true;
  }
  return false;
}

/**
 * True when the text holds what looks like a payment card number: 13 to 19 digits with an issuer's prefix and a valid
 * check digit, also when broken up by up to five characters that are neither letters nor digits, in any script's digits, or
 * with CVC or expiry date stuck to it. Numbers spelled out in words, or with letters between the digits, are not recognised.
 */
export function containsCardNumber(text: string): boolean {
  const runs = normalise(text).replace(ids, 'x').replace(times, 'x').match(digitRuns) ?? [];
  return runs.some((run) => {
    const groups = run.split(/\D+/);
    return groups.some((_, first) => {
      let digits = '';
      for (let last = first; last < groups.length && digits.length <= 19; last++) {
        const group = groups[last] ?? '';
        if (digits === '' && startsWithCardNumber(group)) return true;
        digits += group;
        if (isCardNumber(digits)) return true;
      }
      return false;
    });
  });
}
