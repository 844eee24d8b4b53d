import proto from '@temporalio/proto';
import type { Client } from '@temporalio/client';
import type { Subject } from './load.js';
import { median } from './statistics.js';
import type { productSubject } from './subjects.js';

const { History } = proto.temporal.api.history.v1;

/** What one run leaves behind on the server. */
export interface HistorySize {
  /** Largest number of events seen: the bar is for every checkout. */
  events: number;
  /** Median size of the encoded history. */
  bytes: number;
}

/** Happy path: asked in the wallet, approved, paid. */
export async function happyHistory(
  product: ReturnType<typeof productSubject>,
  client: Client,
  samples: number,
): Promise<HistorySize> {
  return sizes(client, samples, async () => {
    const checkout = await product.open();
    await checkout.reaches('awaiting_wallet');
    await checkout.approve();
    await checkout.reaches('paid');
    return checkout.workflowId;
  });
}

/** Fallback: declined in the wallet, link by SMS, paid on the page. */
export async function fallbackHistory(
  product: ReturnType<typeof productSubject>,
  client: Client,
  samples: number,
): Promise<HistorySize> {
  return sizes(client, samples, async () => {
    const checkout = await product.open();
    await checkout.reaches('awaiting_wallet');
    await checkout.decline();
    await checkout.reaches('awaiting_link');
    await checkout.payLink();
    await checkout.reaches('paid');
    return checkout.workflowId;
  });
}

export async function bareHistory(bare: Subject, client: Client, samples: number): Promise<HistorySize> {
  return sizes(client, samples, async () => {
    const started = await (await bare.prepare()).start();
    await started.pay();
    return started.workflowId;
  });
}

/** One at a time, so that each history is that of an undisturbed checkout. */
async function sizes(client: Client, samples: number, run: () => Promise<string>): Promise<HistorySize> {
  const events: number[] = [];
  const bytes: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const handle = client.workflow.getHandle(await run());
    await handle.result();
    const history = await handle.fetchHistory();
    events.push(history.events?.length ?? 0);
    bytes.push(History.encode(history).finish().length);
  }
  return { events: Math.max(...events), bytes: median(bytes) };
}
