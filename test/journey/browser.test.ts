import { Client, Connection } from '@temporalio/client';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openBrowser, screenshot } from '../support/browser.js';
import { newCaller } from '../support/system-agent.js';
import { useSystem } from '../support/system.js';
import { expectPaidOnce } from '../support/system-vendors.js';

const system = useSystem();
const { agent, standIns } = system;
let context: BrowserContext;
let closeBrowser: () => Promise<void>;

beforeAll(async () => {
  ({ context, close: closeBrowser } = await openBrowser());
}, 60_000);

afterAll(() => closeBrowser());

async function openPhone(phone: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${system.dev.local_url}/phone/${encodeURIComponent(phone)}`);
  return page;
}

/** By Tab alone, as someone without a mouse gets there. */
async function tabTo(page: Page, selector: string): Promise<void> {
  const focused = page.locator(`${selector}:focus`);
  for (let presses = 0; presses < 30; presses++) {
    if ((await focused.count()) > 0) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${selector} is not reached by Tab`);
}

/** The Temporal UI renders summary and details in frames of their own. */
async function untilShown(page: Page, text: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const texts = await Promise.all(page.frames().map((frame) => frame.locator('body').innerText()));
      expect(
        texts.some((shown) => shown.includes(text)),
        text,
      ).toBe(true);
    },
    { timeout: 20_000, interval: 100 },
  );
}

async function payByKeyboard(page: Page, card: string): Promise<void> {
  await tabTo(page, 'input[name=card_number]');
  await page.keyboard.press('Control+A');
  await page.keyboard.type(card);
  await page.keyboard.press('Enter');
}

describe('a caller with a browser', () => {
  it('approves the wallet request on the phone by a tap', async () => {
    const caller = newCaller();
    const { checkout_id, amount } = await agent.begin(['linkWallet'], caller);
    await agent.waitFor(checkout_id, 'awaiting_wallet');
    const page = await openPhone(caller.phone);
    const request = page.getByRole('article').filter({ hasText: caller.email });
    await request.getByText('$49.00').waitFor();
    await screenshot(page, 'phone-approval');
    await request.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('Approved', { exact: true }).waitFor();
    await agent.waitFor(checkout_id, 'paid');
    expectPaidOnce(await standIns.book(checkout_id), amount, { authorizations: 1, sessions: 0 });
    await page.close();
  });

  it('follows the texted link, sees a declined card refused, and pays with another, by keyboard alone', async () => {
    const caller = newCaller();
    const { checkout_id, amount } = await agent.begin(['paymentLink'], caller);
    const { version } = await agent.waitFor(checkout_id, 'awaiting_link');
    const page = await openPhone(caller.phone);
    const { id } = await standIns.session(checkout_id);
    const link = `a[href*="${id}"]`;
    await tabTo(page, link);
    // The link may open beside the inbox; where it leads is what counts.
    const target = await page.locator(link).getAttribute('target');
    const opened = target === '_blank' ? context.waitForEvent('page') : Promise.resolve(page);
    await page.keyboard.press('Enter');
    const pay = await opened;
    await pay.waitForURL(new RegExp(id));
    await pay.getByRole('heading', { name: '$49.00' }).waitFor();
    await screenshot(pay, 'payment-page');

    await payByKeyboard(pay, '4000 0000 0000 0002');
    const refusal = pay.getByRole('alert');
    await refusal.waitFor();
    expect(await refusal.textContent()).toMatch(/declined.*Nothing was charged/);
    const declined = await agent.get(checkout_id, version, 15_000);
    expect(declined.body).toMatchObject({ state: 'awaiting_link', amount_captured: 0 });

    await payByKeyboard(pay, '4242 4242 4242 4242');
    await refusal.waitFor({ state: 'detached' });
    await agent.waitFor(checkout_id, 'paid');
    expectPaidOnce(await standIns.book(checkout_id), amount, { authorizations: 0, sessions: 1 });
    await pay.close();
  });
});

describe('ops with a browser', () => {
  it('find the run in the Temporal UI with what was sold, its rail and why it waits', async () => {
    const { checkout_id } = await agent.begin(['linkWallet', 'paymentLink']);
    await agent.waitFor(checkout_id, 'awaiting_wallet');
    await agent.switchRail(checkout_id, 'paymentLink');
    await agent.waitFor(checkout_id, 'awaiting_link');
    const workflowId = `checkout/${system.dev.tenant}/${checkout_id}`;
    const connection = await Connection.connect({ address: system.dev.temporal_address });
    const { runId } = await new Client({ connection }).workflow.getHandle(workflowId).describe();
    await connection.close();
    const page = await context.newPage();
    await page.setViewportSize({ width: 1280, height: 900 });
    const run = `${encodeURIComponent(workflowId)}/${runId}`;
    const runs = `${system.dev.ui_url}/namespaces/default/workflows`;
    await page.goto(`${runs}/${run}/timeline`);
    for (const summary of ['Withdraw the wallet request', 'Open the payment page', 'Text the link']) {
      await page.getByText(summary).first().waitFor({ timeout: 30_000 });
    }
    await page.goto(`${runs}/${run}/user-metadata`);
    await untilShown(page, '$49.00 Growth plan');
    await untilShown(page, 'Waiting for the caller to pay $49.00 on the page');
    await screenshot(page, 'temporal-run');
    await page.close();
    await agent.cancel(checkout_id);
    await agent.waitFor(checkout_id, 'canceled');
  });
});
