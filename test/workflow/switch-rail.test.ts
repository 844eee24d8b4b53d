import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';

const it = checkoutTest();

describe.concurrent('switching to another rail', () => {
  it('shuts the open one first and goes on with the other', async ({ customer, world }) => {
    const id = await customer.begin();
    const waiting = await customer.reach(id, 'awaiting_wallet');
    expect(waiting).toMatchObject({
      allowed: ['cancel', 'rail:paymentLink'],
      rails_left: ['paymentLink'],
      next: { action: 'wait', retry_after_ms: 2_000 },
    });
    expect((await customer.switchTo(id, 'paymentLink')).status).toBe(200);
    const onLink = await customer.reach(id, 'awaiting_link');
    expect(onLink).toMatchObject({
      allowed: ['cancel'],
      rails_left: [],
      next: { action: 'wait', retry_after_ms: 5_000 },
    });
    expect((await world.standIns.authorization(id)).status).toBe('canceled');
    await world.standIns.pay(id);
    expect((await customer.reach(id, 'paid')).next).toEqual({ action: 'done' });
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['linkWallet ended (switched)', 'paymentLink paid'],
      story: [
        'started starting',
        'wallet_asked awaiting_wallet linkWallet',
        'closing closing linkWallet (switched)',
        'rail_closed closing linkWallet (switched)',
        'link_opened sending_link paymentLink',
        'link_sent awaiting_link paymentLink',
        'paid paid paymentLink',
      ],
    });
  });

  it('texts the number that was given with the switch', async ({ newCaller, world }) => {
    const customer = newCaller({ phone: null, email: 'grace@example.com' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const phone = '+15559990001';
    expect((await customer.switchTo(id, 'paymentLink', { phone })).status).toBe(200);
    await customer.reach(id, 'awaiting_link');
    expect(await world.standIns.messages(phone)).toHaveLength(1);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it('may be repeated', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await customer.switchTo(id, 'paymentLink');
    await customer.reach(id, 'awaiting_link');
    const again = await customer.switchTo(id, 'paymentLink');
    expect([again.status, again.replayed, again.body.state]).toEqual([200, true, 'awaiting_link']);
    expect(await world.standIns.messages(customer.phone ?? '')).toHaveLength(1);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it('may be repeated with the contact the rail was opened with, by the plan or by the switch', async ({
    newCaller,
    world,
  }) => {
    const [planned, switched] = [newCaller(), newCaller({ phone: null, email: 'grace@example.com' })];
    const byPlan = await planned.begin({}, { rails: ['paymentLink'] });
    await planned.reach(byPlan, 'awaiting_link');
    const bySwitch = await switched.begin();
    await switched.reach(bySwitch, 'awaiting_wallet');
    const phone = '+15559990002';
    await switched.switchTo(bySwitch, 'paymentLink', { phone });
    await switched.reach(bySwitch, 'awaiting_link');
    for (const [caller, id, contact] of [
      [planned, byPlan, { phone: planned.phone }],
      [switched, bySwitch, { phone: '+1 (555) 999-0002' }],
      [switched, bySwitch, { phone, email: 'grace@example.com' }],
      [switched, bySwitch, {}],
    ] as const) {
      const events = await caller.historyLength(id);
      const again = await caller.switchTo(id, 'paymentLink', contact);
      expect([again.status, again.replayed, again.body.state]).toEqual([200, true, 'awaiting_link']);
      expect(await caller.historyLength(id)).toBe(events);
    }
    expect(await world.standIns.messages(phone)).toHaveLength(1);
    await world.standIns.pay(byPlan);
    await planned.reach(byPlan, 'paid');
    await world.standIns.pay(bySwitch);
    await switched.reach(bySwitch, 'paid');
  });

  it('to the rail that is open, with another contact, does not claim that it was sent there', async ({
    customer,
    world,
  }) => {
    const id = await customer.begin({}, { rails: ['paymentLink'] });
    await customer.reach(id, 'awaiting_link');
    const phone = '+15559990003';
    const other = await customer.switchTo(id, 'paymentLink', { phone });
    expect([other.status, other.body.code]).toEqual([409, 'rail_unavailable']);
    expect(await world.standIns.messages(phone)).toEqual([]);
    const wrong = await customer.switchTo(id, 'paymentLink', { phone: '12' });
    expect([wrong.status, wrong.body.code]).toEqual([422, 'phone_invalid']);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it('twice at once is one switch', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const answers = await Promise.all([1, 2, 3].map(() => customer.switchTo(id, 'paymentLink')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    await customer.reach(id, 'awaiting_link');
    expect(await world.standIns.messages(customer.phone ?? '')).toHaveLength(1);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  it('may be repeated while the wallet request is being withdrawn', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const route = 'POST /v1/link/agent_authorizations/:id/cancel';
    await world.standIns.fault({ route, kind: 'hold' });
    const first = customer.switchTo(id, 'paymentLink');
    await customer.reach(id, 'closing');
    const again = await customer.switchTo(id, 'paymentLink', { phone: customer.phone });
    expect([again.status, again.replayed, again.body.state]).toEqual([200, true, 'closing']);
    const other = await customer.switchTo(id, 'paymentLink', { phone: '+15559990004' });
    expect([other.status, other.body.code]).toEqual([409, 'rail_unavailable']);
    await world.standIns.release(route);
    await first;
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it('is refused for a rail that was tried before', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await customer.switchTo(id, 'paymentLink');
    await customer.reach(id, 'awaiting_link');
    const { status, body } = await customer.switchTo(id, 'linkWallet');
    expect([status, body.code]).toEqual([409, 'rail_unavailable']);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it('is refused for a rail that the plan does not hold', async ({ customer }) => {
    const id = await customer.begin({}, { rails: ['linkWallet'] });
    await customer.reach(id, 'awaiting_wallet');
    const { status, body } = await customer.switchTo(id, 'paymentLink');
    expect([status, body.code]).toEqual([409, 'rail_unavailable']);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  it('is refused, and changes nothing, when the number cannot be used', async ({ customer }) => {
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    const { status, body } = await customer.switchTo(id, 'paymentLink', { phone: '12' });
    expect([status, body.code]).toEqual([422, 'phone_invalid']);
    expect((await customer.get(id)).body).toEqual(before);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  it('is refused after the end', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    const { status, body } = await customer.switchTo(id, 'paymentLink');
    expect([status, body.code]).toEqual([409, 'rail_unavailable']);
  });

  it('finds the payment when the caller approved in the same moment', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const [approved] = await Promise.all([world.standIns.approve(id), customer.switchTo(id, 'paymentLink')]);
    if (approved) {
      await customer.reach(id, 'paid');
      expect(await world.standIns.messages(customer.phone ?? '')).toEqual([]);
    } else {
      await customer.reach(id, 'awaiting_link');
      await world.standIns.pay(id);
      await customer.reach(id, 'paid');
    }
  });
});
