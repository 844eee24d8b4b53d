import { describe, expect } from 'vitest';
import type { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { timelyEvents } from '../support/world/history-events.js';

const it = checkoutTest();

/**
 * Events of a paid checkout that is told by one webhook of each thing that happens. Every further one costs its signal and,
 * if it comes while the run works, a workflow task: how many do, the machine and Stripe decide.
 */
async function eventsOf(customer: Caller, id: string): Promise<number> {
  await customer.reach(id, 'paid');
  customer.world.webhooks.release();
  await customer.world.handleOf(customer.tenant, id).result();
  return timelyEvents(await customer.history(id)).length;
}

describe('the history', () => {
  it('of a wallet payment stays within 32 events', async ({ customer, world }) => {
    world.webhooks.hold();
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id);
    await world.webhooks.forward(await world.webhooks.heldBack('link.agent_authorization.approved', id));
    const events = await eventsOf(customer, id);
    console.log(`events of a wallet payment: ${events}`);
    expect(events).toBeLessThanOrEqual(32);
  });

  it('of a denied wallet and a paid link stays within 64 events', async ({ customer, world }) => {
    world.webhooks.hold();
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.standIns.deny(id);
    await world.webhooks.forward(await world.webhooks.heldBack('link.agent_authorization.declined', id));
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    await world.webhooks.forward(await world.webhooks.heldBack('checkout.session.completed', id));
    const events = await eventsOf(customer, id);
    console.log(`events of a denied wallet and a paid link: ${events}`);
    expect(events).toBeLessThanOrEqual(64);
  });
});
