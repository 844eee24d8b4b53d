import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CheckoutStatus, startingState } from '../../domain/checkout-state.js';
import {
  maxSayLength,
  sayCheckout,
  sayQuote,
  type Sentence,
  textPaymentLink,
  type Wording,
} from '../../domain/say.js';

const sentence = (changes: Partial<Sentence> = {}): Sentence => ({
  money: { amount: 4900, currency: 'usd' },
  description: 'Growth plan',
  locale: 'en-US',
  ...changes,
});
const state = (status: CheckoutStatus) => ({
  ...startingState(['linkWallet'], 0),
  status,
  confirmationNumber: '8472',
  instrument: { session: 'cs_test_1', paymentIntent: 'pi_1' },
});
const say = (status: CheckoutStatus, changes: Partial<Sentence> = {}) =>
  sayCheckout(state(status), sentence(changes));

const pending = "I'm still confirming, please don't pay again.";
const nothing = "It didn't go through, and nothing was charged.";
/** The sentences of the HTTP contract, section 3. */
const contract: Record<CheckoutStatus, string> = {
  awaiting_wallet: 'Please approve $49.00 in your Link app.',
  sending_link: "I'm sending you a secure link now.",
  awaiting_link: "I've sent a secure link to your phone.",
  starting: pending,
  charging: pending,
  processing: pending,
  closing: pending,
  needs_attention: pending,
  paid: 'Your payment of $49.00 is confirmed. Confirmation number 8472.',
  declined: nothing,
  expired: nothing,
  failed: nothing,
  canceled: "That's cancelled, and nothing was charged.",
};
const statuses = Object.keys(contract) as CheckoutStatus[];

describe('what an agent is given to say', () => {
  test.each(statuses)('in %s is the sentence of the contract', (status) => {
    expect(say(status)).toBe(contract[status]);
  });

  test('of a quote is the sentence of the contract', () => {
    expect(sayQuote(sentence())).toBe('That is $49.00 for Growth plan. Shall I go ahead?');
  });

  test.each(statuses)('in %s says confirmed and nothing was charged only where it is true', (status) => {
    expect(say(status).includes('confirmed')).toBe(status === 'paid');
    expect(say(status).includes('nothing was charged')).toBe(
      ['declined', 'expired', 'failed', 'canceled'].includes(status),
    );
  });

  test.each(statuses)('in %s holds no code and no id', (status) => {
    expect(say(status)).not.toMatch(/[a-z]_[a-z]|pi_|cs_|co_|https?:/);
  });

  test('is at most 220 characters, with the amount whole, for any description', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 400 }),
        fc.constantFrom(...statuses),
        (description, status) => {
          for (const text of [sayQuote(sentence({ description })), say(status, { description })]) {
            expect(text.length).toBeLessThanOrEqual(maxSayLength);
          }
          expect(sayQuote(sentence({ description }))).toContain('$49.00');
        },
      ),
    );
  });

  test('is never cut in the middle of a character', () => {
    // Encoding half a character as UTF-8 fails.
    const isWhole = (text: string) => encodeURIComponent(text).length > 0;
    for (let count = 80; count < 100; count++) {
      expect(isWhole(sayQuote(sentence({ description: '😀'.repeat(count) })))).toBe(true);
      expect(isWhole(sayQuote(sentence({ description: `x${'😀'.repeat(count)}` })))).toBe(true);
    }
  });

  test('does not fill in what a description holds in braces', () => {
    expect(sayQuote(sentence({ description: '{amount} {url}' }))).toContain('for {amount} {url}.');
  });
});

describe("a tenant's own words", () => {
  const wording: Wording = {
    de: { quote: 'Das macht {amount} für {description}.', canceled: 'Storniert.' },
    'de-CH': { canceled: 'Annulliert.' },
  };

  test('are taken for the locale, then for its language, then ours', () => {
    expect(say('canceled', { locale: 'de-CH', wording })).toBe('Annulliert.');
    expect(say('canceled', { locale: 'de-DE', wording })).toBe('Storniert.');
    expect(sayQuote(sentence({ locale: 'de-CH', wording }))).toMatch(/^Das macht .*49.00 für Growth plan\.$/);
    expect(say('canceled', { locale: 'fr-FR', wording })).toBe(contract.canceled);
    expect(say('declined', { locale: 'de-DE', wording })).toBe(nothing);
  });

  test('write the amount as the locale writes it', () => {
    expect(sayQuote(sentence({ locale: 'de-DE', wording }))).toBe('Das macht 49,00\u00a0$ für Growth plan.');
  });

  test('are at most 220 characters also when they are long themselves', () => {
    const long: Wording = { en: { paid: 'Thank you. '.repeat(27).trim() } };
    expect(say('paid', { wording: long }).length).toBeLessThanOrEqual(maxSayLength);
  });

  test('are at most 220 characters also when they name the description twice', () => {
    const twice: Wording = { en: { quote: '{description}: {amount} for {description}.' } };
    const text = sayQuote(sentence({ description: 'x'.repeat(120), wording: twice }));
    expect(text.length).toBeLessThanOrEqual(maxSayLength);
  });
});

describe('the text message with the link', () => {
  test('names merchant, amount, description and link', () => {
    const url = 'https://checkout.stripe.com/c/pay/cs_test_1';
    expect(textPaymentLink({ ...sentence({ merchant: 'Acme' }), url })).toBe(
      `Acme: pay $49.00 for Growth plan here: ${url}`,
    );
  });

  test('keeps the description beside a link as long as those of Stripe are', () => {
    const url = `https://checkout.stripe.com/c/pay/cs_test_1#${'f'.repeat(300)}`;
    const text = textPaymentLink({ ...sentence({ merchant: 'Acme' }), url });
    expect(text).toContain(url);
    expect(text).toContain('Growth plan');
  });
});
