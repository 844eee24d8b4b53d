import { describe, expect, test } from 'vitest';
import { renderCheckout } from '../../api/checkouts/resource.js';
import { renderRefund } from '../../api/refunds/resource.js';
import type { CheckoutSummary } from '../../contracts/checkout.js';
import type { RefundMemo } from '../../contracts/refund.js';
import { eventIdOf, webhookMessageId } from '../../contracts/tenant-event.js';
import { applyFact, type CheckoutFact, startingState } from '../../domain/checkout-state.js';
import { applyRefundFact, type RefundFact, requestedState } from '../../domain/refund-state.js';
import { checkoutEvent, refundEvent } from '../../domain/tenant-event.js';
import { acme } from '../support/test-tenants.js';

const at = Date.UTC(2026, 0, 2, 3, 4, 5);

const checkout: CheckoutSummary = {
  checkoutId: 'co_0a_1',
  quoteId: 'qt_1',
  callId: 'call_1',
  customerKey: 'cu_1',
  amount: 4_900,
  currency: 'usd',
  description: 'Growth plan of +15550100100',
  livemode: false,
  locale: 'en-US',
  startedBy: 'request',
};

const opened: CheckoutFact = { type: 'wallet_asked', authorization: 'laa_1', deadlineAt: at };
const closed = (reason: 'declined' | 'no_response' | 'canceled' | 'unreachable'): CheckoutFact[] => [
  opened,
  { type: 'closing', reason },
  { type: 'rail_closed', reason },
  { type: 'ended', reason },
];
const paid: CheckoutFact[] = [
  opened,
  { type: 'wallet_approved' },
  { type: 'paid', paymentIntent: 'pi_1', amount: 4_900, confirmationNumber: '8472' },
];

const checkoutAfter = (facts: readonly CheckoutFact[]) =>
  facts.reduce((state, fact) => applyFact(state, fact, at), startingState(['linkWallet'], at));

describe('the event of a checkout', () => {
  test.each([
    ['checkout.paid', paid],
    ['checkout.declined', closed('declined')],
    ['checkout.expired', closed('no_response')],
    ['checkout.canceled', closed('canceled')],
    ['checkout.failed', closed('unreachable')],
  ])('is %s, with what the API shows', (type, facts) => {
    const state = checkoutAfter(facts);
    const told = checkoutEvent(checkout, state, at);
    expect(told).toMatchObject({
      eventId: `co_0a_1.${type}`,
      event: { type, timestamp: '2026-01-02T03:04:05.000Z' },
    });
    expect(renderCheckout({ checkout, state }, acme)).toMatchObject(told?.event.data ?? {});
    expect(JSON.stringify(told)).not.toContain('5550100');
  });

  test('says how much was paid and the number that was read out', () => {
    expect(checkoutEvent(checkout, checkoutAfter(paid), at)?.event.data).toEqual({
      checkout_id: 'co_0a_1',
      quote_id: 'qt_1',
      state: 'paid',
      terminal: true,
      version: 4,
      livemode: false,
      rail: 'linkWallet',
      amount: 4_900,
      currency: 'usd',
      amount_captured: 4_900,
      amount_refunded: 0,
      confirmation_number: '8472',
    });
  });

  test('is none before the end', () => {
    expect(checkoutEvent(checkout, checkoutAfter([opened]), at)).toBeUndefined();
  });
});

const refund: RefundMemo['refund'] = {
  refundId: 'rf_0b',
  checkoutId: 'co_0a_1',
  paymentIntent: 'pi_1',
  amount: 8_000,
  currency: 'usd',
  reason: 'requested_by_customer',
  description: 'Growth plan',
  locale: 'en-US',
  livemode: false,
  requestHash: 'ab'.repeat(32),
  requestedBy: 'key:agent',
  requestId: 'request',
  words: 'I am +15550100100',
};

const held = requestedState(at, { requiredBecause: 'payment_total', expiresAt: at + 60_000 });
const decision = { decidedBy: 'person:dana', decidedAt: at, note: 'She is +15550100100' };
const approved: RefundFact = { type: 'approved', decision: 'approved', ...decision };
const denied: RefundFact = { type: 'denied', decision: 'denied', ...decision };
const submitted: RefundFact = { type: 'submitted', refund: 're_1' };

const refundAfter = (...facts: readonly RefundFact[]) =>
  facts.reduce((state, fact) => applyRefundFact(state, fact, at), held);

describe('the event of a refund', () => {
  test.each([
    ['refund.awaiting_approval', []],
    ['refund.denied', [denied]],
    ['refund.approval_expired', [{ type: 'approval_expired' }]],
    ['refund.refunded', [approved, submitted, { type: 'refunded' }]],
    ['refund.rejected', [approved, { type: 'rejected', failureReason: 'refused' }]],
    ['refund.failed', [approved, submitted, { type: 'failed', failureReason: 'lost_or_stolen_card' }]],
  ] satisfies [string, RefundFact[]][])('is %s, with what the API shows', (type, facts) => {
    const state = refundAfter(...facts);
    const told = refundEvent(refund, state, at);
    expect(told).toMatchObject({ eventId: `rf_0b.${type}`, event: { type } });
    expect(renderRefund({ refund, state }, acme)).toMatchObject(told?.event.data ?? {});
    expect(JSON.stringify(told)).not.toContain('5550100');
  });

  test('is none on the way', () => {
    expect(refundEvent(refund, refundAfter(approved), at)).toBeUndefined();
    expect(refundEvent(refund, refundAfter(approved, submitted), at)).toBeUndefined();
    const lost: RefundFact = { type: 'attention_needed', failureReason: 'outcome_unknown' };
    expect(refundEvent(refund, refundAfter(approved, lost), at)).toBeUndefined();
  });
});

describe('a webhook-id', () => {
  test('leads back to its event', () => {
    for (const id of ['co_0a_1.checkout.paid', 'rf_0b.refund.awaiting_approval']) {
      expect(eventIdOf(webhookMessageId(id))).toBe(id);
    }
  });

  test.each(['', 'co_1.checkout.paid', 'msg_', 'msg_co_1', 'msg_co/1.checkout.paid', 'msg_co_1.other.paid'])(
    'of another form is none of ours: %s',
    (id) => {
      expect(eventIdOf(id)).toBeUndefined();
    },
  );
});
