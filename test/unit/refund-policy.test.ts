import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { currencyDecimals } from '../../domain/money.js';
import {
  bookOf,
  type RefundEntry,
  refundsByCheckout,
  sumsOf,
  withOutcome,
  withRefund,
} from '../../domain/refund-book.js';
import {
  judgeRefund,
  needsApprovalAlone,
  refundable,
  type RefundFacts,
  type RefundPolicy,
} from '../../domain/refund-policy.js';

const policy: RefundPolicy = { threshold: { usd: 5_000, jpy: 5_000, kwd: 5_000 } };
const facts = (changes: Partial<RefundFacts> = {}): RefundFacts => ({
  captured: 100_000,
  refundedAtStripe: 0,
  pendingOfPayment: 0,
  refundedOfPayment: 0,
  customerInDay: 0,
  disputed: false,
  ...changes,
});
const judge = (amount: number, changes: Partial<RefundFacts> = {}, more: object = {}) =>
  judgeRefund({ amount, currency: 'usd', ...more }, facts(changes), policy);

describe('a refund request', () => {
  test.each([
    [5_000, {}, { kind: 'automatic' }],
    [5_001, {}, { kind: 'needs_approval', because: 'payment_total' }],
    [1_001, { refundedAtStripe: 4_000 }, { kind: 'needs_approval', because: 'payment_total' }],
    [1_001, { pendingOfPayment: 4_000 }, { kind: 'needs_approval', because: 'payment_total' }],
    [1_000, { pendingOfPayment: 2_000, refundedOfPayment: 2_000 }, { kind: 'automatic' }],
    [1_001, { customerInDay: 4_000 }, { kind: 'needs_approval', because: 'customer_total' }],
    [1_000, { customerInDay: 4_000 }, { kind: 'automatic' }],
    [100_000, {}, { kind: 'needs_approval', because: 'payment_total' }],
    [100_001, {}, { kind: 'refused', code: 'exceeds_refundable' }],
    [1, { refundedAtStripe: 100_000 }, { kind: 'refused', code: 'not_refundable' }],
    [1, { captured: 0 }, { kind: 'refused', code: 'not_refundable' }],
    [1, { disputed: true }, { kind: 'refused', code: 'not_refundable' }],
    [60_001, { refundedAtStripe: 40_000 }, { kind: 'refused', code: 'exceeds_refundable' }],
    [60_001, { refundedOfPayment: 40_000 }, { kind: 'refused', code: 'exceeds_refundable' }],
  ])('of %i with %o is %o', (amount, changes, verdict) => {
    expect(judge(amount, changes)).toEqual(verdict);
  });

  test('that a bank already holds counts once, told by Stripe and by us', () => {
    expect(refundable(facts({ refundedAtStripe: 40_000, refundedOfPayment: 40_000 }))).toBe(60_000);
    expect(refundable(facts({ refundedAtStripe: 50_000, refundedOfPayment: 40_000 }))).toBe(50_000);
    expect(refundable(facts({ captured: 10, refundedAtStripe: 50, pendingOfPayment: 5 }))).toBe(0);
  });
});

const amount = fc.integer({ min: 1, max: 200_000 });
const someFacts = fc.record({
  captured: fc.nat(200_000),
  refundedAtStripe: fc.nat(200_000),
  pendingOfPayment: fc.nat(200_000),
  refundedOfPayment: fc.nat(200_000),
  customerInDay: fc.nat(200_000),
  disputed: fc.boolean(),
});

describe('whatever the amounts,', () => {
  test('nothing disputed is given back, and never more than is left', () => {
    fc.assert(
      fc.property(amount, someFacts, (asked, known) => {
        const verdict = judgeRefund({ amount: asked, currency: 'usd' }, known, policy);
        if (known.disputed || asked > refundable(known)) expect(verdict.kind).toBe('refused');
        if (verdict.kind !== 'refused') expect(asked).toBeLessThanOrEqual(known.captured);
      }),
    );
  });

  test('a currency without a threshold needs a person', () => {
    const unknown = fc.constantFrom('eur', 'bhd', 'krw', 'xxx', 'USD', '');
    fc.assert(
      fc.property(amount, someFacts, unknown, (asked, known, currency) => {
        expect(judgeRefund({ amount: asked, currency }, known, policy).kind).not.toBe('automatic');
        expect(needsApprovalAlone({ amount: asked, currency }, policy)).toBe(true);
      }),
    );
  });

  test('what needs a person by itself is never let through', () => {
    fc.assert(
      fc.property(amount, someFacts, (asked, known) => {
        const request = { amount: asked, currency: 'usd' };
        if (needsApprovalAlone(request, policy))
          expect(judgeRefund(request, known, policy).kind).not.toBe('automatic');
      }),
    );
  });
});

interface Step {
  kind: 'ask' | 'submit' | 'settle' | 'void' | 'fail' | 'elsewhere' | 'wait';
  payment: number;
  size: number;
}

/** Many small sums around the threshold, sums of any size, and what becomes of them in any order. */
const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom(
      'ask',
      'ask',
      'ask',
      'ask',
      'submit',
      'settle',
      'void',
      'fail',
      'elsewhere',
      'wait',
    ),
    payment: fc.nat(2),
    size: fc.oneof(fc.integer({ min: 1, max: 1_500 }), fc.integer({ min: 4_900, max: 5_100 }), amount),
  }),
  { maxLength: 80 },
);

describe.each(['usd', 'jpy', 'kwd'])('a customer who asks and asks (%s)', (currency) => {
  test(`has a currency with ${String(currencyDecimals(currency))} decimals, whose minor units are what counts`, () => {
    expect(currencyDecimals(currency)).toBeDefined();
  });

  test('gets no more than was paid, and no more than the threshold without a person', () => {
    fc.assert(
      fc.property(steps, (story) => {
        const captured = 20_000;
        const hour = 3_600_000;
        let now = 1_000_000;
        let book: readonly RefundEntry[] = [];
        /** What Stripe has given back of each payment: the truth the book must stay within. */
        const given = [0, 0, 0];
        const automatic = new Set<string>();
        const ofPayment = (payment: number) =>
          book.filter(({ checkoutId }) => checkoutId === `co_${payment}`);
        for (const [index, { kind, payment, size }] of story.entries()) {
          const [oldest] = ofPayment(payment).filter(({ outcome }) => outcome === 'pending');
          const [there] = ofPayment(payment).filter(({ outcome }) => outcome === 'at_stripe');
          const [done] = ofPayment(payment).filter(({ outcome }) => outcome === 'done');
          const before = given[payment] ?? 0;
          if (kind === 'wait') now += (size % 30) * hour;
          if (kind === 'submit' && oldest) {
            given[payment] = before + oldest.amount;
            book = withOutcome(book, oldest.refundId, 'at_stripe');
          }
          if (kind === 'settle' && there) book = withOutcome(book, there.refundId, 'done');
          if (kind === 'void' && oldest) book = withOutcome(book, oldest.refundId, 'void');
          if (kind === 'fail' && done) {
            given[payment] = before - done.amount;
            book = withOutcome(book, done.refundId, 'void');
          }
          const { pendingOfPayment } = sumsOf(book, { paymentIntent: `pi_${payment}`, currency, now });
          if (kind === 'elsewhere' && before + pendingOfPayment + size <= captured)
            given[payment] = before + size;
          if (kind === 'ask') {
            const checkoutId = `co_${payment}`;
            const sums = sumsOf(book, { paymentIntent: `pi_${payment}`, currency, now });
            const known = { captured, refundedAtStripe: before, disputed: false, ...sums };
            const request = { amount: size, currency };
            const verdict = judgeRefund(request, known, policy);
            if (verdict.kind === 'refused') continue;
            const entry = {
              refundId: `rf_${index}`,
              checkoutId,
              paymentIntent: `pi_${payment}`,
              amount: size,
            };
            book = withRefund(book, { ...entry, currency, at: now, outcome: 'pending' });
            if (verdict.kind === 'automatic') automatic.add(entry.refundId);
          }
          for (const [at, sum] of given.entries()) {
            const pending = sumsOf(book, { paymentIntent: `pi_${at}`, currency, now }).pendingOfPayment;
            expect(sum + pending).toBeLessThanOrEqual(captured);
          }
          const unasked = book.filter(
            ({ refundId, outcome }) => automatic.has(refundId) && outcome !== 'void',
          );
          const recent = unasked.filter(({ at }) => at > now - 24 * hour);
          expect(recent.reduce((total, one) => total + one.amount, 0)).toBeLessThanOrEqual(5_000);
          for (const at of [0, 1, 2]) {
            const own = unasked.filter(({ checkoutId }) => checkoutId === `co_${at}`);
            expect(own.reduce((total, one) => total + one.amount, 0)).toBeLessThanOrEqual(5_000);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the book of a customer', () => {
  const entry = (refundId: string, changes: Partial<RefundEntry> = {}): RefundEntry => ({
    refundId,
    checkoutId: 'co_1',
    paymentIntent: 'pi_1',
    amount: 100,
    currency: 'usd',
    at: 1_000,
    outcome: 'pending',
    ...changes,
  });
  const day = 24 * 3_600_000;

  test('sums what is pending, what Stripe has, and what was asked for within a day', () => {
    const book = [
      entry('a'),
      entry('b', { amount: 20, outcome: 'at_stripe' }),
      entry('c', { amount: 3, outcome: 'done' }),
      entry('d', { amount: 5_000, outcome: 'void' }),
      // Brought back by another payment.
      entry('e', { amount: 7, paymentIntent: 'pi_2' }),
      entry('f', { amount: 90, currency: 'eur', paymentIntent: 'pi_3' }),
      entry('g', { amount: 60_000, at: 1_000 - day, outcome: 'done', paymentIntent: 'pi_4' }),
    ];
    expect(sumsOf(book, { paymentIntent: 'pi_1', currency: 'usd', now: 1_000 })).toEqual({
      pendingOfPayment: 100,
      refundedOfPayment: 23,
      customerInDay: 130,
    });
    expect(sumsOf(book, { paymentIntent: 'pi_1', currency: 'usd', now: 999 + day }).customerInDay).toBe(130);
    expect(sumsOf(book, { paymentIntent: 'pi_1', currency: 'usd', now: 1_000 + day }).customerInDay).toBe(0);
  });

  test('is made anew from what a ledger shows; what became of its refunds is to be asked', () => {
    const book = [
      entry('a', { outcome: 'done' }),
      entry('b', { at: 2_000, checkoutId: 'co_2', paymentIntent: 'pi_2', currency: 'eur', amount: 7 }),
      entry('c', { at: 3_000 }),
    ];
    const unasked = book.map((one) => ({ ...one, outcome: 'pending' }));
    expect(bookOf(refundsByCheckout(book))).toEqual(unasked);
    // Listed before the sums were.
    expect(bookOf({ co_1: [{ refundId: 'a', at: 1_000 }] })).toEqual([]);
  });

  test('takes a refund once, and an outcome only of one it has', () => {
    const book = withRefund([], entry('a'));
    expect(withRefund(book, entry('a', { amount: 9 }))).toBe(book);
    expect(withOutcome(book, 'a', 'done')).toEqual([entry('a', { outcome: 'done' })]);
    expect(withOutcome(book, 'b', 'done')).toEqual(book);
  });
});
