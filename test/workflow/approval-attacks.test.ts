import { SignJWT } from 'jose';
import { describe, expect } from 'vitest';
import { DecisionTokens } from '../../providers/approval/decision-token.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';

const test = checkoutTest({ tenants: [refundTenant('acme'), refundTenant('globex')] });
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Everything that is no decision on the refund, by what is wrong with it. */
const attacks: Record<string, (desk: RefundDesk, refund: Refund) => Promise<string>> = {
  'no token': () => Promise.resolve('approved by me'),
  'an unsigned one': async (desk, refund) => {
    const [, claims = ''] = (await desk.sign(refund)).split('.');
    return `${base64({ alg: 'none', typ: 'vc-decision' })}.${claims}.`;
  },
  'one that says it needs no signature': async (desk, refund) => {
    const [, claims = '', signature = ''] = (await desk.sign(refund)).split('.');
    return `${base64({ alg: 'none', typ: 'vc-decision' })}.${claims}.${signature}`;
  },
  'one signed with another key': (_desk, refund) =>
    new DecisionTokens(Buffer.alloc(32, 9)).sign({
      tenantId: 'acme',
      refundId: refund.refund_id,
      requestHash: refund.request_hash,
      decision: 'approved',
      decidedBy: 'person:dana',
    }),
  'one that was edited': async (desk, refund) => {
    const signed = await desk.sign(refund, { decision: 'denied' });
    const [header = '', claims = '', signature = ''] = signed.split('.');
    const told = JSON.parse(Buffer.from(claims, 'base64url').toString()) as object;
    return `${header}.${base64({ ...told, decision: 'approved' })}.${signature}`;
  },
  'one of another refund': (desk, refund) => desk.sign(refund, { refundId: `rf_${'1'.repeat(30)}` }),
  'one of another tenant': (desk, refund) => desk.sign(refund, { tenantId: 'globex' }),
  'one by a person nobody knows': (desk, refund) => desk.sign(refund, { decidedBy: 'person:mallory' }),
  'one for another amount': (desk, refund) => desk.sign(refund, { requestHash: 'f'.repeat(64) }),
  'one by who asked': (desk, refund) => desk.sign(refund, { decidedBy: refund.requested_by }),
};
const names = Object.keys(attacks);

describe('a decision sent past the API', () => {
  test.for(names)('changes nothing and is shown when it is %s, by signal', async (name, { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const signedDecision = await attacks[name]!(desk, refund);
    await desk.signal(refund, { signedDecision });
    const told = await desk.explains(refund, 'A decision was tried and not valid');
    expect(told).not.toContain('Decision: ');
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
  });

  test.for(names)('changes nothing and is shown when it is %s, by update', async (name, { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const signedDecision = await attacks[name]!(desk, refund);
    await expect(desk.update(refund, signedDecision)).rejects.toThrow();
    await desk.explains(refund, 'A decision was tried and not valid');
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
  });

  test.for<[string, unknown]>([
    ['nothing at all', undefined],
    ['null', null],
    ['a number', 5],
    ['a word', 'approved'],
    ['an empty object', {}],
    ['null in an object', { signedDecision: null }],
    ['a number in an object', { signedDecision: 5 }],
    ['a list', []],
  ])('harms nothing when it is %s', async ([, argument], { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    await desk.signal(refund, ...(argument === undefined ? [] : [argument]));
    await desk.explains(refund, 'A decision was tried and not valid');
    const args = argument === undefined ? [] : [argument];
    const update = desk.run(refund).executeUpdate('decideRefund', { args } as never);
    await expect(update).rejects.toThrow();
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
    expect((await desk.decide(refund, 'deny')).status).toBe(200);
  });

  test('counts for its own refund and person only, whoever forwards it', async ({ customer, newCaller }) => {
    const desk = new RefundDesk(customer);
    const [first, second] = [await desk.held(), await desk.held({ amount: 9_000 })];
    const other = new RefundDesk(newCaller({ tenant: 'globex' }));
    const elsewhere = await other.held();
    const signedDecision = await desk.sign(first);
    await desk.signal(second, { signedDecision });
    await other.signal(elsewhere, { signedDecision });
    await desk.explains(second, 'A decision was tried and not valid');
    await other.explains(elsewhere, 'A decision was tried and not valid');
    await desk.signal(first, { signedDecision });
    const { approval } = await desk.reach(first.refund_id, 'refunded');
    expect(approval?.decided_by).toBe('person:dana');
    for (const [at, one] of [
      [desk, second],
      [other, elsewhere],
    ] as const) {
      expect((await at.get(one.refund_id)).body).toEqual(one);
      await at.decide(one, 'deny');
    }
  });

  test('is void once it is older than its ten minutes', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const old = Math.floor(Date.now() / 1_000) - 700;
    const signedDecision = await new SignJWT({
      tenantId: 'acme',
      refundId: refund.refund_id,
      requestHash: refund.request_hash,
      decision: 'approved',
      decidedBy: 'person:dana',
    })
      .setProtectedHeader({ alg: 'HS256', typ: 'vc-decision' })
      .setIssuedAt(old)
      .setExpirationTime(old + 600)
      .sign(desk.world.decisionKey);
    await desk.signal(refund, { signedDecision });
    await desk.explains(refund, 'the signature, its age or the right to decide');
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
  });

  test('counts when it is genuine, for whoever may sign is the API', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    await desk.signal(refund, { signedDecision: await desk.sign(refund) });
    const done = await desk.reach(refund.refund_id, 'refunded');
    expect(done.approval?.decided_by).toBe('person:dana');
  });

  test('cannot be replayed on a second refund of the same payment and amount', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(20_000);
    const first = await desk.request(checkoutId, { amount: 8_000 });
    const signedDecision = await desk.sign(first);
    await desk.signal(first, { signedDecision });
    await desk.reach(first.refund_id, 'refunded');
    const second = await desk.request(checkoutId, { amount: 8_000 });
    // The same payment, amount, reason and requester: the hash alone does not tell the two apart.
    expect(second.request_hash).toBe(first.request_hash);
    await desk.signal(second, { signedDecision });
    await desk.explains(second, 'A decision was tried and not valid');
    expect((await desk.get(second.refund_id)).body.state).toBe('awaiting_approval');
    const page = await desk.page(desk.link(first).replace(first.refund_id, second.refund_id), {
      decision: 'approved',
    });
    expect(page.status).toBe(404);
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([8_000]);
  });
});

describe('a flood of sixty invalid decisions', () => {
  test.for(['malformed', 'forged'])('(%s) stops no valid one by the API', async (kind, { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const forged = await attacks['one signed with another key']!(desk, refund);
    const signedDecision = kind === 'forged' ? forged : 'approve it';
    await Promise.all(Array.from({ length: 60 }, () => desk.signal(refund, { signedDecision })));
    const told = await desk.explain(refund);
    expect(told.split('\n').length).toBeLessThan(60);
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
    expect((await desk.decide(refund, 'approve')).status).toBe(200);
    await desk.reach(refund.refund_id, 'refunded');
  });

  test('stops no valid one on the page', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    await Promise.all(Array.from({ length: 60 }, () => desk.signal(refund, { signedDecision: 'x' })));
    expect((await desk.page(desk.link(refund), { decision: 'denied' })).status).toBe(303);
    expect((await desk.get(refund.refund_id)).body.state).toBe('denied');
  });
});

describe('a check of a decision that fails', () => {
  test('ends no refund', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const signedDecision = await desk.sign(refund);
    const acme = world.tenants.get('acme');
    if (!acme) throw new Error('no acme');
    // Four attempts of the activity fail, as on workers that die under it.
    let left = 4;
    const approvers = acme.refunds.approvers;
    const failing = {
      ...acme.refunds,
      get approvers() {
        if (left-- > 0) throw new Error('the worker is in trouble');
        return approvers;
      },
    };
    world.tenants.set('acme', { ...acme, refunds: failing });
    try {
      await desk.signal(refund, { signedDecision });
      await expect.poll(() => left, { timeout: 10_000 }).toBeLessThanOrEqual(0);
    } finally {
      world.tenants.set('acme', acme);
    }
    expect((await desk.decide(refund, 'approve')).status).toBe(200);
    await desk.reach(refund.refund_id, 'refunded');
  });
});
