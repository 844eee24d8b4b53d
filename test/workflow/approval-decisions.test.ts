import { describe, expect } from 'vitest';
import type { SignedDecision } from '../../providers/approval/decision-token.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { RefundDesk, refundTenant } from '../support/world/refund-desk.js';

const test = checkoutTest({
  tenants: [
    refundTenant('acme', { threshold: { usd: 5_000 } }),
    refundTenant('globex'),
    refundTenant('hasty', { approval_deadline_ms: 700, approvers: [] }),
  ],
});

const rfc3339 = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;

describe('a refund above the threshold', () => {
  test('waits for a person, and moves no money', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    expect(refund).toMatchObject({
      state: 'awaiting_approval',
      terminal: false,
      version: 1,
      say: 'A colleague must approve this refund.',
      next: { action: 'wait' },
      approval: { required_because: 'payment_total', expires_at: rfc3339 },
    });
    const day = Date.parse(refund.approval?.expires_at ?? '') - Date.now();
    expect(day).toBeGreaterThan(23.9 * 3_600_000);
    expect(day).toBeLessThanOrEqual(24 * 3_600_000);
    expect(await desk.explain(refund)).toContain('A person must approve giving back $80.00');
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
  });

  test('is made once a person has approved', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const { status, replayed, body } = await desk.decide(refund, 'approve', { note: 'was promised' });
    expect([status, replayed]).toEqual([200, false]);
    expect(['submitting', 'submitted', 'refunded']).toContain(body.state);
    const decidedBy = world.keyName('acme', 'approver');
    const done = await desk.reach(refund.refund_id, 'refunded');
    expect(done.approval).toEqual({
      required_because: 'payment_total',
      expires_at: refund.approval?.expires_at,
      decision: 'approved',
      decided_by: decidedBy,
      decided_at: rfc3339,
      note: 'was promised',
    });
    expect(done.version).toBe(4);
    expect(done.say).toBe('Your refund of $80.00 is on its way to your card.');
    expect(await desk.explain(refund)).toContain(`Decision: approved by ${decidedBy}`);
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([8_000]);
    await desk.refundedShown(refund.checkout_id, 8_000);
  });

  test('is over once a person has denied it, and its money may be asked for again', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const { status, body } = await desk.decide(refund, 'deny', { note: 'no' });
    expect([status, body.state]).toEqual([200, 'denied']);
    const denied = await desk.reach(refund.refund_id, 'denied');
    expect(denied).toMatchObject({ terminal: true, version: 2, say: 'The refund was not approved.' });
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
    const anew = await desk.request(refund.checkout_id, { amount: 2_000 });
    await desk.reach(anew.refund_id, 'refunded');
  });

  test('expires where nobody decides, and nothing said later counts', async ({ newCaller }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'hasty' }));
    const refund = await desk.held();
    const expired = await desk.reach(refund.refund_id, 'approval_expired');
    expect(expired).toMatchObject({
      terminal: true,
      version: 2,
      say: 'The refund was not approved in time.',
    });
    for (const verdict of ['approve', 'deny'] as const) {
      const late = await desk.decide(refund, verdict);
      expect([late.status, late.body.code]).toEqual([410, 'approval_expired']);
    }
    expect(await desk.explain(refund)).toContain('Nobody decided in time');
    const anew = await desk.request(refund.checkout_id, { amount: 2_000 });
    await desk.reach(anew.refund_id, 'refunded');
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([2_000]);
  });

  test.for([
    ['the customer’s refunds of the day', 3_000, 'customer_total'],
    ['the refunds of the payment', 5_001, 'payment_total'],
  ] as const)('may be so because of %s', async ([, amount, rule], { customer }) => {
    const desk = new RefundDesk(customer);
    const other = await desk.paid(4_000);
    await desk.request(other, { amount: 2_001 });
    expect((await desk.held({ amount })).approval?.required_because).toBe(rule);
  });

  test('may be so because nobody set a threshold for the currency', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.request(await desk.paid(20_000, 'kwd'), { amount: 10 });
    expect(refund.approval?.required_because).toBe('no_threshold');
  });

  test.for(['duplicate', 'fraudulent'])(
    'is not so because the reason is %s',
    async (reason, { customer }) => {
      const desk = new RefundDesk(customer);
      const { refund_id, approval } = await desk.held({ amount: 500, reason });
      expect(approval).toBeUndefined();
      await desk.reach(refund_id, 'refunded');
    },
  );

  test('answers a waiting reader as soon as a person has decided', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const waiting = desk.get(refund.refund_id, { since: 1, wait_ms: 20_000 });
    await desk.decide(refund, 'deny');
    const { body, ms } = await waiting;
    expect(body.state).toBe('denied');
    expect(ms).toBeLessThan(5_000);
  });

  test('is not decided by a cancel from the Temporal UI', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    await desk.run(refund).cancel();
    expect(await desk.explain(refund)).toContain('A person must approve');
    expect((await desk.get(refund.refund_id)).body.state).toBe('awaiting_approval');
    expect((await desk.decide(refund, 'approve')).status).toBe(200);
    await desk.reach(refund.refund_id, 'refunded');
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([8_000]);
  });
});

describe('four eyes', () => {
  test('keep who asked from approving, with every right to', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held({ role: 'supervisor' });
    for (const verdict of ['approve', 'deny'] as const) {
      const { status, body } = await desk.decide(refund, verdict, { role: 'supervisor' });
      expect([status, body.code]).toEqual([403, 'self_approval']);
    }
    expect((await desk.get(refund.refund_id)).body).toMatchObject({ state: 'awaiting_approval', version: 1 });
    const other = await desk.held({ role: 'agent' });
    expect((await desk.decide(other, 'approve', { role: 'supervisor' })).status).toBe(200);
  });

  test('keep who asked from approving also past the API', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held({ role: 'supervisor' });
    const own = await desk.sign(refund, { decidedBy: world.keyName('acme', 'supervisor') });
    await expect(desk.update(refund, own)).rejects.toMatchObject({ cause: { type: 'self_approval' } });
    await desk.signal(refund, { signedDecision: own });
    await desk.explains(refund, 'by who asked for it');
    expect((await desk.get(refund.refund_id)).body.state).toBe('awaiting_approval');
  });

  test('keep a person from approving what they asked for with another key', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held({ role: 'danaAsks' });
    expect(refund.requested_by).toBe(customer.world.keyName('acme', 'danaAsks'));
    for (const verdict of ['approve', 'deny'] as const) {
      const { status, body } = await desk.decide(refund, verdict, { role: 'danaDecides' });
      expect([status, body.code]).toEqual([403, 'self_approval']);
    }
    const page = await desk.page(desk.link(refund), { decision: 'approved' });
    expect([page.status, page.html.includes('Whoever asked for a refund cannot approve it')]).toEqual([
      403,
      true,
    ]);
    expect((await desk.get(refund.refund_id)).body).toMatchObject({ state: 'awaiting_approval', version: 1 });
    expect((await desk.page(desk.link(refund, 'omar'), { decision: 'approved' })).status).toBe(303);
    await desk.reach(refund.refund_id, 'refunded');
  });

  test.for<[string, Partial<SignedDecision>]>([
    ['another key', { decidedBy: 'key:other', decidedBySubject: 'Dana' }],
    ['their link', { decidedBy: 'person:dana', decidedBySubject: 'dana' }],
    ['their link, of before people were recorded', { decidedBy: 'person:dana' }],
    ['their link under another name', { decidedBy: 'person:dana', decidedBySubject: 'omar' }],
    ['a key of before people were recorded', { decidedBy: 'key:other' }],
  ])('keep a person from approving past the API by %s', async ([, decision], { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held({ role: 'danaAsks' });
    const own = await desk.sign(refund, decision);
    await expect(desk.update(refund, own)).rejects.toMatchObject({ cause: { type: 'self_approval' } });
    expect((await desk.get(refund.refund_id)).body.version).toBe(1);
    expect((await desk.decide(refund, 'deny', { role: 'second' })).status).toBe(200);
  });

  test('are those of somebody with the scope', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const { status, body } = await desk.decide(refund, 'approve', { role: 'agent' });
    expect([status, body.code]).toEqual([403, 'scope_missing']);
    const approver = customer.world.keyOf('acme', 'approver');
    const asked = await customer.request<{ state: string }>(
      'POST',
      '/refunds',
      {
        checkout_id: refund.checkout_id,
        amount: 1,
        reason: 'duplicate',
        call: { id: 'c', channel: 'voice' },
      },
      approver,
    );
    expect([asked.status, asked.body.code]).toEqual([403, 'scope_missing']);
  });

  test('are those of the same tenant', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    for (const verdict of ['approve', 'deny'] as const) {
      const { status, body } = await desk.decide(refund, verdict, { tenant: 'globex' });
      expect([status, body.code]).toEqual([404, 'not_found']);
    }
    expect((await desk.get(refund.refund_id)).body.version).toBe(1);
  });

  test('see exactly the request that is decided', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const other = await desk.held({ amount: 9_000 });
    for (const hash of [other.request_hash, '0'.repeat(64)]) {
      const { status, body } = await desk.decide(refund, 'approve', { hash });
      expect([status, body.code]).toEqual([409, 'request_changed']);
    }
    const forOther = await desk.sign(refund, { requestHash: other.request_hash });
    await expect(desk.update(refund, forOther)).rejects.toMatchObject({ cause: { type: 'request_changed' } });
    await desk.explains(refund, 'made for another request');
    expect((await desk.get(refund.refund_id)).body.version).toBe(1);
  });

  test('are not those of a person who was removed meanwhile', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const dana = await desk.sign(refund);
    const before = world.tenants.get('acme');
    if (!before) throw new Error('no acme');
    const approvers = before.refunds.approvers.filter(({ id }) => id !== 'dana');
    world.tenants.set('acme', { ...before, refunds: { ...before.refunds, approvers } });
    try {
      expect((await desk.page(desk.link(refund))).status).toBe(404);
      const posted = await desk.page(desk.link(refund), { decision: 'approved' });
      expect(posted.status).toBe(404);
      await expect(desk.update(refund, dana)).rejects.toMatchObject({ cause: { type: 'decision_invalid' } });
      expect((await desk.get(refund.refund_id)).body.version).toBe(1);
      expect(await desk.explain(refund)).toContain('the right to decide');
    } finally {
      world.tenants.set('acme', before);
    }
  });
});
