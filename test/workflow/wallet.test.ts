import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';

const it = checkoutTest();

const asked = ['started starting', 'wallet_asked awaiting_wallet linkWallet'];
const linkSent = ['link_opened sending_link paymentLink', 'link_sent awaiting_link paymentLink'];
const paidByLink = [...linkSent, 'paid paid paymentLink'];

describe.concurrent('the wallet rail', () => {
  it('is paid when the caller approves and the approval brings a payment', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['linkWallet paid'],
      story: [...asked, 'wallet_approved charging linkWallet', 'paid paid linkWallet'],
    });
    const { body } = await customer.get(id);
    expect(body).toMatchObject({ terminal: true, next: { action: 'done' }, allowed: [], livemode: false });
    expect(body.say).toBe(
      `Your payment of $49.00 is confirmed. Confirmation number ${body.confirmation_number}.`,
    );
    expect(await world.standIns.messages(customer.phone ?? '')).toEqual([]);
  });

  it('charges the token that an approval brings, in two steps', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token' });
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['linkWallet paid'],
      story: [
        ...asked,
        'wallet_approved charging linkWallet',
        'charge_created charging linkWallet',
        'paid paid linkWallet',
      ],
    });
  });

  it.for([
    ['declined', 'declined'],
    ['insufficient_funds', 'declined'],
    ['authentication_required', 'needs_authentication'],
  ] as const)(
    'goes on to the link when the token is refused: %s',
    async ([outcome, reason], { customer, world }) => {
      const id = await customer.begin();
      await customer.reach(id, 'awaiting_wallet');
      await world.standIns.approve(id, { grants: 'shared_payment_token', outcome });
      await customer.reach(id, 'awaiting_link');
      await world.standIns.pay(id);
      expect(await customer.account(id, 'paid')).toEqual({
        reason: undefined,
        attempts: [`linkWallet ended (${reason})`, 'paymentLink paid'],
        story: [
          ...asked,
          'wallet_approved charging linkWallet',
          'charge_created charging linkWallet',
          `closing closing linkWallet (${reason})`,
          `rail_closed closing linkWallet (${reason})`,
          ...paidByLink,
        ],
      });
      const confirms = await world.standIns.requests({
        checkoutId: id,
        route: 'POST /v1/payment_intents/:id/confirm',
      });
      expect(confirms).toHaveLength(1);
    },
  );

  it('goes on to the link when the payment an approval brought was refused', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { outcome: 'declined' });
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    const { attempts, story } = await customer.account(id, 'paid');
    expect(attempts).toEqual(['linkWallet ended (declined)', 'paymentLink paid']);
    expect(story).toEqual([
      ...asked,
      'wallet_approved charging linkWallet',
      'closing closing linkWallet (declined)',
      'rail_closed closing linkWallet (declined)',
      ...paidByLink,
    ]);
  });

  it('needs attention when an approval brings neither a payment nor a token', async ({ customer, world }) => {
    const id = await customer.begin();
    customer.leavesOpen.add(id);
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'nothing' });
    expect(await customer.account(id, 'needs_attention')).toEqual({
      reason: undefined,
      attempts: ['linkWallet open'],
      story: [...asked, 'wallet_approved charging linkWallet', 'attention_needed needs_attention linkWallet'],
    });
    const { body } = await customer.get(id);
    expect(body).toMatchObject({
      terminal: false,
      next: { action: 'handoff' },
      say: "I'm still confirming, please don't pay again.",
      allowed: [],
    });
    expect(await customer.explain(id)).toContain('names neither a payment nor a token');
  });

  it('goes on to the link when the caller denies', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.deny(id);
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['linkWallet ended (declined)', 'paymentLink paid'],
      story: [
        ...asked,
        'closing closing linkWallet (declined)',
        'rail_closed closing linkWallet (declined)',
        ...paidByLink,
      ],
    });
  });

  it('withdraws the request and goes on to the link when the caller ignores it', async ({
    newCaller,
    world,
  }) => {
    const customer = newCaller({ tenant: 'hasty' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_link');
    expect((await world.standIns.authorization(id)).status).toBe('canceled');
    expect(await world.standIns.approve(id)).toBe(false);
    await world.standIns.pay(id);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['linkWallet ended (no_response)', 'paymentLink paid'],
      story: [
        ...asked,
        'closing closing linkWallet (no_response)',
        'rail_closed closing linkWallet (no_response)',
        ...paidByLink,
      ],
    });
  });

  it('opens the link at once, without a retry, for a caller who has no wallet', async ({
    newCaller,
    world,
  }) => {
    const customer = newCaller({ phoneEnd: '0404' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['linkWallet ended (unreachable)', 'paymentLink paid'],
      story: ['started starting', 'rail_unavailable starting (unreachable)', ...paidByLink],
    });
    const route = 'POST /v1/link/agent_authorizations';
    expect(await world.standIns.requests({ checkoutId: id, route })).toHaveLength(1);
  });

  it('is passed over for an amount above the limit of the tenant', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'cautious' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['linkWallet skipped (over_limit)', 'paymentLink paid'],
      story: ['started starting', 'rail_skipped starting (over_limit)', ...paidByLink],
    });
    const route = 'POST /v1/link/agent_authorizations';
    expect(await world.standIns.requests({ checkoutId: id, route })).toEqual([]);
  });

  it('goes on to the link when Stripe says that the amount is above its limit', async ({
    newCaller,
    world,
  }) => {
    const customer = newCaller({ tenant: 'generous' });
    const id = await customer.begin({ amount: 50_001 });
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['linkWallet ended (over_limit)', 'paymentLink paid'],
      story: ['started starting', 'rail_unavailable starting (over_limit)', ...paidByLink],
    });
  });

  it('fails when it was the only rail and cannot be reached', async ({ newCaller }) => {
    const customer = newCaller({ phoneEnd: '0404' });
    const id = await customer.begin({}, { rails: ['linkWallet'] });
    expect(await customer.account(id, 'failed')).toEqual({
      reason: 'unreachable',
      attempts: ['linkWallet ended (unreachable)'],
      story: ['started starting', 'rail_unavailable starting (unreachable)', 'ended failed (unreachable)'],
    });
    const { body } = await customer.get(id);
    expect(body.say).toBe("It didn't go through, and nothing was charged.");
  });

  it('is declined when it was the only rail and the caller denies', async ({ customer, world }) => {
    const id = await customer.begin({}, { rails: ['linkWallet'] });
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.deny(id);
    expect(await customer.account(id, 'declined')).toEqual({
      reason: 'declined',
      attempts: ['linkWallet ended (declined)'],
      story: [
        ...asked,
        'closing closing linkWallet (declined)',
        'rail_closed closing linkWallet (declined)',
        'ended declined linkWallet (declined)',
      ],
    });
  });

  it('asks a caller without a phone by e-mail, and skips the link they could not be sent', async ({
    newCaller,
  }) => {
    const customer = newCaller({ tenant: 'hasty', phone: null, email: 'ada@example.com' });
    const id = await customer.begin();
    expect(await customer.account(id, 'expired')).toEqual({
      reason: 'no_response',
      attempts: ['linkWallet ended (no_response)', 'paymentLink skipped (unreachable)'],
      story: [
        ...asked,
        'closing closing linkWallet (no_response)',
        'rail_closed closing linkWallet (no_response)',
        'rail_skipped closing linkWallet (unreachable)',
        'ended expired linkWallet (no_response)',
      ],
    });
  });
});
