import { describe, expect, test } from 'vitest';
import { explainReconciliation } from '../../domain/explain-reconciliation.js';
import type { CheckoutStatus } from '../../domain/checkout-state.js';
import {
  isCheckoutOverdue,
  isRefundStuck,
  isWalletUnanswered,
  judgeApproval,
  judgeLateRefund,
  judgeOpenPage,
  judgePayment,
  judgeRefund,
  judgeRefundRun,
  type PaymentFacts,
  resumeAt,
  type RunFacts,
  type Verdict,
  windowStart,
} from '../../domain/reconcile.js';
import { type RefundStatus, refundTransitions } from '../../domain/refund-state.js';

const day = 86_400_000;
const short = (verdict: Verdict | undefined) => verdict && `${verdict.kind} ${verdict.repair}`;

const waits: RunFacts = { run: 'open', status: 'awaiting_link' };
const moving: RunFacts = { run: 'open', status: 'processing', paymentIntent: 'pi_1' };
const own: RunFacts = { run: 'ended', paidBy: 'pi_1' };
const unpaid: RunFacts = { run: 'ended' };
const other: RunFacts = { run: 'ended', paidBy: 'pi_2' };
const broken: RunFacts = { run: 'broken' };
const gone: RunFacts = { run: 'gone' };

describe('a payment', () => {
  const wake = 'payment_not_noticed wake_checkout';
  const restore = 'payment_without_run restore_checkout';
  const report = 'payment_unmatched report_late_payment';
  const cancel = 'live_payment cancel_payment';

  test.each<[string, PaymentFacts['payment'], RunFacts, Partial<PaymentFacts>, string | undefined]>([
    ['that can no longer be paid', 'dead', gone, {}, undefined],
    ['that an open run may yet use', 'live', waits, {}, undefined],
    ['left by a stopped run', 'live', broken, {}, 'checkout_stopped restore_checkout'],
    ['left by a run that ended', 'live', unpaid, {}, cancel],
    ['left beside the one that was paid', 'live', other, {}, cancel],
    ['of a run that is gone', 'live', gone, {}, cancel],
    ['its open run does not know of', 'paid', waits, {}, wake],
    ['under way that its open run does not know of', 'processing', waits, {}, wake],
    ['under way that its open run waits for', 'processing', moving, {}, undefined],
    ['that has succeeded since', 'paid', moving, {}, wake],
    ['its run is just ending with', 'paid', { ...moving, status: 'paid' }, {}, undefined],
    ['beside the own one of an open run', 'paid', { ...moving, paymentIntent: 'pi_2' }, {}, wake],
    ['beside the own one, told', 'paid', { ...moving, paymentIntent: 'pi_2' }, { told: true }, undefined],
    ['under way too, told', 'processing', { ...moving, paymentIntent: 'pi_2' }, { told: true }, undefined],
    ['that has succeeded since, told', 'paid', moving, { told: true }, wake],
    ['that is told of, and may be what its run waits for', 'paid', waits, { told: true }, wake],
    ['that an open run has nothing of any more', 'paid', waits, { refunded: true }, undefined],
    ['of a stopped run', 'paid', broken, {}, restore],
    ['under way of a stopped run', 'processing', broken, {}, restore],
    ['of a stopped run, given back', 'paid', broken, { refunded: true }, restore],
    ['of a run that is gone', 'paid', gone, {}, restore],
    ['of a run that is gone, given back', 'paid', gone, { refunded: true }, restore],
    [
      'of a run that is gone, given back as late',
      'paid',
      gone,
      { refunded: true, refundedFor: 'late' },
      undefined,
    ],
    ['of a run that is gone, asked back', 'paid', gone, { refunded: true, refundedFor: 'request' }, restore],
    [
      'of a run that is gone, given back by hand',
      'paid',
      gone,
      { refunded: true, refundedFor: 'hand' },
      undefined,
    ],
    [
      'of a run that is gone, given back by hand, and no other was paid',
      'paid',
      gone,
      { refunded: true, refundedFor: 'hand', lastly: true },
      restore,
    ],
    ['of a run that is gone, 30 days old', 'paid', gone, { ageMs: 30 * day }, restore],
    ['of a run that may have left Temporal', 'paid', gone, { ageMs: 30 * day + 1 }, undefined],
    ['of a run that may have left Temporal, and live', 'live', gone, { ageMs: 31 * day }, cancel],
    ['the checkout was paid with', 'paid', own, {}, undefined],
    ['the checkout was paid with, given back', 'paid', own, { refunded: true }, undefined],
    ['after an end without money', 'paid', unpaid, {}, report],
    ['after an end with other money', 'paid', other, {}, report],
    ['after the end, given back by somebody', 'paid', other, { refunded: true }, undefined],
    ['after the end, whose run ended without a word', 'paid', other, { late: { open: false } }, report],
    ['after the end, under way, nobody waits', 'processing', unpaid, {}, report],
    ['after the end, under way, waited for', 'processing', unpaid, { late: { open: true } }, undefined],
    ['honoured', 'paid', unpaid, { late: { open: true, status: 'honoured' } }, undefined],
    ['being given back', 'paid', unpaid, { late: { open: true, status: 'refunding' } }, undefined],
    [
      'given back by a refund that is under way',
      'paid',
      unpaid,
      { refunded: true, late: { open: true, status: 'refunding', ageMs: 3_600_000 } },
      undefined,
    ],
    [
      'whose way back does not begin',
      'paid',
      unpaid,
      { late: { open: true, status: 'refunding', ageMs: 3_600_000 } },
      'late_payment_needs_attention none',
    ],
    [
      'given back by hand, and with us again',
      'paid',
      unpaid,
      { late: { open: true, status: 'refunded' } },
      report,
    ],
    [
      'given back by a refund of ours, and with us again',
      'paid',
      unpaid,
      { late: { open: true, status: 'refunded', ownRefund: true } },
      undefined,
    ],
    [
      'given back by a refund of ours that nobody follows any more, and with us again',
      'paid',
      unpaid,
      { late: { open: false, status: 'refunded', ownRefund: true } },
      report,
    ],
    ['whose way back was stopped', 'paid', unpaid, { late: { open: false, status: 'refunding' } }, report],
    ['returned', 'paid', unpaid, { refunded: true, late: { open: true, status: 'refunded' } }, undefined],
    [
      'that a person must look at',
      'paid',
      unpaid,
      { late: { open: true, status: 'needs_attention' } },
      'late_payment_needs_attention none',
    ],
    [
      'that a person has given back',
      'paid',
      unpaid,
      { refunded: true, late: { open: true, status: 'needs_attention' } },
      'late_payment_needs_attention report_late_payment',
    ],
  ])('%s', (_what, payment, run, more, expected) => {
    const facts = {
      paymentIntent: 'pi_1',
      payment,
      run,
      refunded: false,
      ageMs: 0,
      lastly: false,
      told: false,
      ...more,
    };
    expect(short(judgePayment(facts))).toBe(expected);
  });
});

describe('what takes too long', () => {
  test.each<[CheckoutStatus, number, boolean]>([
    ['awaiting_link', 3 * day - 1, false],
    ['awaiting_link', 3 * day, true],
    ['processing', 21 * day - 1, false],
    ['processing', 21 * day, true],
    ['needs_attention', 90 * day, false],
  ])('a checkout %s for %d ms: %s', (status, ageMs, expected) => {
    expect(isCheckoutOverdue(status, ageMs)).toBe(expected);
  });

  test.each<[RefundStatus, number, boolean]>([
    ['needs_attention', 119_999, false],
    ['needs_attention', 120_000, true],
    ['submitting', day / 24 - 1, false],
    ['submitting', day / 24, true],
    ['submitted', 21 * day - 1, false],
    ['submitted', 21 * day, true],
    ['awaiting_approval', 90 * day, false],
  ])('a refund %s for %d ms: %s', (status, ageMs, expected) => {
    expect(isRefundStuck(status, ageMs, 120_000)).toBe(expected);
  });
});

describe('an open page', () => {
  const shut = 'live_page expire_page';
  test.each<[string, RunFacts, boolean, string | undefined]>([
    ['of its open run', { ...waits, session: 'cs_1' }, false, undefined],
    ['beside that of the open run', { ...waits, session: 'cs_2' }, false, shut],
    ['that an open run may be about to learn of', waits, true, undefined],
    ['of a stopped run', broken, true, 'checkout_stopped restore_checkout'],
    ['of a checkout that is over', own, true, shut],
    ['of a run that is gone', gone, true, shut],
  ])('%s', (_what, run, settling, expected) => {
    expect(short(judgeOpenPage('cs_1', run, settling))).toBe(expected);
  });
});

describe('a wallet request whose id is not known', () => {
  const attempt = (at: number) => ({ rail: 'paymentLink', state: 'open', at }) as const;

  test.each([
    ['is unanswered when nothing was tried since', [], true],
    ['is unanswered when only what was passed over before it is older', [attempt(10), attempt(9)], true],
    ['was settled when another rail was tried after it', [attempt(9), attempt(11)], false],
  ])('%s', (_name, attempts, expected) => {
    expect(isWalletUnanswered({ attempts }, 10)).toBe(expected);
  });
});

describe('an answered wallet request', () => {
  const asked: RunFacts = { run: 'open', status: 'awaiting_wallet', authorization: 'la_1' };
  const wake = 'approval_not_noticed wake_checkout';
  test.each<[string, RunFacts, 'approved' | 'declined' | 'other', string | undefined]>([
    ['its run still waits for', asked, 'approved', wake],
    ['its run still waits for, a no', asked, 'declined', wake],
    ['not answered at all', asked, 'other', undefined],
    ['of an earlier request', { ...asked, authorization: 'la_2' }, 'approved', undefined],
    ['whose id was lost', { run: 'open', status: 'needs_attention' }, 'approved', wake],
    ['that is being charged', { ...asked, status: 'charging' }, 'approved', undefined],
    ['of a stopped run', broken, 'approved', 'checkout_stopped restore_checkout'],
    ['of a run that ended', own, 'approved', undefined],
  ])('%s', (_what, run, approval, expected) => {
    expect(short(judgeApproval('la_1', run, approval))).toBe(expected);
  });
});

describe('a refund', () => {
  const wake = 'refund_not_noticed wake_refund';
  const restore = 'refund_stopped restore_refund';
  test.each<[Parameters<typeof judgeRefund>[0], Parameters<typeof judgeRefund>[1], string | undefined]>([
    ['pending', { run: 'open', status: 'submitted' }, undefined],
    ['pending', { run: 'open', status: 'submitting' }, wake],
    ['succeeded', { run: 'open', status: 'submitted' }, wake],
    ['succeeded', { run: 'open', status: 'needs_attention' }, wake],
    ['succeeded', { run: 'open', status: 'refunded' }, undefined],
    ['failed', { run: 'open', status: 'refunded' }, wake],
    ['failed', { run: 'ended', status: 'refunded' }, 'refund_needs_attention none'],
    ['succeeded', { run: 'ended', status: 'refunded' }, undefined],
    ['failed', { run: 'ended', status: 'failed' }, undefined],
    ['pending', { run: 'broken', status: 'submitted' }, restore],
    ['succeeded', { run: 'broken', status: 'submitting' }, restore],
    ['succeeded', { run: 'broken', status: 'refunded' }, restore],
    ['failed', { run: 'broken', status: 'refunded' }, restore],
    ['failed', { run: 'broken', status: 'failed' }, undefined],
    ['succeeded', { run: 'broken', status: 'denied' }, 'refund_needs_attention none'],
    ['succeeded', { run: 'gone' }, 'refund_without_run restore_refund'],
  ])('that %s at Stripe, with a run that says %j', (atStripe, run, expected) => {
    expect(short(judgeRefund(atStripe, run))).toBe(expected);
  });

  test('whose run was stopped goes on wherever something can still come, whether or not Stripe has it', () => {
    const statuses = Object.keys(refundTransitions) as RefundStatus[];
    const restored = statuses.filter((status) => judgeRefundRun({ run: 'broken', status }) !== undefined);
    expect(restored).toEqual(['awaiting_approval', 'submitting', 'submitted', 'needs_attention', 'refunded']);
    for (const status of statuses) {
      expect(judgeRefundRun({ run: 'open', status })).toBeUndefined();
      expect(judgeRefundRun({ run: 'ended', status })).toBeUndefined();
    }
    expect(judgeRefundRun({ run: 'gone' })).toBeUndefined();
  });

  const report = 'refund_not_noticed report_late_payment';
  test.each<
    [Parameters<typeof judgeLateRefund>[0], Parameters<typeof judgeLateRefund>[1], string | undefined]
  >([
    ['failed', { open: false }, report],
    ['succeeded', { open: false }, report],
    ['pending', { open: true }, report],
    ['pending', undefined, undefined],
    ['succeeded', undefined, undefined],
    ['pending', { open: true, status: 'refunding' }, undefined],
    ['succeeded', { open: true, status: 'refunding' }, wake],
    ['succeeded', { open: true, status: 'refunded' }, undefined],
    ['failed', { open: true, status: 'refunded' }, wake],
    ['failed', { open: false, status: 'refunded' }, report],
    ['failed', { open: true, status: 'needs_attention' }, undefined],
    ['failed', undefined, report],
  ])('of late money that %s at Stripe, with a run that says %j', (atStripe, late, expected) => {
    expect(short(judgeLateRefund(atStripe, late, false))).toBe(expected);
  });

  test('of late money that failed at Stripe is no news where a person has given it back since', () => {
    expect(judgeLateRefund('failed', undefined, true)).toBeUndefined();
    expect(judgeLateRefund('failed', { open: true }, true)).toBeUndefined();
    expect(judgeLateRefund('failed', { open: true, status: 'refunded' }, true)).toBeUndefined();
  });
});

describe('the time that is looked at', () => {
  const minute = 60_000;
  const day = 24 * 60 * minute;
  const now = 100 * day;

  test('goes on ten minutes before the end of the last time, is a day without one, or what is asked for', () => {
    expect(windowStart(now, { resumeAt: now - 5 * minute })).toBe(now - 15 * minute);
    expect(windowStart(now, {})).toBe(now - day);
    expect(windowStart(now, { since: 7, resumeAt: now })).toBe(7);
  });

  test('is looked at again for a day while something in it is not repaired', () => {
    const window = { from: now - 15 * minute, until: now };
    expect(resumeAt(window, false)).toBe(now);
    expect(windowStart(now, { resumeAt: resumeAt(window, true) })).toBe(window.from);
    expect(resumeAt({ from: now - 3 * day, until: now }, true)).toBe(now - day);
    expect(resumeAt({ from: now - minute, until: now }, true)).toBe(now);
  });
});

test('ops read in plain English what was compared and what came of it', () => {
  const progress = {
    source: 'payments',
    from: Date.UTC(2030, 0, 1),
    until: Date.UTC(2030, 0, 2),
    examined: { pages: 2, checkouts_open: 1 },
    repaired: 1,
    reported: 0,
    differences: [{ kind: 'live_page', object: 'cs_1', outcome: 'repaired', detail: 'open: it was shut' }],
  };
  expect(explainReconciliation(progress)).toBe(
    [
      "Compares what Stripe and Temporal know of this tenant's money, from 2030-01-01T00:00:00Z to 2030-01-02T00:00:00Z.",
      'It is done.',
      'Looked at: 2 pages, 1 checkouts open.',
      'Repaired: 1. To be looked at by a person: 0.',
      '- repaired: live page, cs_1 (open: it was shut)',
    ].join('\n'),
  );
  const underWay = explainReconciliation({ ...progress, repaired: 0, differences: [] }, progress.until);
  expect(underWay).toContain('Now: payments (2030-01-02T00:00:00Z).');
  expect(underWay).toContain('No difference so far.');
});
