import type Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import type { PaymentFact } from '../../domain/payment-fact.js';
import type { AgentAuthorization } from '../../providers/stripe/agent-authorizations.js';
import {
  agentAuthorizationFact,
  checkoutSessionFact,
  paymentIntentFact,
} from '../../providers/stripe/payment-facts.js';

const intent = (status: string, changes: object = {}) =>
  ({
    id: 'pi_1',
    status,
    amount: 4900,
    amount_received: status === 'succeeded' ? 4900 : 0,
    currency: 'usd',
    last_payment_error: null,
    latest_charge: null,
    ...changes,
  }) as unknown as Stripe.PaymentIntent;
const declined = {
  last_payment_error: { code: 'card_declined', decline_code: 'insufficient_funds', charge: 'ch_1' },
};
const session = (status: string, payment_intent: unknown = null) =>
  ({ id: 'cs_1', status, payment_intent }) as unknown as Stripe.Checkout.Session;
const authorization = (status: string, changes: Partial<AgentAuthorization> = {}): AgentAuthorization => ({
  id: 'laa_1',
  status,
  amount: 4900,
  currency: 'usd',
  metadata: {},
  payment_intent: null,
  shared_payment_granted_token: null,
  ...changes,
});
const paid: PaymentFact = { kind: 'paid', paymentIntent: 'pi_1', amount: 4900, currency: 'usd' };
const refused = (reason: 'declined' | 'needs_authentication', live: boolean, code?: string): PaymentFact => ({
  kind: 'refused',
  reason,
  live,
  paymentIntent: 'pi_1',
  ...(code !== undefined && { code }),
});

describe('a PaymentIntent', () => {
  test.each<[string, object, PaymentFact]>([
    ['succeeded', {}, paid],
    ['succeeded', { amount_received: 4000 }, { ...paid, amount: 4000 }],
    ['processing', {}, { kind: 'processing', paymentIntent: 'pi_1' }],
    ['canceled', {}, { kind: 'dead' }],
    ['requires_action', {}, refused('needs_authentication', true)],
    ['requires_payment_method', {}, { kind: 'open' }],
    ['requires_payment_method', declined, refused('declined', true, 'insufficient_funds')],
    [
      'requires_payment_method',
      { last_payment_error: { code: 'authentication_required' } },
      refused('needs_authentication', true, 'authentication_required'),
    ],
    ['requires_confirmation', {}, { kind: 'open' }],
    ['requires_capture', {}, { kind: 'open' }],
    ['a_status_of_next_year', {}, { kind: 'open' }],
  ])('that is %s %o proves %o', (status, changes, fact) => {
    expect(paymentIntentFact(intent(status, changes))).toEqual(fact);
  });
});

describe('a Checkout Session', () => {
  test.each<[string, unknown, PaymentFact]>([
    ['open', null, { kind: 'open' }],
    ['open', intent('requires_payment_method'), { kind: 'open' }],
    [
      'open',
      intent('requires_payment_method', declined),
      { kind: 'open', decline: { id: 'ch_1', reason: 'declined', code: 'insufficient_funds' } },
    ],
    ['complete', intent('succeeded'), paid],
    ['complete', intent('processing'), { kind: 'processing', paymentIntent: 'pi_1' }],
    [
      'complete',
      intent('requires_payment_method', declined),
      refused('declined', false, 'insufficient_funds'),
    ],
    ['complete', intent('canceled'), { kind: 'dead' }],
    ['complete', 'pi_1', { kind: 'unprovable', cause: 'outcome_unknown' }],
    ['complete', null, { kind: 'unprovable', cause: 'outcome_unknown' }],
    ['expired', null, { kind: 'dead' }],
    ['expired', 'pi_1', { kind: 'unprovable', cause: 'outcome_unknown' }],
    ['expired', intent('canceled'), { kind: 'dead' }],
    ['expired', intent('requires_payment_method', declined), { kind: 'dead' }],
    ['expired', intent('succeeded'), paid],
    ['expired', intent('processing'), { kind: 'processing', paymentIntent: 'pi_1' }],
  ])('that is %s with %o proves %o', (status, given, fact) => {
    expect(checkoutSessionFact(session(status, given))).toEqual(fact);
  });
});

describe('an agent authorization', () => {
  test.each<[string, Partial<AgentAuthorization>, PaymentFact]>([
    ['pending', {}, { kind: 'open' }],
    ['a_status_of_next_year', {}, { kind: 'open' }],
    ['approved', {}, { kind: 'approved' }],
    ['approved', { shared_payment_granted_token: 'spt_1' }, { kind: 'approved', token: 'spt_1' }],
    ['declined', {}, { kind: 'refused', reason: 'declined', live: false }],
    ['denied', {}, { kind: 'refused', reason: 'declined', live: false }],
    ['canceled', {}, { kind: 'dead' }],
    ['expired', {}, { kind: 'dead' }],
    ['failed', {}, { kind: 'dead' }],
  ])('that is %s %o proves %o', (status, changes, fact) => {
    expect(agentAuthorizationFact(authorization(status, changes), undefined)).toEqual(fact);
  });

  test('that is approved with a payment proves what the payment proves', () => {
    expect(agentAuthorizationFact(authorization('approved'), intent('succeeded'))).toEqual(paid);
    expect(agentAuthorizationFact(authorization('approved'), intent('processing')).kind).toBe('processing');
    expect(
      agentAuthorizationFact(authorization('approved'), intent('requires_payment_method', declined)),
    ).toEqual(refused('declined', true, 'insufficient_funds'));
  });
});
