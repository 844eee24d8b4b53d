import type { Client } from '@temporalio/client';
import { type CheckoutMemo, checkoutWorkflowId } from '../../contracts/checkout.js';
import { readMemo } from '../runs.js';

/** A checkout as its run published it, running or closed; undefined when there is none. Needs no worker. */
export async function readCheckout(
  client: Client,
  tenantId: string,
  checkoutId: string,
): Promise<CheckoutMemo | undefined> {
  const { checkout, state } =
    (await readMemo<CheckoutMemo>(client, checkoutWorkflowId(tenantId, checkoutId))) ?? {};
  return checkout && state ? { checkout, state } : undefined;
}
