import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';

const it = checkoutTest();

const started = 'started starting';
const opened = 'link_opened sending_link paymentLink';
const sent = 'link_sent awaiting_link paymentLink';
const onlyLink = { rails: ['paymentLink'] };

describe.concurrent('the payment link', () => {
  it('is texted to the caller and paid on its page', async ({ customer, world }) => {
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'awaiting_link');
    const { id: session } = await world.standIns.session(id);
    const [message, ...more] = await world.standIns.messages(customer.phone ?? '');
    expect(message?.body).toContain(`/c/pay/${session}`);
    expect(more).toEqual([]);
    await world.standIns.pay(id);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['paymentLink paid'],
      story: [started, opened, sent, 'paid paid paymentLink'],
    });
  });

  it('survives a declined card on the page and is paid there', async ({ customer, world }) => {
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id, 'declined');
    const declined = await customer.reach(id, ({ version }) => version === 4);
    expect(declined).toMatchObject({ state: 'awaiting_link', terminal: false });
    await world.standIns.pay(id);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['paymentLink paid'],
      story: [
        started,
        opened,
        sent,
        'payment_declined awaiting_link paymentLink (declined)',
        'paid paid paymentLink',
      ],
    });
  });

  it('fails, with the page shut, when the number has opted out', async ({ newCaller, world }) => {
    const customer = newCaller({ phone: '+15005550004' });
    const id = await customer.begin({}, onlyLink);
    expect(await customer.account(id, 'failed')).toEqual({
      reason: 'undeliverable',
      attempts: ['paymentLink ended (undeliverable)'],
      story: [
        started,
        opened,
        'closing closing paymentLink (undeliverable)',
        'rail_closed closing paymentLink (undeliverable)',
        'ended failed paymentLink (undeliverable)',
      ],
    });
    expect((await world.standIns.session(id)).status).toBe('expired');
  });

  it('fails, with the page shut, when the message does not arrive', async ({ newCaller, world }) => {
    const customer = newCaller({ phoneEnd: '0003' });
    const id = await customer.begin({}, onlyLink);
    expect(await customer.account(id, 'failed')).toEqual({
      reason: 'undeliverable',
      attempts: ['paymentLink ended (undeliverable)'],
      story: [
        started,
        opened,
        sent,
        'closing closing paymentLink (undeliverable)',
        'rail_closed closing paymentLink (undeliverable)',
        'ended failed paymentLink (undeliverable)',
      ],
    });
    expect((await world.standIns.session(id)).status).toBe('expired');
  });

  it('expires when the caller lets the deadline pass', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'restless' });
    const id = await customer.begin();
    expect(await customer.account(id, 'expired')).toEqual({
      reason: 'no_response',
      attempts: ['linkWallet ended (no_response)', 'paymentLink ended (no_response)'],
      story: [
        started,
        'wallet_asked awaiting_wallet linkWallet',
        'closing closing linkWallet (no_response)',
        'rail_closed closing linkWallet (no_response)',
        opened,
        sent,
        'closing closing paymentLink (no_response)',
        'rail_closed closing paymentLink (no_response)',
        'ended expired paymentLink (no_response)',
      ],
    });
    expect((await world.standIns.session(id)).status).toBe('expired');
    const { body } = await customer.get(id);
    expect(body).toMatchObject({ say: "It didn't go through, and nothing was charged.", allowed: [] });
  });

  it('waits through a bank debit and is paid when the bank says yes', async ({ customer, world }) => {
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id, 'processing');
    const processing = await customer.reach(id, 'processing');
    expect(processing).toMatchObject({ allowed: [], amount_captured: 0 });
    expect(processing.deadline_at).toBeUndefined();
    await world.standIns.settle(id, 'succeeded');
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['paymentLink paid'],
      story: [started, opened, sent, 'payment_processing processing paymentLink', 'paid paid paymentLink'],
    });
  });

  it('is declined when the bank says no', async ({ customer, world }) => {
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id, 'processing');
    await customer.reach(id, 'processing');
    await world.standIns.settle(id, 'failed');
    expect(await customer.account(id, 'declined')).toEqual({
      reason: 'declined',
      attempts: ['paymentLink ended (declined)'],
      story: [
        started,
        opened,
        sent,
        'payment_processing processing paymentLink',
        'closing closing paymentLink (declined)',
        'rail_closed closing paymentLink (declined)',
        'ended declined paymentLink (declined)',
      ],
    });
  });
});

describe('a page that is paid in the last moment', () => {
  const expire = 'POST /v1/checkout/sessions/:id/expire';
  const text = 'POST /2010-04-01/Accounts/:account/Messages.json';

  it('is paid when the payment beats the expiry that is already on its way', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'brisk' });
    await world.standIns.fault({ route: expire, kind: 'hold' });
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'closing');
    expect(await world.standIns.pay(id)).toBe(true);
    await world.standIns.release(expire);
    expect(await customer.account(id, 'paid')).toEqual({
      reason: undefined,
      attempts: ['paymentLink paid'],
      story: [started, opened, sent, 'closing closing paymentLink (no_response)', 'paid paid paymentLink'],
    });
  });

  it('is paid when its webhook is lost and the deadline comes next', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'brisk' });
    // The deadline runs from the text on: before it there is all the time to pay.
    await world.standIns.fault({ webhook: 'lose', times: 20 }, { route: text, kind: 'hold' });
    const id = await customer.begin({}, onlyLink);
    expect(await world.standIns.pay(id)).toBe(true);
    await world.standIns.release(text);
    const { story } = await customer.account(id, 'paid');
    expect(story.slice(3)).toEqual(['closing closing paymentLink (no_response)', 'paid paid paymentLink']);
  });

  it('outlives its deadline while a bank debit is under way', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'brisk' });
    await world.standIns.fault({ route: text, kind: 'hold' });
    const id = await customer.begin({}, onlyLink);
    await world.standIns.pay(id, 'processing');
    await until('the debit to be signaled', () =>
      world.webhooks.seen.some(({ body, effect }) => effect === 'signaled' && body.includes(id)),
    );
    await world.standIns.release(text);
    await customer.reach(id, 'processing');
    const deadlineAt = Date.now() + 400;
    await until('the deadline to pass', () => Date.now() > deadlineAt + 100);
    expect((await customer.get(id)).body.state).toBe('processing');
    await world.standIns.settle(id, 'succeeded');
    await customer.reach(id, 'paid');
  });

  it('is processing when a bank debit beats the expiry', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'brisk' });
    await world.standIns.fault({ route: expire, kind: 'hold' });
    const id = await customer.begin({}, onlyLink);
    await customer.reach(id, 'closing');
    expect(await world.standIns.pay(id, 'processing')).toBe(true);
    await world.standIns.release(expire);
    await customer.reach(id, 'processing');
    await world.standIns.settle(id, 'succeeded');
    await customer.reach(id, 'paid');
  });
});
