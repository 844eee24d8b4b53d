import { describe, expect, it, vi } from 'vitest';
import { newCaller } from '../support/system-agent.js';
import { useSystem } from '../support/system.js';
import { expectPaidOnce } from '../support/system-vendors.js';

const system = useSystem();
const { agent, standIns } = system;
const walletOnly = { authorizations: 1, sessions: 0 };
const linkOnly = { authorizations: 0, sessions: 1 };

/** The poll looks 10 s after the wait began, whatever was lost; the rest is what a loaded machine may take. */
const pollMs = 10_000 + 2_000;

describe('an API killed while it starts a checkout', () => {
  it('answers the repeat of the same body with the same checkout, and the wallet was asked once', async () => {
    const caller = newCaller();
    const quote = await agent.quote(caller);
    const body = agent.startBody(quote, caller, ['linkWallet']);
    // The start answers when the wallet was asked, so it is pending while Stripe takes its time.
    await standIns.fault({ route: 'POST /v1/link/agent_authorizations', kind: 'hold' });
    const lost = agent.start(body).then(
      ({ status }) => status,
      () => 'connection lost',
    );
    await vi.waitFor(async () => expect((await agent.get(quote.checkout_id)).body.state).toBe('starting'), {
      timeout: 2_000,
      interval: 10,
    });
    const killed = system.kill('api');
    expect(await lost).toBe('connection lost');
    await standIns.clearFaults();
    await system.untilReplaced('api', killed);
    await system.untilApiReady();
    const repeat = await agent.start(body);
    expect(repeat.status).toBe(200);
    expect(repeat.headers.get('idempotent-replayed')).toBe('true');
    expect(repeat.body.checkout_id).toBe(quote.checkout_id);
    await agent.waitFor(quote.checkout_id, 'awaiting_wallet');
    expect(await standIns.book(quote.checkout_id)).toMatchObject({
      authorizations: [{ status: 'pending' }],
      live: [{ type: 'agent_authorization' }],
    });
    await standIns.approve(quote.checkout_id);
    await agent.waitFor(quote.checkout_id, 'paid');
    expectPaidOnce(await standIns.book(quote.checkout_id), quote.amount, walletOnly);
  });
});

describe('a Temporal server killed with ten open checkouts', () => {
  it('finishes all of them paid when it is back, also those approved while it was away', async () => {
    const rails = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? 'linkWallet' : 'paymentLink'));
    const open = await Promise.all(
      rails.map(async (rail) => {
        const { checkout_id, amount } = await agent.begin([rail]);
        await agent.waitFor(checkout_id, rail === 'linkWallet' ? 'awaiting_wallet' : 'awaiting_link');
        return { id: checkout_id, rail, amount };
      }),
    );
    const capturedBefore = await standIns.captured();
    const payOf = ({ id, rail }: { id: string; rail: string }): Promise<void> =>
      rail === 'linkWallet' ? standIns.approve(id) : standIns.pay(id);
    const killed = system.kill('temporal');
    // Their webhooks find nobody and are sent again.
    for (const checkout of open.slice(0, 4)) await payOf(checkout);
    await system.untilReplaced('temporal', killed);
    for (const checkout of open.slice(4)) await payOf(checkout);
    for (const { id } of open) await agent.waitFor(id, 'paid');
    for (const { id, rail, amount } of open) {
      expectPaidOnce(await standIns.book(id), amount, rail === 'linkWallet' ? walletOnly : linkOnly);
    }
    const sum = open.reduce((total, { amount }) => total + amount, 0);
    expect((await standIns.captured()) - capturedBefore).toBe(sum);
  });
});

describe('a lost webhook', () => {
  it('costs no more than the poll: the checkouts are paid within 10 s', async () => {
    const wallet = (await agent.begin(['linkWallet'])).checkout_id;
    const link = (await agent.begin(['paymentLink'])).checkout_id;
    await agent.waitFor(wallet, 'awaiting_wallet');
    await agent.waitFor(link, 'awaiting_link');
    await standIns.fault({ webhook: 'lose', times: 1_000 });
    const begun = Date.now();
    await standIns.approve(wallet);
    await standIns.pay(link);
    const paid = await Promise.all([
      agent.waitFor(wallet, 'paid', pollMs),
      agent.waitFor(link, 'paid', pollMs),
    ]);
    expect(Date.now() - begun).toBeLessThanOrEqual(pollMs);
    await standIns.clearFaults();
    expectPaidOnce(await standIns.book(wallet), paid[0].amount, walletOnly);
    expectPaidOnce(await standIns.book(link), paid[1].amount, linkOnly);
  });
});

describe('stand-ins killed while a payment page is open', () => {
  it('keeps the page, which is paid after the restart', async () => {
    const { checkout_id, amount } = await agent.begin(['paymentLink']);
    await agent.waitFor(checkout_id, 'awaiting_link');
    const { id, url } = await standIns.session(checkout_id);
    await pageAnswers(url);
    await system.untilSaved(checkout_id);
    const killed = system.kill('local');
    await system.untilReplaced('local', killed);
    await vi.waitFor(() => pageAnswers(url), { timeout: 20_000, interval: 50 });
    expect((await standIns.session(checkout_id)).id).toBe(id);
    await standIns.pay(checkout_id);
    await agent.waitFor(checkout_id, 'paid');
    expectPaidOnce(await standIns.book(checkout_id), amount, linkOnly);
  });

  async function pageAnswers(url: string | null): Promise<void> {
    const page = await fetch(url ?? '');
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('Card number');
  }
});
