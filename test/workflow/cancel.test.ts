import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const it = checkoutTest();

const started = 'started starting';
const asked = 'wallet_asked awaiting_wallet linkWallet';
const opened = 'link_opened sending_link paymentLink';
const sent = 'link_sent awaiting_link paymentLink';
const ended = (rail: string) => [
  `closing closing ${rail} (canceled)`,
  `rail_closed closing ${rail} (canceled)`,
  `ended canceled ${rail} (canceled)`,
];
const onlyLink = { rails: ['paymentLink'] };
const authorize = 'POST /v1/link/agent_authorizations';
const withdraw = 'POST /v1/link/agent_authorizations/:id/cancel';
const confirm = 'POST /v1/payment_intents/:id/confirm';
const text = 'POST /2010-04-01/Accounts/:account/Messages.json';

/** The run knows that it is to stop, whatever it is in the middle of. */
const cancelTaken = (world: World, checkoutId: string) =>
  until('the run has taken the cancel in', async () => {
    const { events } = await world.handleOf('acme', checkoutId).fetchHistory();
    const updates = events?.map((event) => event.workflowExecutionUpdateAcceptedEventAttributes);
    return updates?.some((update) => update?.acceptedRequest?.input?.name === 'cancelCheckout');
  });

describe('cancel', () => {
  it('ends a checkout that is still starting, as soon as what it opened is shut', async ({
    customer,
    world,
  }) => {
    await world.standIns.fault({ route: authorize, kind: 'hold' });
    const id = await customer.begin();
    expect((await customer.get(id)).body).toMatchObject({ state: 'starting', allowed: ['cancel'] });
    const canceling = customer.cancel(id);
    await cancelTaken(world, id);
    await world.standIns.release(authorize);
    const { status, body } = await canceling;
    expect([status, ['closing', 'canceled'].includes(body.state)]).toEqual([200, true]);
    expect(await customer.account(id, 'canceled')).toEqual({
      reason: 'canceled',
      attempts: ['linkWallet ended (canceled)'],
      story: [started, asked, ...ended('linkWallet')],
    });
  });

  it('withdraws the request from the wallet', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    expect((await customer.cancel(id, 'changed my mind')).status).toBe(200);
    expect(await customer.account(id, 'canceled')).toEqual({
      reason: 'canceled',
      attempts: ['linkWallet ended (canceled)'],
      story: [started, asked, ...ended('linkWallet')],
    });
    expect((await world.standIns.authorization(id)).status).toBe('canceled');
    expect((await customer.get(id)).body.say).toBe("That's cancelled, and nothing was charged.");
  });

  it('shuts the page while its link is being texted', async ({ customer, world }) => {
    await world.standIns.fault({ route: text, kind: 'hold' });
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'sending_link');
    const canceling = customer.cancel(id);
    await cancelTaken(world, id);
    await world.standIns.release(text);
    expect((await canceling).status).toBe(200);
    expect(await customer.account(id, 'canceled')).toEqual({
      reason: 'canceled',
      attempts: ['paymentLink ended (canceled)'],
      story: [started, opened, sent, ...ended('paymentLink')],
    });
    expect((await world.standIns.session(id)).status).toBe('expired');
  });

  it('shuts the page that the caller has the link to', async ({ customer, world }) => {
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'awaiting_link');
    expect((await customer.cancel(id)).status).toBe(200);
    expect(await customer.account(id, 'canceled')).toEqual({
      reason: 'canceled',
      attempts: ['paymentLink ended (canceled)'],
      story: [started, opened, sent, ...ended('paymentLink')],
    });
    expect(await world.standIns.pay(id)).toBe(false);
  });

  it('opens nothing more when it comes while a rail is being shut', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'hasty' });
    await world.standIns.fault({ route: withdraw, kind: 'hold' });
    const id = await customer.begin();
    await customer.reach(id, 'closing');
    expect((await customer.cancel(id)).status).toBe(200);
    await world.standIns.release(withdraw);
    expect(await customer.account(id, 'canceled')).toEqual({
      reason: 'canceled',
      attempts: ['linkWallet ended (no_response)'],
      story: [
        started,
        asked,
        'closing closing linkWallet (no_response)',
        'rail_closed closing linkWallet (no_response)',
        'ended canceled linkWallet (canceled)',
      ],
    });
    expect(await world.standIns.requests({ checkoutId: id, route: 'POST /v1/checkout/sessions' })).toEqual(
      [],
    );
  });

  it('is refused while an approval is being charged', async ({ customer, world }) => {
    await world.standIns.fault({ route: confirm, kind: 'hold' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token' });
    await customer.reach(id, 'charging');
    const { status, body } = await customer.cancel(id);
    expect([status, body.code]).toEqual([409, 'payment_in_flight']);
    await world.standIns.release(confirm);
    await customer.reach(id, 'paid');
  });

  it('is refused while a bank debit is under way', async ({ customer, world }) => {
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id, 'processing');
    await customer.reach(id, 'processing');
    const { status, body } = await customer.cancel(id);
    expect([status, body.code]).toEqual([409, 'payment_in_flight']);
    await world.standIns.settle(id, 'succeeded');
    await customer.reach(id, 'paid');
  });

  it('is refused while the outcome cannot be proved', async ({ customer, world }) => {
    const id = await customer.begin();
    customer.leavesOpen.add(id);
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'nothing' });
    await customer.reach(id, 'needs_attention');
    const { status, body } = await customer.cancel(id);
    expect([status, body.code]).toEqual([409, 'payment_in_flight']);
  });

  it('may be repeated, also long after the end', async ({ customer }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await Promise.all([customer.cancel(id), customer.cancel(id), customer.cancel(id)]);
    const canceled = await customer.reach(id, 'canceled');
    const { status, body } = await customer.cancel(id);
    expect([status, body]).toEqual([200, canceled]);
  });

  it('answers a checkout that ended without money with its end', async ({ newCaller }) => {
    const customer = newCaller({ phoneEnd: '0404' });
    const id = await customer.begin({}, { rails: ['linkWallet'] });
    await customer.reach(id, 'failed');
    const { status, body } = await customer.cancel(id);
    expect([status, body.state]).toEqual([200, 'failed']);
  });

  it('does not pretend to undo a payment', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    const { status, body } = await customer.cancel(id);
    expect([status, body.code, body.checkout_id]).toEqual([409, 'already_paid', id]);
  });
});

describe('a cancel that meets an approval', () => {
  it('finds the payment when the approval came first and its webhook is lost', async ({
    customer,
    world,
  }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.fault({ webhook: 'lose', times: 20 });
    expect(await world.standIns.approve(id)).toBe(true);
    const { status } = await customer.cancel(id);
    expect([200, 409]).toContain(status);
    const { story, attempts } = await customer.account(id, 'paid');
    expect(attempts).toEqual(['linkWallet paid']);
    expect(story).toEqual([started, asked, 'closing closing linkWallet (canceled)', 'paid paid linkWallet']);
  });

  it('finds the payment when the approval comes while the withdrawal is on its way', async ({
    customer,
    world,
  }) => {
    await world.standIns.fault({ route: withdraw, kind: 'hold' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const canceling = customer.cancel(id);
    await customer.reach(id, 'closing');
    expect(await world.standIns.approve(id)).toBe(true);
    await world.standIns.release(withdraw);
    await canceling;
    await customer.reach(id, 'paid');
  });

  it('makes a later approval impossible', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
    expect(await world.standIns.approve(id)).toBe(false);
  });

  it('leaves a token unspent that was granted while the withdrawal was on its way', async ({
    customer,
    world,
  }) => {
    await world.standIns.fault({ route: withdraw, kind: 'hold' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const canceling = customer.cancel(id);
    await customer.reach(id, 'closing');
    expect(await world.standIns.approve(id, { grants: 'shared_payment_token' })).toBe(true);
    await world.standIns.release(withdraw);
    await canceling;
    await customer.reach(id, 'canceled');
    // Only this deployment could spend the token, and it ends by itself: no API takes it back.
    customer.leavesOpen.add(id);
    const { live_instruments } = await world.standIns.ledger();
    const live = live_instruments.filter(({ metadata }) => metadata['vc_checkout'] === id);
    expect(live.map(({ type }) => type)).toEqual(['shared_payment_token']);
  });

  it('ends paid or canceled, and the ledger agrees, whichever comes first', async ({ newCaller, world }) => {
    const ends = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const customer = newCaller();
        const id = await customer.begin();
        await customer.reach(id, 'awaiting_wallet');
        const acts = [() => customer.cancel(id), () => world.standIns.approve(id)];
        if (index % 2 === 0) acts.reverse();
        await Promise.all(acts.map((act) => act()));
        return customer.reach(id, ({ terminal }) => terminal);
      }),
    );
    for (const { state } of ends) expect(['paid', 'canceled']).toContain(state);
  });
});

describe('a cancel from the Temporal UI', () => {
  it.for(['awaiting_wallet', 'awaiting_link'] as const)(
    'shuts what is open in %s before the run ends',
    async (state, { customer, world }) => {
      const id = await customer.begin({}, state === 'awaiting_link' ? onlyLink : {});
      await customer.reach(id, state);
      await world.handleOf('acme', id).cancel();
      await customer.reach(id, 'canceled');
      await world.handleOf('acme', id).result();
      expect((await world.handleOf('acme', id).describe()).status.name).toBe('COMPLETED');
    },
  );

  it('does not stop a charge that is under way', async ({ customer, world }) => {
    await world.standIns.fault({ route: confirm, kind: 'hold' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token' });
    await customer.reach(id, 'charging');
    await world.handleOf('acme', id).cancel();
    await world.standIns.release(confirm);
    await customer.reach(id, 'paid');
  });

  it('while the start is being answered ends the checkout, too', async ({ customer, world }) => {
    await world.standIns.fault({ route: authorize, kind: 'hold' });
    const { body: quote } = await customer.quote();
    const starting = customer.start(quote);
    await until('the run', async () => (await customer.get(quote.checkout_id)).status === 200);
    await world.handleOf('acme', quote.checkout_id).cancel();
    await world.standIns.release(authorize);
    expect((await starting).status).toBe(202);
    await customer.reach(quote.checkout_id, 'canceled');
  });
});
