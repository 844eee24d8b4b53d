import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoClient, SpokenRefund } from './demo-client.js';
import { Dialogue, money } from './dialogue.js';
import type { LineSink } from './terminal.js';

const small = 2_000;
const large = 8_000;

/** The third call: some money back at once, and more once a person has approved it. Returns what the ledger disagrees with. */
export async function playRefunds(client: DemoClient, sink: LineSink, checkoutId: string): Promise<string[]> {
  const talk = new Dialogue(sink, 'Call 3: the caller asks for money back, twice');
  const call = { id: `demo-${randomUUID()}`, channel: 'voice' };
  const ask = (amount: number, words: string) => {
    talk.caller(words);
    return client.askRefund({
      checkout_id: checkoutId,
      amount,
      reason: 'requested_by_customer',
      call,
      words,
    });
  };
  const listen =
    ({ refund_id }: SpokenRefund) =>
    (since: number) =>
      client.refund(refund_id, since, 5_000);

  const first = talk.hear(await ask(small, 'The session was shorter than planned. Can I have $20 back?'));
  await talk.follow(first, listen(first), (now) => now.terminal);
  await sleep(700);
  const second = talk.hear(await ask(large, 'And $80 for the part that was cancelled.'));
  const held = await talk.follow(second, listen(second), (now) => now.state !== 'submitting');
  if (held.state === 'awaiting_approval') {
    const link = await approvalLink(client, held.refund_id);
    await sleep(1_500);
    talk.action('a colleague opens the link in their e-mail and approves', 'Person');
    await client.approveOnPage(link);
  }
  await talk.follow(held, listen(held), (now) => now.terminal);
  return disagreements(client, checkoutId);
}

async function approvalLink(client: DemoClient, refundId: string): Promise<string> {
  for (const until = Date.now() + 10_000; Date.now() < until; await sleep(100)) {
    const link = await client.approvalLink(refundId);
    if (link) return link;
  }
  throw new Error('no approver got an e-mail');
}

/** The API and the stand-in's ledger must both show what was given back. */
async function disagreements(client: DemoClient, checkoutId: string): Promise<string[]> {
  for (const until = Date.now() + 5_000; ; await sleep(100)) {
    const { amount_refunded = 0 } = await client.checkout(checkoutId, 0, 0);
    const { charges } = await client.ledger();
    const charge = charges.find(({ metadata }) => metadata['vc_checkout'] === checkoutId);
    const right = amount_refunded === small + large && charge?.amount_refunded === small + large;
    if (right) return [];
    if (Date.now() > until) {
      return [
        `${checkoutId}: ${money(amount_refunded, 'usd')} shown as given back, the ledger has ${money(charge?.amount_refunded ?? 0, 'usd')}`,
      ];
    }
  }
}
