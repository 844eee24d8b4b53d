import { describe, expect, test } from 'vitest';
import {
  type AttentionCause,
  type CheckoutState,
  type CheckoutStatus,
  startingState,
} from '../../domain/checkout-state.js';
import { explainCheckout } from '../../domain/explain.js';

const context = {
  money: { amount: 4900, currency: 'usd' },
  description: 'Growth plan',
  signals: { repeated: 0, invalid: 0 },
};
const state = (status: CheckoutStatus, changes: Partial<CheckoutState> = {}): CheckoutState => ({
  ...startingState(['paymentLink'], 0),
  status,
  rail: 'linkWallet',
  attempts: [{ rail: 'linkWallet', state: 'open', at: Date.UTC(2026, 0, 1) }],
  ...changes,
});

/** Words that a person of ops must find in each state. */
const words: Record<CheckoutStatus, RegExp> = {
  starting: /no answer is known yet/,
  awaiting_wallet: /approve \$49\.00 in the Link wallet/,
  charging: /repeated with the same key/,
  sending_link: /on the way by SMS/,
  awaiting_link: /pay \$49\.00 on the page/,
  processing: /no verdict yet/,
  closing: /shut and read back \(no_response\)/,
  needs_attention: /read again and again/,
  paid: /Paid \$49\.00; confirmation number 8472/,
  declined: /Ended declined \(no_response\)/,
  expired: /Ended expired/,
  canceled: /Ended canceled/,
  failed: /Ended failed/,
};

describe('an explanation', () => {
  test.each(Object.entries(words) as [CheckoutStatus, RegExp][])(
    'of %s says what is the matter',
    (status, text) => {
      const changes = { reason: 'no_response', confirmationNumber: '8472' } as const;
      expect(explainCheckout(state(status, changes), context)).toMatch(text);
    },
  );

  test.each<[AttentionCause, RegExp]>([
    ['approval_without_payment', /neither a payment nor a token/],
    ['amount_differs', /another amount or currency/],
    ['outcome_unknown', /not proved/],
    ['object_not_ours', /does not carry the mark/],
  ])('of the cause %s says what Stripe shows', (attention, text) => {
    expect(explainCheckout(state('needs_attention', { attention }), context)).toMatch(text);
  });

  test('names deadline, next rail, next read, attempts, ids and dropped signals', () => {
    const full = state('awaiting_wallet', {
      deadlineAt: Date.UTC(2026, 0, 1, 0, 1),
      instrument: { authorization: 'laa_1' },
    });
    const nextReadAt = Date.UTC(2026, 0, 1, 0, 0, 10);
    const text = explainCheckout(full, { ...context, nextReadAt, signals: { repeated: 2, invalid: 1 } });
    expect(text.split('\n')).toEqual([
      'Waiting for the caller to approve $49.00 in the Link wallet. Deadline: 2026-01-01T00:01:00Z. After a no or the deadline, the next rail is paymentLink.',
      'Stripe is read next at 2026-01-01T00:00:10Z, or when a webhook arrives.',
      '- linkWallet: open at 2026-01-01T00:00:00Z',
      'At the vendors: authorization laa_1.',
      '2 repeated event(s) ignored.',
      '1 signal(s) without a valid form ignored.',
    ]);
  });

  test('names the levers where nothing is proved, and nowhere else', () => {
    for (const status of Object.keys(words) as CheckoutStatus[]) {
      const told = explainCheckout(state(status), context);
      expect(/retry-now .* resolve /.test(told), status).toBe(status === 'needs_attention');
    }
  });

  test.each(['needs_attention', 'processing'] as const)(
    'names money that came by another payment: %s',
    (status) => {
      const waiting = state(status, { instrument: { paymentIntent: 'pi_own' } });
      const told = explainCheckout(waiting, { ...context, otherPayments: ['pi_1', 'pi_own', 'pi_2'] });
      expect(told).toContain("Money with this checkout's mark came by pi_1, pi_2:");
      expect(explainCheckout(waiting, { ...context, otherPayments: ['pi_own'] })).not.toContain(
        'mark came by',
      );
    },
  );

  test('of an end on the word of ops claims no proof', () => {
    const at = Date.UTC(2026, 0, 1);
    const resolution = { by: 'dana (key:ops)', note: 'seen', at };
    const told = explainCheckout(state('expired', { reason: 'no_response', resolution }), context);
    expect(told).toContain(
      'Ended expired (no_response) on the word of dana (key:ops) at 2026-01-01T00:00:00Z, not on a proof from Stripe: seen.',
    );
    expect(told).not.toContain('Nothing was charged');
  });

  test('says that no rail is left', () => {
    expect(explainCheckout(state('awaiting_link', { railsLeft: [] }), context)).toMatch(/no rail is left/);
  });

  test('shows no phone number and no e-mail address, wherever such stand in what it is given', () => {
    const given = { ...context, contact: { phone: '+15550123001', email: 'ada@example.com' } };
    for (const status of Object.keys(words) as CheckoutStatus[]) {
      const smuggled = { ...state(status), contact: given.contact };
      expect(explainCheckout(smuggled, given)).not.toMatch(/\+?1?5550123001|@/);
    }
  });
});
