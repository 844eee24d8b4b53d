import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { repository } from './system.js';

/** A real Chromium with a profile of its own. Where there is none, the launch fails, and so do the tests. */
export async function openBrowser(): Promise<{ context: BrowserContext; close: () => Promise<void> }> {
  const profile = mkdtempSync(join(tmpdir(), 'browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    headless: true,
    viewport: { width: 390, height: 844 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const close = async (): Promise<void> => {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { context, close };
}

/** Into docs/ when UPDATE_SCREENSHOTS is set, else where nobody sees it: that it can be taken is always checked. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const update = process.env['UPDATE_SCREENSHOTS'] !== undefined;
  const folder = update ? join(repository, 'docs') : mkdtempSync(join(tmpdir(), 'screenshots-'));
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
  if (!update) rmSync(folder, { recursive: true });
}
