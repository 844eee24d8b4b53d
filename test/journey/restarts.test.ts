import { afterAll, describe, expect, it } from 'vitest';
import { newCaller, type Checkout } from '../support/system-agent.js';
import { TestSystem } from '../support/system.js';
import { expectPaidOnce } from '../support/system-vendors.js';

const system = new TestSystem();
const { agent, standIns } = system;
afterAll(() => system.remove(), 40_000);

const walletOnly = { authorizations: 1, sessions: 0 };
const linkOnly = { authorizations: 0, sessions: 1 };

async function openBoth(): Promise<{ wallet: Checkout; link: Checkout }> {
  const [wallet, link] = await Promise.all([agent.begin(['linkWallet']), agent.begin(['paymentLink'])]);
  const open = {
    wallet: await agent.waitFor(wallet.checkout_id, 'awaiting_wallet'),
    link: await agent.waitFor(link.checkout_id, 'awaiting_link'),
  };
  for (const { checkout_id } of [wallet, link]) await system.untilSaved(checkout_id);
  return open;
}

/** The open checkouts stand as they stood, are paid, and the vendors' book says the same. */
async function finish({ wallet, link }: { wallet: Checkout; link: Checkout }): Promise<void> {
  for (const before of [wallet, link]) {
    expect((await agent.get(before.checkout_id)).body).toMatchObject({
      state: before.state,
      version: before.version,
    });
  }
  await standIns.approve(wallet.checkout_id);
  await standIns.pay(link.checkout_id);
  await agent.waitFor(wallet.checkout_id, 'paid');
  await agent.waitFor(link.checkout_id, 'paid');
  expectPaidOnce(await standIns.book(wallet.checkout_id), wallet.amount, walletOnly);
  expectPaidOnce(await standIns.book(link.checkout_id), link.amount, linkOnly);
}

describe('a system started again on the same folder', () => {
  it('answers "starting" within 1.5 s while it has no worker, and pays once one is there', async () => {
    await system.start({ workers: 0 });
    const caller = newCaller();
    const quote = await agent.quote(caller);
    const answer = await agent.start(agent.startBody(quote, caller, ['paymentLink']));
    expect(answer.status).toBe(202);
    expect(answer.body.state).toBe('starting');
    expect(answer.ms).toBeLessThan(1_500);
    expect(answer.body.say).toContain("don't pay again");
    await system.interrupt();

    await system.start({ workers: 1 });
    await agent.waitFor(quote.checkout_id, 'awaiting_link');
    await standIns.pay(quote.checkout_id);
    await agent.waitFor(quote.checkout_id, 'paid');
    expectPaidOnce(await standIns.book(quote.checkout_id), quote.amount, linkOnly);
  });

  it('goes on with open checkouts after everything was killed at once', async () => {
    const open = await openBoth();
    await system.killRun('everything');
    await system.start();
    await finish(open);
  });

  it('ends the orphans of a killed start, says so, and goes on with what they had open', async () => {
    const open = await openBoth();
    await system.killRun('start alone');
    await system.start();
    expect(system.output).toMatch(/An earlier start was killed; its processes are ended: .*temporal \d+/);
    await finish(open);
  });
});
