import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allowedActions,
  applyFact,
  type CheckoutFact,
  type CheckoutState,
  type CheckoutStatus,
  confirmationNumber,
  endOf,
  isTerminal,
  type Reason,
  startingState,
  transitions,
} from '../../domain/checkout-state.js';
import type { Rail } from '../../domain/rails.js';

/** The table of the HTTP contract, section 3, written out. "The next rail" is the state in which a rail opens. */
const contract: Record<CheckoutStatus, readonly CheckoutStatus[]> = {
  starting: ['awaiting_wallet', 'charging', 'sending_link', 'failed'],
  awaiting_wallet: ['charging', 'closing'],
  charging: ['paid', 'processing', 'closing', 'needs_attention'],
  sending_link: ['awaiting_link', 'closing'],
  awaiting_link: ['paid', 'processing', 'closing'],
  processing: ['paid', 'closing'],
  closing: [
    ...(['paid', 'awaiting_wallet', 'sending_link'] as const),
    ...(['declined', 'expired', 'canceled', 'failed', 'needs_attention'] as const),
  ],
  // "Whatever Stripe proves": money, money under way, an approval to charge, or something to shut.
  needs_attention: ['paid', 'processing', 'charging', 'closing'],
  paid: [],
  declined: [],
  expired: [],
  canceled: [],
  failed: [],
};

/** The four edges the contract's table lacks, with the reasons the domain gives. */
const extra: readonly (readonly [from: CheckoutStatus, to: CheckoutStatus, why: string])[] = [
  ['starting', 'canceled', 'a cancel before anything was opened'],
  ['starting', 'needs_attention', 'an opening whose outcome stays unknown'],
  ['closing', 'charging', 'it turns out to have been approved while being shut'],
  ['closing', 'processing', 'it turns out to have money under way while being shut'],
];

const statuses = Object.keys(contract) as CheckoutStatus[];
const reasons: readonly Reason[] = [
  'declined',
  'needs_authentication',
  'no_response',
  'unreachable',
  'over_limit',
  'undeliverable',
  'switched',
  'canceled',
];
const rails: readonly Rail[] = ['linkWallet', 'paymentLink'];

const reason = fc.constantFrom(...reasons);
const rail = fc.constantFrom(...rails);
const paymentIntent = fc.constantFrom('pi_1', 'pi_2');
const deadlineAt = fc.constant(99_000);
const type = <T extends CheckoutFact['type']>(name: T) => fc.constant(name);
const fact: fc.Arbitrary<CheckoutFact> = fc.oneof(
  fc.record({ type: type('rail_skipped'), rail, reason }),
  fc.record({ type: type('rail_unavailable'), rail, reason }),
  fc.record({ type: type('wallet_asked'), authorization: fc.constant('laa_1'), deadlineAt }),
  fc.record({ type: type('wallet_approved') }),
  fc.record({ type: type('charge_created'), paymentIntent }),
  fc.record({ type: type('link_opened'), session: fc.constant('cs_1') }),
  fc.record({ type: type('link_sent'), message: fc.constant('SM1'), deadlineAt }),
  fc.record({ type: type('payment_declined'), reason }),
  fc.record({ type: type('payment_processing'), paymentIntent }),
  fc.record({ type: type('closing'), reason }),
  fc.record({ type: type('rail_closed'), reason }),
  fc.record({ type: type('attention_needed'), cause: fc.constant('outcome_unknown' as const) }),
  fc.record({ type: type('resolved'), by: fc.constant('key:ops') }),
  fc.record({
    type: type('paid'),
    paymentIntent,
    amount: fc.constant(4900),
    confirmationNumber: fc.constant('8472'),
  }),
  fc.record({ type: type('ended'), reason }),
);
const facts = fc.array(fact, { maxLength: 40 });

type Step = { before: CheckoutState; fact: CheckoutFact; after: CheckoutState };

function walk(all: readonly CheckoutFact[]): Step[] {
  let state = startingState(rails, 1_000);
  return all.map((one, index) => {
    const before = state;
    state = applyFact(before, one, 2_000 + index);
    return { before, fact: one, after: state };
  });
}

/** Runs the check on every step of many random histories. */
const always = (check: (step: Step) => void) =>
  fc.assert(
    fc.property(facts, (all) => walk(all).forEach(check)),
    { numRuns: 2_000 },
  );

describe('the transition table', () => {
  test.each(statuses)('leads from %s where the contract says, and over the documented edges', (from) => {
    const added = extra.filter(([start]) => start === from).map(([, to]) => to);
    expect([...transitions[from]].sort()).toEqual([...contract[from], ...added].sort());
  });

  test.each(['paid', 'declined', 'expired', 'canceled', 'failed'] as const)('%s is terminal', (status) => {
    expect(isTerminal(status)).toBe(true);
  });

  test.each([
    ['declined', 'declined'],
    ['needs_authentication', 'declined'],
    ['no_response', 'expired'],
    ['canceled', 'canceled'],
    ['unreachable', 'failed'],
    ['over_limit', 'failed'],
    ['undeliverable', 'failed'],
    ['switched', 'failed'],
  ] as const)('a last rail that ended with %s makes the checkout %s', (why, status) => {
    expect(endOf(why)).toBe(status);
  });
});

describe('whatever facts come in whatever order', () => {
  test('a terminal state is never left', () => {
    always(({ before, after }) => {
      if (isTerminal(before.status)) expect(after).toBe(before);
    });
  });

  test('the state moves only along the table', () => {
    always(({ before, after }) => {
      if (after.status !== before.status) expect(transitions[before.status]).toContain(after.status);
    });
  });

  test('the version grows by exactly one, or the state stays the very same object', () => {
    always(({ before, after }) => {
      if (after !== before) expect(after.version).toBe(before.version + 1);
    });
  });

  test('a state that was published is never changed afterwards', () => {
    fc.assert(
      fc.property(facts, (all) => {
        const published = walk(all).map(({ after }) => [after, JSON.stringify(after)] as const);
        for (const [state, text] of published) expect(JSON.stringify(state)).toBe(text);
      }),
    );
  });

  test('at most one attempt is open', () => {
    always(({ after }) => {
      expect(after.attempts.filter(({ state }) => state === 'open').length).toBeLessThanOrEqual(1);
    });
  });

  test('only a payment makes it paid, with its amount and confirmation number', () => {
    always(({ before, fact: one, after }) => {
      if (after.status !== 'paid') expect(after.amountCaptured).toBe(0);
      if (after.status !== 'paid' || before.status === 'paid') return;
      expect(one.type).toBe('paid');
      expect(after).toMatchObject({ amountCaptured: 4900, confirmationNumber: '8472' });
    });
  });

  test('the word of ops counts only where nothing is proved, leaves no rail and names who gave it', () => {
    always(({ before, fact: one, after }) => {
      if (one.type !== 'resolved') return expect(after.resolution).toEqual(before.resolution);
      if (before.status !== 'needs_attention') return expect(after).toBe(before);
      expect(after).toMatchObject({
        status: 'closing',
        railsLeft: [],
        resolution: { by: 'key:ops' },
        amountCaptured: 0,
      });
      expect(after.events.at(-1)).toMatchObject({ type: 'resolved', by: 'key:ops' });
    });
  });

  test('the rails left only become fewer', () => {
    always(({ before, after }) => {
      expect(after.railsLeft).toEqual(before.railsLeft.filter((one) => after.railsLeft.includes(one)));
    });
  });

  test('the same fact twice in a row changes nothing the second time', () => {
    const silent: readonly CheckoutFact['type'][] = ['payment_declined', 'rail_skipped', 'rail_unavailable'];
    always(({ after, fact: one }) => {
      if (!silent.includes(one.type)) expect(applyFact(after, one, 9_000).attempts).toEqual(after.attempts);
    });
  });

  test('a cause for attention stands only where attention is needed', () => {
    always(({ after }) => {
      expect(after.attention !== undefined).toBe(after.status === 'needs_attention');
    });
  });
});

describe('a caller who ignores the wallet and pays by link', () => {
  const story: CheckoutFact[] = [
    { type: 'wallet_asked', authorization: 'laa_1', deadlineAt: 60_000 },
    { type: 'closing', reason: 'no_response' },
    { type: 'rail_closed', reason: 'no_response' },
    { type: 'link_opened', session: 'cs_1' },
    { type: 'link_sent', message: 'SM1', deadlineAt: 90_000 },
    { type: 'payment_declined', reason: 'declined' },
    { type: 'paid', paymentIntent: 'pi_1', amount: 4900, confirmationNumber: '8472' },
  ];
  const states = walk(story).map(({ after }) => after);

  test('goes through the states of the contract', () => {
    expect(states.map(({ status }) => status)).toEqual([
      ...(['awaiting_wallet', 'closing', 'closing', 'sending_link', 'awaiting_link'] as const),
      ...(['awaiting_link', 'paid'] as const),
    ]);
    expect(states.map(({ version }) => version)).toEqual([2, 3, 4, 5, 6, 7, 8]);
  });

  test('ends with both attempts on record and the ids of what was opened', () => {
    expect(states.at(-1)).toMatchObject({
      attempts: [
        { rail: 'linkWallet', state: 'ended', reason: 'no_response' },
        { rail: 'paymentLink', state: 'paid' },
      ],
      railsLeft: [],
      instrument: { authorization: 'laa_1', session: 'cs_1', message: 'SM1', paymentIntent: 'pi_1' },
    });
    expect(states.at(-1)).not.toHaveProperty('deadlineAt');
  });

  test('may cancel and switch while it waits, and neither when it is paid', () => {
    expect(states.map(allowedActions)).toEqual([
      ['cancel', 'rail:paymentLink'],
      ['cancel'],
      ['cancel'],
      ['cancel'],
      ['cancel'],
      ['cancel'],
      [],
    ]);
  });
});

test('a confirmation number has four digits and is the same each time', () => {
  fc.assert(
    fc.property(fc.string(), (id) => {
      expect(confirmationNumber(id)).toMatch(/^[1-9]\d{3}$/);
      expect(confirmationNumber(id)).toBe(confirmationNumber(id));
    }),
  );
});
