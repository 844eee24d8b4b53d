import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DemoClient,
  DemoRequestError,
  type Ledger,
  type LedgerEntry,
  type SpokenCheckout,
  type SpokenQuote,
} from './demo-client.js';
import type { DevFile } from './dev-file.js';
import { playRefunds } from './demo-refunds.js';
import { Dialogue, money } from './dialogue.js';
import { type LineSink, styled } from './terminal.js';

interface Caller {
  ref: string;
  email: string;
  phone: string;
}

interface Finished {
  checkout: SpokenCheckout;
  amount: number;
  currency: string;
}

/** A wallet deadline that is nearer than this is waited for; else the caller asks for the link. */
const shortDeadlineMs = 15_000;

/** Plays the calls and compares with the ledger. True only if both are paid, once, what was asked back was given, and nothing is left open. */
export async function playCalls(dev: DevFile, sink: LineSink = process.stdout): Promise<boolean> {
  const client = new DemoClient(dev);
  const begun = Date.now();
  const byWallet = await walletCall(client, sink);
  const byLink = await linkCall(client, sink);
  const problems = await auditLedger(client, [byWallet, byLink]);
  if (problems.length === 0) problems.push(...(await playRefunds(client, sink, byLink.checkout.checkout_id)));
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  sink.write('\n');
  if (problems.length > 0) {
    for (const problem of problems) sink.write(`${styled(sink, 'red', '✗')} ${problem}\n`);
    return false;
  }
  sink.write(
    `${styled(sink, 'green', '✓')} both calls paid and both refunds given in ${seconds} s, and the ledger agrees\n\n`,
  );
  return true;
}

export function formatTotals(ledger: Ledger): string {
  const totals = Object.entries(ledger.totals).map(([currency, { captured, refunded }]) => {
    const refunds = refunded > 0 ? `, ${money(refunded, currency)} refunded` : '';
    return `${money(captured, currency)} captured${refunds}`;
  });
  return totals.length === 0 ? 'no money moved yet' : totals.join('; ');
}

async function walletCall(client: DemoClient, sink: LineSink): Promise<Finished> {
  const talk = new Dialogue(sink, 'Call 1: the caller approves in the wallet');
  const caller = newCaller();
  const { quote, checkout } = await agree(client, talk, caller, growthPlan);
  const asked = await talk.follow(
    checkout,
    listen(client, checkout),
    (now) => now.state === 'awaiting_wallet' || now.terminal,
  );
  if (asked.state === 'awaiting_wallet') {
    await sleep(2_000);
    const request = await instrument(client, 'agent_authorization', asked.checkout_id);
    talk.action('approves in the Link app');
    await client.approveWallet(request.id);
  }
  const end = await talk.follow(asked, listen(client, asked), (now) => now.terminal);
  return { checkout: end, amount: quote.amount, currency: quote.currency };
}

async function linkCall(client: DemoClient, sink: LineSink): Promise<Finished> {
  const talk = new Dialogue(sink, 'Call 2: the caller ignores the wallet, gets a link by SMS and pays there');
  const caller = newCaller();
  const { quote, checkout } = await agree(client, talk, caller, onboarding);
  let current = await talk.follow(
    checkout,
    listen(client, checkout),
    (now) => now.state === 'awaiting_wallet' || now.terminal,
  );
  if (current.state === 'awaiting_wallet') {
    const leftMs = Date.parse(current.deadline_at ?? '') - Date.now();
    if (leftMs > shortDeadlineMs) {
      await sleep(3_000);
      talk.caller('Nothing shows up in my app. Can you text me something?');
      const contact = { phone: caller.phone, email: caller.email };
      current = talk.hear(await client.switchRail(current.checkout_id, 'paymentLink', contact), current);
    }
  }
  current = await talk.follow(
    current,
    listen(client, current),
    (now) => now.state === 'awaiting_link' || now.terminal,
  );
  if (current.state === 'awaiting_link') {
    const link = await textedLink(client, caller.phone);
    talk.action(`opens the SMS: ${link.url}`);
    await sleep(1_500);
    talk.action('pays on the page');
    await client.payPage(link.sessionId);
  }
  const end = await talk.follow(current, listen(client, current), (now) => now.terminal);
  return { checkout: end, amount: quote.amount, currency: quote.currency };
}

const listen =
  (client: DemoClient, { checkout_id }: SpokenCheckout) =>
  (since: number) =>
    client.checkout(checkout_id, since, 5_000);

/** Quote, read-back, consent, start: the same for both calls. */
async function agree(
  client: DemoClient,
  talk: Dialogue,
  caller: Caller,
  wish: Wish,
): Promise<{ quote: SpokenQuote; checkout: SpokenCheckout }> {
  const call = { id: `demo-${randomUUID()}`, channel: 'voice' };
  talk.caller(wish.words);
  const quote = await quoteOf(client, { call, customer: caller, locale: 'en-US' }, wish);
  talk.agent(quote.say);
  await sleep(700);
  const words = 'Yes, please.';
  talk.caller(words);
  const { amount, currency } = quote;
  const checkout = await client.startCheckout({
    quote_token: quote.quote_token,
    consent: { amount, currency, confirmed_at: new Date().toISOString(), words },
    contact: { phone: caller.phone, email: caller.email },
  });
  talk.hear(checkout);
  return { quote, checkout };
}

interface Wish {
  words: string;
  /** Tried in turn: a catalogue without the price answers with a client error. */
  purchases: object[];
}

const growthPlan: Wish = {
  words: "I'd like the Growth plan.",
  purchases: [
    { kind: 'price', price: 'price_growth' },
    { kind: 'amount', amount: 4_900, currency: 'usd', description: 'Growth plan' },
  ],
};

const onboarding: Wish = {
  words: "I'd like to book the onboarding session.",
  purchases: [{ kind: 'amount', amount: 12_500, currency: 'usd', description: 'Onboarding session' }],
};

async function quoteOf(client: DemoClient, request: object, wish: Wish): Promise<SpokenQuote> {
  let refusal: unknown;
  for (const purchase of wish.purchases) {
    try {
      return await client.quote({ ...request, purchase });
    } catch (error) {
      if (!(error instanceof DemoRequestError) || error.status >= 500) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** New people at every run: the same customer and item would meet the paid checkout of the last run. */
function newCaller(): Caller {
  const name = `caller-${randomUUID().slice(0, 8)}`;
  const area = [202, 212, 312, 415, 617][randomInt(5)] ?? 202;
  // 555-0100 to 555-0199 are kept free for fiction.
  return { ref: name, email: `${name}@example.com`, phone: `+1${area}55501${randomInt(10, 100)}` };
}

async function instrument(client: DemoClient, type: string, checkoutId: string): Promise<LedgerEntry> {
  return eventually(`no ${type} of ${checkoutId} in the ledger`, async () =>
    (await client.ledger()).live_instruments.find((entry) => entry.type === type && isOf(entry, checkoutId)),
  );
}

async function textedLink(client: DemoClient, phone: string): Promise<{ url: string; sessionId: string }> {
  return eventually(`no link was sent to ${phone}`, async () => {
    for (const { body } of (await client.messages(phone)).reverse()) {
      const url = /https?:\/\/\S+/.exec(body)?.[0];
      const sessionId = url && /cs_\w+/.exec(url)?.[0];
      if (url && sessionId) return { url, sessionId };
    }
    return undefined;
  });
}

async function eventually<T>(failure: string, look: () => Promise<T | undefined>): Promise<T> {
  const until = Date.now() + 5_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > until) throw new Error(failure);
    await sleep(100);
  }
}

async function auditLedger(client: DemoClient, finished: readonly Finished[]): Promise<string[]> {
  const problems: string[] = [];
  const ledger = await client.ledger();
  for (const { checkout, amount, currency } of finished) {
    const id = checkout.checkout_id;
    if (checkout.state !== 'paid') problems.push(`${id} is ${checkout.state}, not paid`);
    const charges = ledger.charges.filter((charge) => isOf(charge, id));
    const right = charges.length === 1 && charges[0]?.amount === amount && charges[0].currency === currency;
    if (!right)
      problems.push(
        `${id}: the ledger has ${charges.length} charges, wanted is one of ${money(amount, currency)}`,
      );
    const live = ledger.live_instruments.filter((entry) => isOf(entry, id));
    if (live.length > 0) problems.push(`${id} left open: ${live.map((entry) => entry.id).join(', ')}`);
  }
  return problems;
}

/** Every object of ours names its checkout in the metadata, alone or inside the workflow id. */
function isOf(entry: LedgerEntry, checkoutId: string): boolean {
  return Object.values(entry.metadata).some(
    (value) => value === checkoutId || value.endsWith(`/${checkoutId}`),
  );
}
