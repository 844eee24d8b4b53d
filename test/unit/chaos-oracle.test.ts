import { describe, expect, test } from 'vitest';
import { type Told, wrongs, wrongTexts } from '../chaos/oracle.js';
import { checkoutPlan, refundPlan } from '../chaos/plans.js';
import type { Checkout, Refund } from '../support/system-agent.js';
import type { Ledger } from '../support/system-vendors.js';

const amount = 4_900;
const paidSay = 'Your payment of $49.00 is confirmed. Confirmation number 8472.';
const unpaidSay = "It didn't go through, and nothing was charged.";

function checkout(id: string, fields: Partial<Checkout> = {}): Checkout {
  return {
    ...{ checkout_id: id, state: 'paid', terminal: true, version: 5, say: paidSay, amount },
    ...{ amount_captured: amount, amount_refunded: 0 },
    ...fields,
  };
}

const expired = (id: string, fields: Partial<Checkout> = {}): Checkout =>
  checkout(id, { state: 'expired', say: unpaidSay, amount_captured: 0, ...fields });

function refund(id: string, fields: Partial<Refund> = {}): Refund {
  return {
    ...{ refund_id: id, checkout_id: 'co_1', state: 'refunded', terminal: true, version: 4, amount: 1_000 },
    ...{ request_hash: '' },
    ...fields,
  };
}

const told = (one: Checkout, more: Partial<Told> = {}): Told => ({
  checkout: one,
  heard: [],
  refunds: [],
  ...more,
});

/** Books that agree with each other: what was charged for each checkout, and what was given back of it. */
class Books {
  readonly ledger: Ledger = { charges: [], refunds: [], live_instruments: [], postings: [] };

  charge(owner: string, charged = amount): this {
    const number = this.ledger.charges.length + 1;
    const metadata = { vc_checkout: owner };
    const money = { amount: charged, amount_refunded: 0 };
    this.ledger.charges.push({ id: `ch_${number}`, payment_intent: `pi_${number}`, metadata, ...money });
    return this.post(`pi_${number}`, charged);
  }

  giveBack(refundId: string, back: number, owner = 'co_1'): this {
    const charge = this.ledger.charges.find(({ metadata }) => metadata['vc_checkout'] === owner);
    if (!charge) throw new Error(`nothing was charged for ${owner}`);
    charge.amount_refunded += back;
    const metadata = { vc_checkout: owner, vc_refund: refundId };
    const id = `re_${this.ledger.refunds.length + 1}`;
    const { payment_intent } = charge;
    this.ledger.refunds.push({ id, payment_intent, amount: back, status: 'succeeded', metadata });
    return this.post(payment_intent, -back);
  }

  /** The bank returns the refund: the money is the tenant's again. */
  sendBack(refundId: string): this {
    const made = this.ledger.refunds.find(({ metadata }) => metadata['vc_refund'] === refundId);
    const charge = this.ledger.charges.find(({ payment_intent }) => payment_intent === made?.payment_intent);
    if (!made || !charge) throw new Error(`${refundId} was never made`);
    made.status = 'failed';
    charge.amount_refunded -= made.amount;
    return this.post(made.payment_intent, made.amount);
  }

  live(owner: string, type = 'checkout_session'): this {
    this.ledger.live_instruments.push({ type, id: 'x_1', metadata: { vc_checkout: owner } });
    return this;
  }

  post(payment: string, toTenant: number): this {
    const lines = [
      { account: `cardholder:${payment}`, amount: -toTenant },
      { account: 'tenant:platform', amount: toTenant },
    ];
    this.ledger.postings.push({
      number: this.ledger.postings.length + 1,
      kind: 'any',
      currency: 'usd',
      lines,
    });
    return this;
  }
}

const found = (books: Books, ...all: Told[]): string[] => [...wrongs(all, books.ledger).values()].flat();

describe('the oracle of the chaos journey', () => {
  const oneRefund = (state: string, fields: Partial<Refund> = {}, amount_refunded = 0): Told =>
    told(checkout('co_1', { amount_refunded }), { refunds: [refund('rf_1', { state, ...fields })] });

  test('finds nothing where the books and all that was said agree', () => {
    const books = new Books()
      .charge('co_1')
      .giveBack('rf_1', 1_000)
      .charge('co_3')
      .giveBack('late', amount, 'co_3');
    const denied = refund('rf_2', { state: 'denied', amount: 900, approval: { decision: 'denied' } });
    const heard = [{ version: 2, state: 'awaiting_wallet', say: 'Please approve $49.00 in your Link app.' }];
    const late = expired('co_3', { late_payment: { state: 'refunded' } });
    expect(
      found(
        books,
        told(checkout('co_1', { amount_refunded: 1_000 }), { heard, refunds: [refund('rf_1'), denied] }),
        told(expired('co_2'), { heard }),
        told(late),
      ),
    ).toEqual([]);
    const honoured = expired('co_1', { late_payment: { state: 'honoured' } });
    expect(found(new Books().charge('co_1'), told(honoured))).toEqual([]);
    const sentBack = new Books().charge('co_1').giveBack('rf_1', 1_000).sendBack('rf_1');
    expect(found(sentBack, oneRefund('failed'))).toEqual([]);
    // Only we could spend it.
    expect(found(new Books().live('co_1', 'shared_payment_token'), told(expired('co_1')))).toEqual([]);
  });

  const paid = told(checkout('co_1'));
  const unpaid = told(expired('co_1'));
  const unbalanced = new Books().charge('co_1');
  unbalanced.ledger.postings[0]?.lines.pop();

  test.each<[string, Books, Told, RegExp]>([
    ['a second charge', new Books().charge('co_1').charge('co_1'), paid, /charges: 4900, 4900/],
    ['no charge', new Books(), paid, /charges: none/],
    ['another amount', new Books().charge('co_1', 4_800), paid, /charges: 4800/],
    ['money kept of who was told no', new Books().charge('co_1'), unpaid, /4900 were kept/],
    [
      'late money given back untold',
      new Books().charge('co_1').giveBack('', amount),
      unpaid,
      /came late, untold/,
    ],
    ['a page that can still be paid', new Books().live('co_1'), unpaid, /checkout_session x_1 can still/],
    ['a charge of nobody', new Books().charge('co_9'), unpaid, /belongs to no checkout/],
    ['one that has not ended', new Books(), told(expired('co_1', { terminal: false })), /has not ended/],
    [
      'an early "confirmed"',
      new Books(),
      told(expired('co_1'), { heard: [{ version: 3, state: 'paid', say: paidSay }] }),
      /was said \(version 3\) and it is expired/,
    ],
    [
      'an early "nothing was charged"',
      new Books().charge('co_1'),
      told(checkout('co_1'), { heard: [{ version: 3, state: 'expired', say: unpaidSay }] }),
      /was said \(version 3\) and there was a charge/,
    ],
    ['a refund that never was', new Books().charge('co_1'), oneRefund('refunded'), /at Stripe: none/],
    [
      'a refund twice',
      new Books().charge('co_1').giveBack('rf_1', 1_000).giveBack('rf_1', 1_000),
      oneRefund('refunded', {}, 2_000),
      /at Stripe: 1000, 1000/,
    ],
    [
      'a refund that was denied and made',
      new Books().charge('co_1').giveBack('rf_1', 1_000),
      oneRefund('refunded', { approval: { decision: 'denied' } }, 1_000),
      /was denied and is refunded/,
    ],
    [
      'a held refund that nobody decided on',
      new Books().charge('co_1').giveBack('rf_1', 1_000),
      oneRefund('refunded', { approval: {} }, 1_000),
      /nobody had decided/,
    ],
    [
      'a refund nobody asked for',
      new Books().charge('co_1').giveBack('rf_9', 1_000),
      told(checkout('co_1', { amount_refunded: 1_000 })),
      /refunds of 0 went through, Stripe gave back 1000/,
    ],
    [
      'a checkout that does not show its refund',
      new Books().charge('co_1').giveBack('rf_1', 1_000),
      oneRefund('refunded'),
      /says 0 were given back/,
    ],
    [
      'a refund that was sent back and is told as given',
      new Books().charge('co_1').giveBack('rf_1', 1_000).sendBack('rf_1'),
      oneRefund('refunded'),
      /rf_1 is refunded, 1000 asked, at Stripe: none/,
    ],
    [
      'a checkout that still counts a refund that was sent back',
      new Books().charge('co_1').giveBack('rf_1', 1_000).sendBack('rf_1'),
      oneRefund('failed', {}, 1_000),
      /says 1000 were given back, Stripe 0/,
    ],
    [
      'a book that disagrees',
      new Books().charge('co_1').post('pi_1', 100),
      paid,
      /the book says 5000 of ch_1/,
    ],
    ['an unbalanced posting', unbalanced, paid, /posting 1 is not balanced/],
  ])('finds %s', (_what, books, one, wanted) => {
    expect(found(books, one).join('\n')).toMatch(wanted);
  });
});

test('a link that was texted three times is found; twice may happen where an answer was lost', () => {
  const text = (page: string) => ({ body: `Acme: pay $49.00 here: http://127.0.0.1:1/c/pay/cs_${page}` });
  const approver = { body: 'A refund waits: http://127.0.0.1:1/approvals/x' };
  expect(wrongTexts([text('1'), text('1'), text('2'), approver, approver, approver])).toEqual([]);
  expect(wrongTexts([text('1'), text('1'), text('1')])).toEqual([
    'http://127.0.0.1:1/c/pay/cs_1 was texted 3 times',
  ]);
});

test('plans are the same for the same seed, differ by seed, and bring out everything in a few hundred calls', () => {
  const plans = (seed: number) => Array.from({ length: 400 }, (_, index) => checkoutPlan(seed, index));
  expect(plans(7)).toEqual(plans(7));
  expect(plans(8)).not.toEqual(plans(7));
  const seen = (pick: (plan: ReturnType<typeof checkoutPlan>) => unknown) => new Set(plans(7).map(pick)).size;
  expect([seen((plan) => plan.agent), seen((plan) => plan.wallet), seen((plan) => plan.page)]).toEqual([
    7, 6, 3,
  ]);
  const refunds = Array.from({ length: 200 }, (_, index) => refundPlan(7, index));
  expect(new Set(refunds).size).toBe(8);
});
