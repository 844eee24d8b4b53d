import { describe, expect } from 'vitest';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import type { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';

const it = checkoutTest();

interface Metadata {
  currentDetails?: string;
}

async function currentDetails({ world, tenant }: Caller, id: string): Promise<string> {
  const { currentDetails: details } = await world
    .handleOf(tenant, id)
    .query<Metadata>('__temporal_workflow_metadata');
  return details ?? '';
}

describe.concurrent('the Temporal UI', () => {
  it('names the sum and what is bought', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const description = await world.handleOf('acme', id).describe();
    expect(await description.staticSummary()).toBe('$49.00 Growth plan');
    expect(description.type).toBe('checkout');
    expect(description.workflowId).toBe(`checkout/acme/${id}`);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  it('finds a run by tenant, call, state and rail', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const found = async (query: string) => {
      for await (const { workflowId } of world.client.workflow.list({ query })) {
        if (workflowId === checkoutWorkflowId('acme', id)) return true;
      }
      return false;
    };
    const base = `TenantId = "acme" AND CallId = "${customer.callId}"`;
    await until('the waiting run', () =>
      found(`${base} AND CheckoutState = "awaiting_wallet" AND Rail = "linkWallet"`),
    );
    expect(await found(`TenantId = "globex" AND CallId = "${customer.callId}"`)).toBe(false);
    await customer.switchTo(id, 'paymentLink');
    await until('the run on the link', () =>
      found(`${base} AND CheckoutState = "awaiting_link" AND Rail = "paymentLink"`),
    );
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
    await until('the paid run', () => found(`${base} AND CheckoutState = "paid"`));
    expect(await found(`${base} AND CheckoutState = "awaiting_wallet"`)).toBe(false);
  });

  it('shows no phone and no e-mail in ids, memo, search attributes or details', async ({
    newCaller,
    world,
  }) => {
    const customer = newCaller({ email: 'katherine.johnson@example.com' });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await customer.switchTo(id, 'paymentLink');
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
    const { workflowId, memo, typedSearchAttributes, staticSummary, staticDetails } = await world
      .handleOf('acme', id)
      .describe();
    const shown = JSON.stringify([
      workflowId,
      memo,
      typedSearchAttributes,
      await staticSummary(),
      await staticDetails(),
      await currentDetails(customer, id),
      await customer.explain(id),
    ]);
    expect(shown).toContain(id);
    expect(shown).not.toContain((customer.phone ?? '').slice(2));
    expect(shown).not.toContain('katherine');
    expect(shown).not.toContain(customer.ref);
  });

  it.for(['awaiting_wallet', 'awaiting_link', 'paid'] as const)(
    'shows in its details what `explain` says: %s',
    async (state, { customer, world }) => {
      const id = await customer.begin({}, state === 'awaiting_link' ? { rails: ['paymentLink'] } : {});
      if (state === 'paid') {
        await customer.reach(id, 'awaiting_wallet');
        await world.standIns.approve(id);
      }
      await customer.reach(id, state);
      expect(await currentDetails(customer, id)).toBe(await customer.explain(id));
      if (state === 'paid') return;
      await customer.cancel(id);
      await customer.reach(id, 'canceled');
    },
  );
});
