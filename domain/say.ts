import type { CheckoutState, CheckoutStatus } from './checkout-state.js';
import type { LatePaymentStatus } from './late-payment.js';
import { formatMoney, type Money } from './money.js';
import type { RefundStatus } from './refund-state.js';

/** Everything a caller can hear about a payment; the keys a tenant may reword per locale. */
export type Line =
  | 'quote'
  | 'sms'
  | CheckoutStatus
  | `refund_${RefundStatus}`
  /** Money that came after its checkout, or a second time. */
  | `late_${LatePaymentStatus}`
  | 'second_refunding'
  | 'second_refunded'
  | 'sms_late_refund'
  | 'sms_late_honour'
  | 'sms_second_refund';

/** A tenant's own sentences: locale, then line. `{amount}`, `{description}`, `{confirmation_number}`, `{url}`, `{merchant}` are filled in. */
export type Wording = Readonly<Record<string, Readonly<Partial<Record<Line, string>>>>>;

const pending = "I'm still confirming, please don't pay again.";
const nothingCharged = "It didn't go through, and nothing was charged.";

const english: Readonly<Record<Line, string>> = {
  quote: 'That is {amount} for {description}. Shall I go ahead?',
  sms: '{merchant}: pay {amount} for {description} here: {url}',
  awaiting_wallet: 'Please approve {amount} in your Link app.',
  sending_link: "I'm sending you a secure link now.",
  awaiting_link: "I've sent a secure link to your phone.",
  starting: pending,
  charging: pending,
  processing: pending,
  closing: pending,
  needs_attention: pending,
  paid: 'Your payment of {amount} is confirmed. Confirmation number {confirmation_number}.',
  declined: nothingCharged,
  expired: nothingCharged,
  failed: nothingCharged,
  canceled: "That's cancelled, and nothing was charged.",
  refund_awaiting_approval: 'A colleague must approve this refund.',
  refund_submitting: "I'm submitting the refund now.",
  refund_submitted: 'The refund has been submitted.',
  refund_refunded: 'Your refund of {amount} is on its way to your card.',
  refund_rejected: 'The refund could not be made.',
  refund_failed: 'The refund of {amount} did not go through. A colleague will look into it.',
  refund_denied: 'The refund was not approved.',
  refund_approval_expired: 'The refund was not approved in time.',
  refund_needs_attention: "I'm still checking on that refund.",
  late_refunding: 'Your payment of {amount} came too late. It is being returned to you.',
  late_refunded: 'Your payment of {amount} came too late, and it was returned to you.',
  late_honoured: 'Your payment of {amount} for {description} has arrived. Number {confirmation_number}.',
  late_needs_attention: "I'm still checking on that payment, please don't pay again.",
  second_refunding:
    'Your payment of {amount} is confirmed. Confirmation number {confirmation_number}. A second payment is being returned to you.',
  second_refunded:
    'Your payment of {amount} is confirmed. Confirmation number {confirmation_number}. A second payment was returned to you.',
  sms_late_refund:
    '{merchant}: your payment of {amount} for {description} came too late and is being returned to you. Number {confirmation_number}.',
  sms_late_honour:
    '{merchant}: your payment of {amount} for {description} has arrived, thank you. Number {confirmation_number}.',
  sms_second_refund:
    '{merchant}: {description} was paid twice. The second {amount} is being returned to you. Number {confirmation_number}.',
};

/** Longest sentence an agent is given to speak, in characters. */
export const maxSayLength = 220;

/** Longest text message, in characters: Twilio takes 1,600, and a link of Stripe's has some 400. */
const maxSmsLength = 1_000;

export interface Sentence {
  money: Money;
  description: string;
  locale: string;
  wording?: Wording | undefined;
  merchant?: string | undefined;
  url?: string | undefined;
  confirmationNumber?: string | undefined;
}

function template(line: Line, { locale, wording }: Sentence): string {
  const language = locale.split('-')[0] ?? locale;
  return wording?.[locale]?.[line] ?? wording?.[language]?.[line] ?? english[line];
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** The text in at most `room` characters, with `…` where it was cut: never inside what a reader takes for one character. */
function cut(text: string, room: number): string {
  if (text.length <= room) return text;
  let kept = '';
  for (const { segment } of graphemes.segment(text)) {
    if (kept.length + segment.length >= room) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

/**
 * One sentence in the tenant's words. Of one that is too long the description is cut; if that does not do, the end of the
 * tenant's own words. An amount or an address is whole or not there.
 */
function render(line: Line, sentence: Sentence, limit = maxSayLength): string {
  // Every second piece is a placeholder.
  const pieces = template(line, sentence).split(/(\{\w+\})/);
  const fill = (description: string) => {
    const values = new Map([
      ['{amount}', formatMoney(sentence.money, sentence.locale)],
      ['{description}', description],
      ['{merchant}', sentence.merchant ?? ''],
      ['{url}', sentence.url ?? ''],
      ['{confirmation_number}', sentence.confirmationNumber ?? ''],
    ]);
    return pieces.map((piece, index) => (index % 2 === 0 ? piece : (values.get(piece) ?? piece)));
  };
  const { description } = sentence;
  const full = fill(description).join('');
  if (full.length <= limit) return full;
  const mentions = pieces.filter((piece) => piece === '{description}').length;
  const parts = fill(cut(description, description.length - Math.ceil((full.length - limit) / mentions)));
  if (parts.join('').length <= limit) return parts.join('');
  let text = '';
  for (const [index, part] of parts.entries()) {
    const room = limit - text.length;
    if (part.length >= room) return index % 2 === 0 ? text + cut(`${part}…`, room) : `${text.trimEnd()}…`;
    text += part;
  }
  return text;
}

export function sayQuote(sentence: Sentence): string {
  return render('quote', sentence);
}

/** What the caller may be told in this state. "Confirmed" only in `paid`; "nothing was charged" only in states without a live instrument. */
export function sayCheckout(state: CheckoutState, sentence: Sentence): string {
  return render(state.status, { ...sentence, confirmationNumber: state.confirmationNumber });
}

/** What the caller may be told once money came for a checkout that has ended. A second payment never hides the first. */
export function sayLatePayment(state: CheckoutState, late: LatePaymentStatus, sentence: Sentence): string {
  if (state.status !== 'paid') return render(`late_${late}`, sentence);
  const second = late === 'refunding' || late === 'refunded' ? (`second_${late}` as const) : undefined;
  return second === undefined ? sayCheckout(state, sentence) : render(second, sentence);
}

/** What the caller may be told of a refund. */
export function sayRefund(status: RefundStatus, sentence: Sentence): string {
  return render(`refund_${status}`, sentence);
}

/** A payment's sentence and, behind it, that a refund of it failed: alone where both are too long to be spoken. */
export function withFailedRefund(told: string, refund: Sentence): string {
  const news = sayRefund('failed', refund);
  const both = `${told} ${news}`;
  return both.length <= maxSayLength ? both : news;
}

/** The text message with the payment link. Not spoken, but worded in the same place. */
export function textPaymentLink(sentence: Sentence & { url: string }): string {
  return render('sms', sentence, maxSmsLength);
}

/** The text message about money that came late, or twice. */
export function textLatePayment(
  outcome: 'refund' | 'honour',
  second: boolean,
  sentence: Sentence & { confirmationNumber: string },
): string {
  const line = outcome === 'honour' ? 'sms_late_honour' : second ? 'sms_second_refund' : 'sms_late_refund';
  return render(line, sentence, maxSmsLength);
}
