import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Asked, explainRefund } from '../../domain/explain-refund.js';
import {
  applyRefundFact,
  isRefundOver,
  owedRefund,
  type RefundFact,
  requestedState,
  type RefundState,
  type RefundStatus,
  refundTransitions,
} from '../../domain/refund-state.js';
import { maxSayLength, sayRefund, withFailedRefund } from '../../domain/say.js';

/** The table of the HTTP contract, section 4, written down a second time, and what a reset run finds at Stripe. */
const contract: Record<RefundStatus, readonly RefundStatus[]> = {
  awaiting_approval: ['submitting', 'submitted', 'denied', 'approval_expired'],
  submitting: ['submitted', 'rejected', 'needs_attention'],
  submitted: ['refunded', 'failed'],
  needs_attention: ['submitted', 'refunded', 'failed', 'rejected'],
  refunded: ['failed'],
  rejected: [],
  failed: [],
  denied: [],
  approval_expired: [],
};
const terminal: readonly RefundStatus[] = ['refunded', 'rejected', 'failed', 'denied', 'approval_expired'];
const statuses = Object.keys(contract) as RefundStatus[];
const decision = { decidedBy: 'key:boss', decidedAt: 5 };
const facts: RefundFact[] = [
  { type: 'approved', decision: 'approved', ...decision },
  { type: 'denied', decision: 'denied', ...decision, note: 'no' },
  { type: 'approval_expired' },
  { type: 'escalated', tier: 2 },
  { type: 'submitted', refund: 're_1' },
  { type: 'refunded' },
  { type: 'rejected', failureReason: 'charge_disputed' },
  { type: 'failed', failureReason: 'lost_or_stolen_card' },
  { type: 'attention_needed', failureReason: 'outcome_unknown' },
];
const held = requestedState(1, { requiredBecause: 'payment_total', expiresAt: 1_000 });
const stateIn = (status: RefundStatus): RefundState => ({ ...held, status });
const target = (fact: RefundFact): RefundStatus | undefined => {
  if (fact.type === 'approved') return 'submitting';
  if (fact.type === 'attention_needed') return 'needs_attention';
  return fact.type === 'escalated' ? undefined : fact.type;
};

describe('a refund', () => {
  test('has the transitions of the contract', () => {
    expect(refundTransitions).toEqual(contract);
    expect(statuses.filter(isRefundOver)).toEqual(expect.arrayContaining([...terminal]));
    expect(statuses.filter(isRefundOver)).toHaveLength(terminal.length);
  });

  test('begins with a person or without', () => {
    expect(held).toMatchObject({ version: 1, status: 'awaiting_approval', approval: { tier: 1 } });
    expect(requestedState(1)).toEqual({
      version: 1,
      status: 'submitting',
      event: { type: 'requested', at: 1 },
    });
  });

  test.each(statuses)('goes from %s only where the contract leads, one version at a time', (status) => {
    for (const fact of facts) {
      const before = stateIn(status);
      const after = applyRefundFact(before, fact, 9);
      const to = target(fact);
      const lawful = to ? contract[status].includes(to) : status === 'awaiting_approval';
      if (!lawful) expect(after, fact.type).toBe(before);
      else {
        expect(after).toMatchObject({ version: before.version + 1, status: to ?? status });
        expect(after.event).toEqual({ type: fact.type, at: 9 });
      }
    }
  });

  test('never leaves a terminal state but from refunded to failed, whatever it learns', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...facts)), fc.boolean(), (story, automatic) => {
        let state = automatic ? requestedState(1) : held;
        let foundMade = false;
        for (const fact of story) {
          const next = applyRefundFact(state, fact, 2);
          expect(next.version).toBe(state.version + (next === state ? 0 : 1));
          if (isRefundOver(state.status) && next !== state) {
            expect([state.status, next.status]).toEqual(['refunded', 'failed']);
          }
          foundMade ||= state.status === 'awaiting_approval' && next.status === 'submitted';
          state = next;
        }
        // One decision at most, and none that was not asked for.
        if (automatic) expect(state.approval).toBeUndefined();
        const went = ['submitting', 'submitted', 'refunded', 'rejected', 'failed', 'needs_attention'];
        if (!automatic && !foundMade && went.includes(state.status))
          expect(state.approval?.decision).toBe('approved');
      }),
    );
  });

  test('keeps the decision, Stripe’s id and why it failed', () => {
    const story = [facts[0]!, facts[8]!, facts[4]!, facts[5]!, facts[7]!];
    const end = story.reduce((state, fact) => applyRefundFact(state, fact, 3), held);
    expect(end).toEqual({
      version: 6,
      status: 'failed',
      event: { type: 'failed', at: 3 },
      approval: { ...held.approval, decision: 'approved', ...decision },
      refund: 're_1',
      failureReason: 'lost_or_stolen_card',
    });
  });
});

const money = { amount: 2_000, currency: 'usd' };

describe('what is said of a refund', () => {
  const said = (status: RefundStatus) =>
    sayRefund(status, { money, description: 'Growth plan', locale: 'en-US' });

  test.each<[RefundStatus, string]>([
    ['awaiting_approval', 'A colleague must approve this refund.'],
    ['submitted', 'The refund has been submitted.'],
    ['refunded', 'Your refund of $20.00 is on its way to your card.'],
  ])('in %s is the sentence of the contract', (status, sentence) => {
    expect(said(status)).toBe(sentence);
  });

  test.each(statuses)('in %s is speakable, and promises money only where it is on its way', (status) => {
    const sentence = said(status);
    expect(sentence.length).toBeLessThanOrEqual(maxSayLength);
    expect(sentence).toMatch(/^[A-Z'’].*[.?]$/);
    expect(sentence).not.toMatch(/rf_|re_|pi_|_|\d{4,}/);
    expect(sentence.includes('on its way')).toBe(status === 'refunded');
    expect(new Set(statuses.map(said)).size).toBe(statuses.length);
  });

  test('may be in the tenant’s words', () => {
    const wording = { de: { refund_refunded: '{amount} sind unterwegs.' } } as const;
    expect(sayRefund('refunded', { money, description: '', locale: 'de-DE', wording })).toBe(
      '20,00\u00a0$ sind unterwegs.',
    );
  });
});

describe('what ops are told of a refund', () => {
  const context = {
    money,
    description: 'Growth plan',
    requestedBy: 'key:agent',
    refusedDecisions: [],
    signals: { repeated: 0, invalid: 0 },
  };
  const told = (state: RefundState, more: object = {}) => explainRefund(state, { ...context, ...more });

  test('while a person must decide: what, by whom, why, until when', () => {
    expect(told(held)).toBe(
      [
        "A person must approve giving back $20.00 (Growth plan), asked for by key:agent: the refunds of this payment together pass the tenant's threshold.",
        'Tier 1 is to decide. Without a decision it ends at 1970-01-01T00:00:01Z.',
      ].join('\n'),
    );
  });

  test('says of each approver whether a message reached them', () => {
    const asked = new Map<string, Asked>([
      ['dana', 'email'],
      ['omar', 'nothing'],
      ['ann', 'sms'],
      ['bob', 'trying'],
      ['eve', 'email'],
    ]);
    expect(told(held, { asked })).toContain(
      'Tier 1 is to decide. Told by e-mail: dana, eve. Told by SMS: ann. Being told: bob. Could not be told: omar. Without',
    );
  });

  test('includes what was tried and when Stripe is read next', () => {
    const lines = told(held, {
      refusedDecisions: ['not signed', 'by who asked for it'],
      signals: { repeated: 3, invalid: 2 },
      nextReadAt: 2_500,
    }).split('\n');
    expect(lines.slice(2)).toEqual([
      'Stripe is read next at 1970-01-01T00:00:02.500Z.',
      'A decision was tried and not valid: not signed.',
      'A decision was tried and not valid: by who asked for it.',
      '2 signal(s) without a valid form ignored.',
    ]);
  });

  test.each(statuses)('in %s says so in a sentence of its own, with the sum', (status) => {
    const [first = ''] = told({ ...stateIn(status), failureReason: 'lost' }).split('\n');
    expect(first).toMatch(/\$20\.00.*\.$/);
    const others = statuses.filter((other) => other !== status);
    for (const other of others) expect(told(stateIn(other))).not.toContain(first);
  });

  test('names the decision and Stripe’s refund', () => {
    const state = [facts[0]!, facts[4]!].reduce((at, fact) => applyRefundFact(at, fact, 3), held);
    expect(told(state)).toContain('Decision: approved by key:boss at 1970-01-01T00:00:00.005Z.');
    expect(told(state)).toContain('At Stripe: re_1.');
  });
});

describe('a refund whose money is owed again', () => {
  const asked = (at: number, status: RefundState['status'], since = at) => ({
    at,
    state: { version: 1, status, event: { type: 'requested', at: since } } satisfies RefundState,
  });

  test.for<[string, ReturnType<typeof asked>[], number | undefined]>([
    ['is none', [], undefined],
    ['is none that was made', [asked(1, 'refunded')], undefined],
    ['is none that was refused', [asked(1, 'rejected'), asked(2, 'denied')], undefined],
    ['is the one that failed', [asked(1, 'refunded'), asked(2, 'failed', 9)], 2],
    ['is the one that failed after a later one was made', [asked(1, 'failed', 9), asked(2, 'refunded')], 1],
    ['is the newest of two', [asked(1, 'failed', 9), asked(2, 'failed', 8)], 2],
    ['is not one that was asked for anew', [asked(1, 'failed', 5), asked(6, 'awaiting_approval')], undefined],
    ['is one that was asked for anew in vain', [asked(1, 'failed', 5), asked(6, 'denied')], 1],
  ])('%s', ([, refunds, at]) => {
    expect(owedRefund(refunds)?.at).toBe(at);
  });

  test('is said behind the payment’s sentence, or alone where both are too long', () => {
    const sentence = {
      money: { amount: 2_000, currency: 'usd' },
      description: 'Growth plan',
      locale: 'en-US',
    };
    const news = 'The refund of $20.00 did not go through. A colleague will look into it.';
    expect(withFailedRefund('Paid.', sentence)).toBe(`Paid. ${news}`);
    expect(withFailedRefund('x'.repeat(150), sentence)).toBe(news);
  });
});
