import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';

const test = checkoutTest({
  tenants: [
    refundTenant('acme'),
    // About as long as a decision takes: either may be first.
    refundTenant('brink', { approval_deadline_ms: 250, approvers: [] }),
    refundTenant('soon', { approval_deadline_ms: 1_500, approvers: [] }),
  ],
});

/** One durable decision, and money exactly when it was an approval. */
async function expectOneDecision(desk: RefundDesk, refund: Refund): Promise<Refund> {
  const over = await until('the refund is over', async () => {
    const { body } = await desk.get(refund.refund_id);
    return body.terminal && body;
  });
  const { amounts } = await desk.atStripe(refund.checkout_id);
  const approved = over.approval?.decision === 'approved';
  expect(amounts).toEqual(approved ? [refund.amount] : []);
  expect(over.state).toBe(approved ? 'refunded' : over.approval?.decision ? 'denied' : 'approval_expired');
  expect(over.version).toBe(approved ? 4 : 2);
  return over;
}

describe('of several decisions the first durable one wins:', () => {
  test('two clicks of one person', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const clicks = await Promise.all([desk.decide(refund, 'approve'), desk.decide(refund, 'approve')]);
    expect(clicks.map(({ status }) => status)).toEqual([200, 200]);
    await expectOneDecision(desk, refund);
    const third = await desk.decide(refund, 'approve');
    expect([third.status, third.replayed, third.body.state]).toEqual([200, true, 'refunded']);
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([8_000]);
  });

  test('two approvers', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const roles = ['approver', 'second'] as const;
    const answers = await Promise.all(roles.map((role) => desk.decide(refund, 'approve', { role })));
    const over = await expectOneDecision(desk, refund);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const winner = roles[answers.findIndex(({ status }) => status === 200)] ?? 'agent';
    expect(over.approval?.decided_by).toBe(world.keyName('acme', winner));
    const { body: late } = answers.find(({ status }) => status === 409) ?? answers[0]!;
    const { decision, decided_by, decided_at } = over.approval ?? {};
    expect(late).toMatchObject({ code: 'already_decided', decision, decided_by, decided_at });
  });

  test.for([1, 2, 3])('approve against deny (round %i)', async (_round, { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const [approve, deny] = await Promise.all([
      desk.decide(refund, 'approve', { role: 'approver' }),
      desk.decide(refund, 'deny', { role: 'second' }),
    ]);
    const { approval } = await expectOneDecision(desk, refund);
    const approved = approval?.decision === 'approved';
    expect([approve.status, deny.status]).toEqual(approved ? [200, 409] : [409, 200]);
    const { decision, decided_by, decided_at } = approval ?? {};
    expect((approved ? deny : approve).body).toMatchObject({
      code: 'already_decided',
      decision,
      decided_by,
      decided_at,
    });
  });

  test('one person who says both', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const [approve, deny] = await Promise.all([desk.decide(refund, 'approve'), desk.decide(refund, 'deny')]);
    await expectOneDecision(desk, refund);
    expect([approve.status, deny.status].sort()).toEqual([200, 409]);
  });

  test('ten at once, by key, by page, by signal', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const link = { dana: desk.link(refund, 'dana'), omar: desk.link(refund, 'omar') };
    const signed = await Promise.all([
      desk.sign(refund, { decidedBy: 'person:dana' }),
      desk.sign(refund, { decidedBy: 'person:omar', decision: 'denied' }),
    ]);
    const [keys, pages] = await Promise.all([
      Promise.all([
        desk.decide(refund, 'approve'),
        desk.decide(refund, 'deny', { role: 'second' }),
        desk.decide(refund, 'approve', { role: 'supervisor' }),
        desk.decide(refund, 'deny'),
      ]),
      Promise.all([
        desk.page(link.dana, { decision: 'approved' }),
        desk.page(link.omar, { decision: 'denied' }),
        desk.page(link.dana, { decision: 'denied' }),
        desk.page(link.omar, { decision: 'approved' }),
      ]),
      ...signed.map((signedDecision) => desk.signal(refund, { signedDecision })),
    ]);
    const { approval } = await expectOneDecision(desk, refund);
    const winners = [
      ...keys.filter(({ status }) => status === 200),
      ...pages.filter(({ status }) => status === 303),
    ];
    // None where a signal won that nobody waited for, or two where it said the same as its person's page.
    expect(winners.length).toBeLessThanOrEqual(2);
    for (const { status, body } of keys) {
      if (status === 200) continue;
      expect([status, body.code]).toEqual([409, 'already_decided']);
    }
    for (const { status, html } of pages) {
      if (status === 303) continue;
      expect(status).toBe(409);
      expect(html).toContain(`was ${approval?.decision ?? ''} by ${approval?.decided_by ?? ''}`);
    }
  });

  test('a late one is told who was first', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    await desk.decide(refund, 'deny');
    const late = await desk.decide(refund, 'approve', { role: 'second' });
    expect(late.status).toBe(409);
    expect(late.body).toMatchObject({
      code: 'already_decided',
      decision: 'denied',
      decided_by: world.keyName('acme', 'approver'),
      decided_at: (await desk.get(refund.refund_id)).body.approval?.decided_at,
    });
    const signed = await desk.sign(refund);
    await desk.signal(refund, { signedDecision: signed }).catch(() => undefined);
    expect((await desk.get(refund.refund_id)).body.state).toBe('denied');
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
  });
});

describe('a decision against the end of its time', () => {
  test.for([0, 60, 120, 180, 220, 240, 250, 300])(
    'is one or the other (%i ms after the request)',
    async (pause, { newCaller }) => {
      const desk = new RefundDesk(newCaller({ tenant: 'brink' }));
      const refund = await desk.held();
      const at = Date.parse(refund.approval?.expires_at ?? '') - 250 + pause;
      await until('the moment', () => Date.now() >= at);
      const { status, body } = await desk.decide(refund, 'approve');
      const over = await expectOneDecision(desk, refund);
      if (over.state === 'refunded') expect(status).toBe(200);
      else expect([status, body.code]).toEqual([410, 'approval_expired']);
    },
  );
});

describe('while no worker is there', () => {
  test('a decision is kept, or its outcome is unknown and repeating it is safe', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    await Promise.all([...world.workers].map((worker) => worker.stop()));
    const away = await desk.decide(refund, 'approve');
    expect([away.status, away.body.code]).toEqual([503, 'unavailable']);
    expect((await desk.get(refund.refund_id)).body.state).toBe('awaiting_approval');
    await world.startWorker();
    const again = await desk.decide(refund, 'approve');
    expect(again.status).toBe(200);
    await expectOneDecision(desk, refund);
  });

  test('a decision by signal waits for one', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    await Promise.all([...world.workers].map((worker) => worker.stop()));
    await desk.signal(refund, { signedDecision: await desk.sign(refund) });
    await world.startWorker();
    const { approval } = await expectOneDecision(desk, refund);
    expect(approval?.decided_by).toBe('person:dana');
  });

  test('the time to decide ends all the same', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'soon' }));
    const refund = await desk.held();
    await Promise.all([...world.workers].map((worker) => worker.stop()));
    await until('its end', () => Date.now() > Date.parse(refund.approval?.expires_at ?? ''));
    const [late] = await Promise.all([desk.decide(refund, 'approve'), world.startWorker()]);
    const over = await desk.reach(refund.refund_id, over410(late.status));
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
    expect(over.approval?.decision).toBeUndefined();
  });
});

/** Whatever the late one was told, nothing but the end may follow. */
function over410(status: number): 'approval_expired' {
  expect([410, 503]).toContain(status);
  return 'approval_expired';
}
