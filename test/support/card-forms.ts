/** One published test number of each scheme. Source: docs.stripe.com/testing and the schemes' own test pages. */
export const testCards = {
  visa: '4242424242424242',
  visa13: '4222222222222',
  mastercard: '5555555555554444',
  mastercard2: '2223003122003222',
  amex: '378282246310005',
  discover: '6011111111111117',
  diners: '30569309025904',
  jcb: '3566002020360505',
  unionPay: '6200000000000005',
  maestro: '6759649826438453',
} as const;

const inDigitsFrom = (zero: number) => (digits: string) =>
  [...digits].map((digit) => String.fromCodePoint(zero + Number(digit))).join('');
const spread = (separator: string) => testCards.visa.match(/\d{4}/g)!.join(separator);

/** One number in the ways people and machines write it. */
export const cardForms: readonly (readonly [name: string, text: string])[] = [
  ...Object.entries(testCards),
  ['spaces', spread(' ')],
  ['dashes', spread('-')],
  ['dots', spread('.')],
  ['slashes', spread('/')],
  ['commas', spread(', ')],
  ['underscores', spread('_')],
  ['middle dots', spread('·')],
  ['en dashes', spread('–')],
  ['em dashes', spread(' — ')],
  ...[
    '|',
    ':',
    '*',
    '+',
    ';',
    "'",
    '"',
    '~',
    '\\',
    '•',
    '#',
    '=',
    '>',
    '->',
    ' | ',
    '  |  ',
    '    ',
    ' … ',
    '💳',
  ].map((separator) => [`"${separator}" between`, spread(separator)] as const),
  ['brackets around each group', '(4242)(4242)(4242)(4242)'],
  ['square brackets', '[4242] [4242] [4242] [4242]'],
  ['keycap digits', [...testCards.visa].join('\ufe0f\u20e3') + '\ufe0f\u20e3'],
  ['a time behind', '4242 4242 4242 4242, 12:30'],
  ['new lines', spread('\n')],
  ['tabs', spread('\t')],
  ['no-break spaces', spread('\u00a0')],
  ['thin spaces', spread('\u2009')],
  ['every digit apart', [...testCards.visa].join(' ')],
  ['uneven groups', '42 4242 42424 24242'],
  ['American Express groups', '3782 822463 10005'],
  ['full-width digits', inDigitsFrom(0xff10)(testCards.visa)],
  ['Arabic-Indic digits', inDigitsFrom(0x0660)(testCards.visa)],
  ['Persian digits', inDigitsFrom(0x06f0)(testCards.visa)],
  ['Devanagari digits', inDigitsFrom(0x0966)(testCards.visa)],
  ['Thai digits', inDigitsFrom(0x0e50)(testCards.visa)],
  ['mathematical bold digits', inDigitsFrom(0x1d7ce)(testCards.visa)],
  ['superscript digits', testCards.visa.replaceAll('4', '\u2074').replaceAll('2', '\u00b2')],
  ['zero-width spaces', [...testCards.visa].join('\u200b')],
  ['zero-width joiners', [...testCards.visa].join('\u200d')],
  ['soft hyphens', spread('\u00ad')],
  ['a byte order mark inside', spread('\ufeff')],
  ['a direction mark inside', spread('\u200f')],
  ['a combining mark on each digit', [...testCards.visa].join('\u0301')],
  ['words around', 'my card is 4242 4242 4242 4242 thanks'],
  ['letters stuck to it', 'card4242424242424242x'],
  ['an expiry date behind', '4242 4242 4242 4242 12/29'],
  ['an expiry date stuck to it', '42424242424242421229'],
  ['a number in front', '1, 4242424242424242'],
];

/** The dashes that text programs put between digits. */
export const dashForms: readonly (readonly [name: string, text: string])[] = [
  ['hyphen U+2010', spread('\u2010')],
  ['no-break hyphen U+2011', spread('\u2011')],
  ['figure dash U+2012', spread('\u2012')],
  ['minus sign U+2212', spread('\u2212')],
];

/** An unbroken run that is no longer than the longest card, with a shorter card and its expiry or CVC in it. */
export const gluedForms: readonly (readonly [name: string, text: string])[] = [
  ['American Express and MMYY', '3782822463100051229'],
  ['Diners and MMYY', '305693090259041229'],
  ['Visa and CVC', '4242424242424242123'],
];
