import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openBrowser, screenshot } from '../support/browser.js';
import { Agent, newCaller, type Refund } from '../support/system-agent.js';
import { useSystem } from '../support/system.js';

const system = useSystem();
const { agent, standIns } = system;
const approver = new Agent(
  () => system.dev,
  () => system.dev.keys.approver,
);

const price = 12_000;
/** Below and above the sample tenant's threshold. */
const small = 2_000;
const large = 8_000;
/** Who is asked first for the sample tenant. */
const dana = 'dana@acme.test';

async function paidCheckout(): Promise<string> {
  const caller = newCaller();
  const quote = await agent.quote(caller, price, 'Growth plan');
  const { checkout_id } = (await agent.start(agent.startBody(quote, caller, ['linkWallet']))).body;
  await agent.waitFor(checkout_id, 'awaiting_wallet');
  await standIns.approve(checkout_id);
  await agent.waitFor(checkout_id, 'paid');
  return checkout_id;
}

async function askedRefund(checkoutId: string, amount: number, words?: string): Promise<Refund> {
  const { status, body } = await agent.askRefund(checkoutId, amount, words);
  expect(status, JSON.stringify(body)).toBe(202);
  expect(body.state === 'awaiting_approval').toBe(amount === large);
  return body;
}

/** Stripe's book and our own answer agree: given back this once, or not at all. */
async function expectGivenBack(checkoutId: string, ...amounts: number[]): Promise<void> {
  const refunded = amounts.reduce((sum, amount) => sum + amount, 0);
  await vi.waitFor(
    async () => {
      const { body } = await agent.get(checkoutId);
      expect(body).toMatchObject({ state: 'paid', amount_captured: price, amount_refunded: refunded });
    },
    { timeout: 5_000, interval: 25 },
  );
  const refunds = await standIns.refunds(checkoutId);
  expect(refunds.map(({ amount, status }) => [amount, status])).toEqual(
    amounts.map((amount) => [amount, 'succeeded']),
  );
  const { charges } = await standIns.book(checkoutId);
  expect(charges.map((charge) => [charge.amount, charge.amount_refunded])).toEqual([[price, refunded]]);
}

describe('a worker killed between a refund at Stripe and its completion', () => {
  it('gives the money back once, whether it went through at once or was approved by a person', async () => {
    const [atOnce, approved] = await Promise.all([paidCheckout(), paidCheckout()]);
    const held = await askedRefund(approved, large);
    await standIns.fault({ route: 'POST /v1/refunds', kind: 'after_effect_drop', times: 1_000 });
    const automatic = await askedRefund(atOnce, small);
    expect((await approver.decide(held, 'approve')).status).toBe(200);
    await standIns.untilDropped('POST', /\/v1\/refunds$/);
    await vi.waitFor(
      async () => {
        for (const id of [atOnce, approved]) expect(await standIns.refunds(id)).toHaveLength(1);
      },
      { timeout: 10_000, interval: 25 },
    );
    for (const { refund_id } of [automatic, held]) await agent.waitForRefund(refund_id, 'submitting');

    const killed = system.kill('worker');
    await standIns.clearFaults();
    await system.untilReplaced('worker', killed);
    for (const { refund_id } of [automatic, held]) await agent.waitForRefund(refund_id, 'refunded');
    await expectGivenBack(atOnce, small);
    await expectGivenBack(approved, large);
  });
});

describe('a worker killed while a refund waits for a person', () => {
  it('takes the approval that was given without it, or lets it be repeated, and gives the money back once', async () => {
    const checkoutId = await paidCheckout();
    const held = await askedRefund(checkoutId, large);
    const killed = system.kill('worker');
    const given = await approver.decide(held, 'approve');
    expect([200, 503]).toContain(given.status);
    await system.untilReplaced('worker', killed);
    await vi.waitFor(
      async () => {
        const { status, body } = await approver.decide(held, 'approve');
        expect(status, JSON.stringify(body)).toBe(200);
        expect(body.approval?.decision).toBe('approved');
      },
      { timeout: 20_000, interval: 100 },
    );
    await agent.waitForRefund(held.refund_id, 'refunded');
    await expectGivenBack(checkoutId, large);

    const repeated = await approver.decide(held, 'approve');
    expect([repeated.status, repeated.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect((await approver.decide(held, 'deny')).status).toBe(409);
    await expectGivenBack(checkoutId, large);
  });
});

describe('an approver with a phone', () => {
  let context: BrowserContext;
  let closeBrowser: () => Promise<void>;

  beforeAll(async () => {
    ({ context, close: closeBrowser } = await openBrowser());
  }, 60_000);

  afterAll(() => closeBrowser());

  /** Follows the link of the e-mail. */
  async function openApproval(refundId: string): Promise<Page> {
    const page = await context.newPage();
    const answer = await page.goto(await standIns.approvalLink(refundId, dana));
    expect(answer?.status()).toBe(200);
    return page;
  }

  const fact = (page: Page, label: string) => page.locator(`dt:text-is("${label}") + dd`);

  /** By Tab alone, from wherever the keyboard is. */
  async function tabTo(page: Page, selector: string): Promise<void> {
    const focused = page.locator(`${selector}:focus`);
    for (let presses = 0; presses < 10; presses++) {
      await page.keyboard.press('Tab');
      if ((await focused.count()) > 0) return;
    }
    throw new Error(`${selector} is not reached by Tab`);
  }

  it('sees what is asked, why and what was said, presses Approve, and the caller gets the money back', async () => {
    const checkoutId = await paidCheckout();
    const first = await askedRefund(checkoutId, small);
    await agent.waitForRefund(first.refund_id, 'refunded');
    await expectGivenBack(checkoutId, small);
    const words = 'Two of the sessions were cancelled <by you> & never held.';
    const held = await askedRefund(checkoutId, large, words);

    const page = await openApproval(held.refund_id);
    await page.getByText('$80.00', { exact: true }).waitFor();
    expect(await fact(page, 'For').innerText()).toBe('Growth plan');
    expect(await fact(page, 'Reason').innerText()).toBe('requested by customer');
    expect(await fact(page, 'The caller said').innerText()).toBe(`“${words}”`);
    expect(await fact(page, 'Why you are asked').innerText()).not.toBe('');
    const history = page.locator('h2:text-is("History of this payment") + dl');
    expect(await history.innerText()).toMatch(/UTC\npaid\n/);
    const sideways = 'document.documentElement.scrollWidth > innerWidth';
    expect(await page.evaluate(sideways), 'scrolls sideways').toBe(false);
    expect((await agent.waitForRefund(held.refund_id, 'awaiting_approval')).version).toBe(held.version);
    // The picture shows the whole page, buttons and all, on a phone that is long enough for it.
    await page.setViewportSize({ width: 390, height: await page.evaluate('document.body.scrollHeight') });
    await screenshot(page, 'approval-page');
    await page.setViewportSize({ width: 390, height: 844 });

    await page.getByRole('button', { name: 'Approve refund' }).click();
    await fact(page, 'Decided')
      .getByText(/^approved by person:dana at /)
      .waitFor();
    expect(await page.getByRole('button').count()).toBe(0);
    const { approval } = await agent.waitForRefund(held.refund_id, 'refunded');
    expect(approval).toMatchObject({ decision: 'approved', decided_by: 'person:dana' });
    await expectGivenBack(checkoutId, small, large);
    await page.reload();
    expect(await fact(page, 'State').innerText()).toBe('Approved and given back');
    await page.close();
  });

  it('denies by keyboard alone with a note, and finds out from the same link who decided', async () => {
    const checkoutId = await paidCheckout();
    const held = await askedRefund(checkoutId, large);
    const note = 'The sessions were held; see the calendar.';
    const page = await openApproval(held.refund_id);
    await tabTo(page, 'textarea[name=note]');
    await page.keyboard.type(note);
    await tabTo(page, 'button[value=denied]');
    await page.keyboard.press('Enter');
    await fact(page, 'Decided').waitFor();
    await page.close();
    const { approval } = await agent.waitForRefund(held.refund_id, 'denied');
    expect(approval).toMatchObject({ decision: 'denied', decided_by: 'person:dana', note });

    const again = await openApproval(held.refund_id);
    expect(await fact(again, 'State').innerText()).toBe('Denied');
    expect(await fact(again, 'Decided').innerText()).toMatch(/^denied by person:dana at .* UTC$/);
    expect(await fact(again, 'Note').innerText()).toBe(note);
    expect(await again.getByRole('button').count()).toBe(0);
    await again.close();
    await expectGivenBack(checkoutId);
  });
});
