import { describe, expect, test } from 'vitest';
import { explainLatePayments } from '../../domain/explain-late-payment.js';
import {
  judgeLatePayment,
  type LatePayment,
  type LatePaymentFacts,
  type LatePaymentState,
  shownLatePayment,
  withLatePayment,
} from '../../domain/late-payment.js';
import { latePaymentEvent } from '../../domain/tenant-event.js';

type Payment = LatePaymentFacts['payment'];
type Run = LatePaymentFacts['checkout'];

const paid = (more: object = {}): Payment => ({
  kind: 'paid',
  amount: 4_900,
  currency: 'usd',
  refunded: 0,
  disputed: false,
  ...more,
});
const ended = (more: object = {}): Run => ({
  run: 'ended',
  amount: 4_900,
  currency: 'usd',
  newerAttempt: false,
  ...more,
});
const processing: Payment = { kind: 'processing' };
const unpaid: Payment = { kind: 'unpaid' };

describe('a payment that no open run waits for', () => {
  test.each<[string, Payment, Run, LatePaymentFacts['policy'], object]>([
    ['what the checkout was paid with', paid(), ended({ paidBy: 'pi_1' }), 'refund', { kind: 'nothing' }],
    ['not paid', unpaid, ended(), 'refund', { kind: 'nothing' }],
    ['not paid, the run stopped', unpaid, { run: 'broken' }, 'refund', { kind: 'nothing' }],
    ['given back before', paid({ refunded: 4_900 }), ended(), 'honour', { kind: 'nothing' }],
    ['given back, the run gone', paid({ refunded: 4_900 }), { run: 'gone' }, 'honour', { kind: 'nothing' }],
    ['the run is open', paid(), { run: 'open' }, 'refund', { kind: 'hand_over' }],
    ['under way, the run open', processing, { run: 'open' }, 'refund', { kind: 'hand_over' }],
    ['the run was stopped', paid(), { run: 'broken' }, 'refund', { kind: 'restore' }],
    ['the run is gone', paid(), { run: 'gone' }, 'refund', { kind: 'restore' }],
    ['under way, the run gone', processing, { run: 'gone' }, 'refund', { kind: 'restore' }],
    ['under way', processing, ended(), 'honour', { kind: 'wait' }],
    ['disputed', paid({ disputed: true }), ended(), 'refund', { kind: 'disputed' }],
    [
      'a second payment',
      paid(),
      ended({ paidBy: 'pi_0' }),
      'honour',
      { kind: 'refund', because: 'second_payment' },
    ],
    [
      'the purchase was tried again',
      paid(),
      ended({ newerAttempt: true }),
      'honour',
      { kind: 'refund', because: 'newer_attempt' },
    ],
    [
      'an earlier attempt was honoured since',
      paid(),
      ended({ olderHonoured: true }),
      'honour',
      { kind: 'refund', because: 'second_payment' },
    ],
    [
      'the run was lost, and a later one paid',
      paid(),
      ended({ newerAttempt: true, lost: true }),
      'refund',
      { kind: 'honour' },
    ],
    [
      'another amount',
      paid({ amount: 4_901 }),
      ended(),
      'honour',
      { kind: 'refund', because: 'amount_differs' },
    ],
    [
      'another currency',
      paid({ currency: 'eur' }),
      ended(),
      'honour',
      { kind: 'refund', because: 'amount_differs' },
    ],
    ['late, to be refunded', paid(), ended(), 'refund', { kind: 'refund', because: 'policy' }],
    [
      'late, partly refunded',
      paid({ refunded: 1 }),
      ended(),
      'refund',
      { kind: 'refund', because: 'policy' },
    ],
    ['late, to be honoured', paid(), ended(), 'honour', { kind: 'honour' }],
  ])('is judged: %s', (_name, payment, checkout, policy, verdict) => {
    expect(judgeLatePayment('pi_1', { policy, payment, checkout }, false)).toEqual(verdict);
  });

  test('goes back when another one was honoured', () => {
    const facts: LatePaymentFacts = { policy: 'honour', payment: paid(), checkout: ended() };
    expect(judgeLatePayment('pi_1', facts, true)).toEqual({ kind: 'refund', because: 'second_payment' });
  });
});

const none: LatePaymentState = { version: 0, payments: [] };
const payment = (changes: Partial<LatePayment> = {}): LatePayment => ({
  paymentIntent: 'pi_1',
  amount: 4_900,
  currency: 'usd',
  status: 'refunding',
  at: Date.UTC(2026, 0, 2),
  ...changes,
});

describe('what is published of late payments', () => {
  test('grows by one version with every change and by none with a repetition', () => {
    const first = withLatePayment(none, payment());
    expect(first.version).toBe(1);
    expect(withLatePayment(first, payment({ at: 1 }))).toBe(first);
    const second = withLatePayment(first, payment({ status: 'refunded', refund: 're_1' }));
    expect(second).toMatchObject({ version: 2, payments: [{ status: 'refunded' }] });
  });

  test('is told again when it becomes again what it was, under another id', () => {
    const statuses = ['refunding', 'needs_attention', 'refunded', 'needs_attention'] as const;
    let state = none;
    const ids = statuses.map((status) => {
      state = withLatePayment(state, payment({ status }));
      const [now] = state.payments;
      return now && latePaymentEvent({ checkoutId: 'co_1', livemode: false }, now).eventId;
    });
    expect(state.payments[0]?.earlier).toEqual(['refunding', 'needs_attention', 'refunded']);
    expect(ids).toEqual([
      'co_1-pi_1-refunding.checkout.late_payment',
      'co_1-pi_1-needs_attention.checkout.late_payment',
      'co_1-pi_1-refunded.checkout.late_payment',
      'co_1-pi_1-needs_attention-2.checkout.late_payment',
    ]);
  });

  test('shows an honoured payment before any other, else the newest', () => {
    const two = withLatePayment(withLatePayment(none, payment()), payment({ paymentIntent: 'pi_2' }));
    expect(shownLatePayment(two)?.paymentIntent).toBe('pi_2');
    const three = withLatePayment(
      withLatePayment(none, payment({ status: 'honoured' })),
      payment({ paymentIntent: 'pi_2' }),
    );
    expect(shownLatePayment(three)?.paymentIntent).toBe('pi_1');
    expect(shownLatePayment(none)).toBeUndefined();
  });

  test('is explained in plain English, with what must be looked at', () => {
    const explained = (changes: Partial<LatePayment>) =>
      explainLatePayments('co_1', withLatePayment(none, payment(changes)), { repeated: 0, invalid: 2 });
    expect(explained({ because: 'second_payment' })).toContain('the purchase has another payment');
    expect(explained({ status: 'honoured' })).toContain('$49.00 (pi_1) came after the end and was honoured');
    expect(explained({ status: 'needs_attention', attention: 'its holder disputes it' })).toContain(
      'needs a person: its holder disputes it',
    );
    expect(explained({})).toContain('2 signal(s) without a valid form ignored');
    expect(explainLatePayments('co_1', none, { repeated: 0, invalid: 0 })).toContain('is being looked into');
  });
});
