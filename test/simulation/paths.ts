import type { Action, Caller, Scenario } from './scenario.js';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

const ignoring: Caller = {
  wallet: { does: 'ignore', after: 0, grants: 'payment', outcome: 'succeeded' },
  page: [],
  bank: { after: hour, outcome: 'succeeded' },
};
const start: Action = { at: second, kind: 'agent', purchase: 0, call: 'call-0' };
const refund = (amount: number): Action => ({
  at: 5 * minute,
  kind: 'refund',
  purchase: 0,
  call: 'refund-0',
  amount,
  reason: 'requested_by_customer',
  by: 'agent',
});

/** A schedule in which nothing fails. */
function calm(caller: Partial<Caller>, actions: readonly Action[] = [start]): Scenario {
  return {
    seed: 1,
    policy: {
      walletDeadlineMs: minute,
      linkDeadlineMs: 2 * minute,
      threshold: 5_000,
      approvalDeadlineMs: hour,
      latePayment: 'refund',
    },
    purchases: [
      {
        tenant: 'globex',
        phone: '+15550100110',
        amount: 10_000,
        currency: 'usd',
        item: 'item',
        caller: { ...ignoring, ...caller },
      },
    ],
    actions: [...actions],
    platform: {
      workers: 2,
      workerDownMs: 1_000,
      crash: 0,
      evict: 0,
      otherWorker: 0,
      lostResults: 0,
      lostCalls: 0,
      lostAcks: 0,
      suggestContinueAfter: 4_096,
      announces: true,
      hookDown: 0,
    },
    vendors: { rates: {}, exactly: [], outages: [] },
    webhooks: { rates: {}, delayMs: 0 },
    calmAt: 2 * hour,
    calmMs: 44 * hour,
    reconciles: true,
  };
}

const approves = (grants: string, outcome: string): Caller['wallet'] => ({
  does: 'approve',
  after: 3 * second,
  grants,
  outcome,
});
const pays = (...outcomes: string[]): Caller['page'] =>
  outcomes.map((outcome, index) => ({ after: (10 + 20 * index) * second, outcome }));
const denies: Caller['wallet'] = { ...ignoring.wallet, does: 'deny', after: 3 * second };

const redial: Action = { at: 20 * second, kind: 'agent', purchase: 0, call: 'call-1' };
const loss: Action = { at: 12 * second, kind: 'ops', purchase: 0, what: 'lose_history' };

/** The ways a payment or refund can go, each as a schedule without a fault. */
export const paths: Readonly<Record<string, Scenario>> = {
  'a wallet that pays': calm({ wallet: approves('payment', 'succeeded') }),
  'a wallet that grants a token': calm({ wallet: approves('shared_payment_token', 'succeeded') }),
  'a token that is declined, then the page': calm({
    wallet: approves('shared_payment_token', 'declined'),
    page: pays('succeeded'),
  }),
  'a payment of the wallet that is declined, then the page': calm({
    wallet: approves('payment', 'authentication_required'),
    page: pays('succeeded'),
  }),
  'a wallet that says no, then the page': calm({ wallet: denies, page: pays('declined', 'succeeded') }),
  'nobody reacts': calm({}),
  'a bank debit that succeeds': calm({ wallet: denies, page: pays('processing') }),
  'a bank debit that fails': calm({
    wallet: denies,
    page: pays('processing'),
    bank: { after: hour, outcome: 'declined' },
  }),
  'the caller cancels': calm({}, [start, { at: 20 * second, kind: 'cancel', purchase: 0 }]),
  'the caller wants the page': calm({ page: pays('succeeded') }, [
    start,
    { at: 20 * second, kind: 'switch', purchase: 0, rail: 'paymentLink' },
  ]),
  'a small refund': calm({ wallet: approves('payment', 'succeeded') }, [start, refund(2_000)]),
  'a refund that a person approves': calm({ wallet: approves('payment', 'succeeded') }, [
    start,
    refund(9_000),
    { at: 6 * minute, kind: 'decide', purchase: 0, by: 'person:dana', decision: 'approved' },
  ]),
  'money for a run that ops ended': calm({ wallet: denies, page: pays('succeeded') }, [
    start,
    { at: 10 * second, kind: 'ops', purchase: 0, what: 'terminate' },
  ]),
  'paid a second time': calm({ wallet: approves('payment', 'succeeded') }, [
    start,
    { at: 5 * minute, kind: 'stray', purchase: 0, by: 'payment' },
  ]),
  'paid after the end': calm({}, [start, { at: 10 * minute, kind: 'stray', purchase: 0, by: 'page' }]),
  'paid twice while open': calm({ wallet: denies, page: pays('succeeded') }, [
    start,
    { at: 8 * second, kind: 'stray', purchase: 0, by: 'payment' },
  ]),
  'bought again while the page of a lost run is open': calm(
    { wallet: denies, page: [{ after: 40 * second, outcome: 'succeeded' }] },
    [start, loss, redial],
  ),
  'bought again on the page only, while that of a lost run is open': calm(
    { page: [{ after: 40 * second, outcome: 'succeeded' }] },
    [{ ...start, rails: ['paymentLink'] }, loss, { ...redial, rails: ['paymentLink'] }],
  ),
  'bought again when the page of a lost run is paid': calm({ wallet: denies, page: pays('succeeded') }, [
    start,
    { ...loss, at: 14 * second },
    redial,
  ]),
  'bought again while the wallet request of a lost run is open': calm(
    { wallet: { ...approves('payment', 'succeeded'), after: 30 * second } },
    [start, loss, redial],
  ),
  'bought again while nobody answers the wallet request of a lost run': calm({}, [start, loss, redial]),
};
