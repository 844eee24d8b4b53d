import { describe, expect, vi } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { timelyEvents } from '../support/world/history-events.js';
import { RefundDesk } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';

const it = checkoutTest();

describe('waiting for a change', () => {
  it('ends at once when the change came before the call', async ({ customer }) => {
    const id = await customer.begin();
    const { version } = await customer.reach(id, 'awaiting_wallet');
    const { body, ms } = await customer.get(id, { since: version - 1, wait_ms: 20_000 });
    expect(body.version).toBe(version);
    expect(ms).toBeLessThan(1_000);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  it('ends at the change', async ({ customer, world }) => {
    const id = await customer.begin();
    const { version } = await customer.reach(id, 'awaiting_wallet');
    const waiting = customer.get(id, { since: version, wait_ms: 20_000 });
    await world.standIns.approve(id);
    const { body, ms } = await waiting;
    expect(body.version).toBeGreaterThan(version);
    expect(ms).toBeLessThan(3_000);
    // What a waiter was told as it happened is what anyone reads afterwards.
    let told = body;
    while (!told.terminal) {
      ({ body: told } = await customer.get(id, { since: told.version, wait_ms: 20_000 }));
    }
    expect(told.state).toBe('paid');
    expect((await customer.get(id)).body).toEqual(told);
  });

  it('ends with the unchanged checkout when its time is over', async ({ customer }) => {
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    const { status, body, ms } = await customer.get(id, { since: before.version, wait_ms: 400 });
    expect([status, body]).toEqual([200, before]);
    expect(ms).toBeGreaterThanOrEqual(395);
    expect(ms).toBeLessThan(1_500);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  it('takes its whole time for a checkout that has ended and stays as it is', async ({ customer }) => {
    const id = await new RefundDesk(customer).paid();
    const { body: before } = await customer.get(id);
    const { status, body, ms } = await customer.get(id, { since: before.version, wait_ms: 1_200 });
    expect([status, body]).toEqual([200, before]);
    expect(ms).toBeGreaterThanOrEqual(1_195);
    expect(ms).toBeLessThan(2_700);
  });

  it('ends soon after a checkout that has ended was refunded, and at once when it was before', async ({
    customer,
  }) => {
    const desk = new RefundDesk(customer);
    const id = await desk.paid();
    const { version } = await customer.reach(id, 'paid');
    const waiting = customer.get(id, { since: version, wait_ms: 20_000 });
    const { refund_id } = await desk.request(id, { amount: 1_000 });
    const { body, ms } = await waiting;
    expect(body.version).toBeGreaterThan(version);
    expect(ms).toBeLessThan(5_000);
    await desk.reach(refund_id, 'refunded');
    const { version: shown } = await desk.refundedShown(id, 1_000);
    const again = await customer.get(id, { since: version + 1, wait_ms: 20_000 });
    expect([again.body.version, again.ms < 1_000]).toEqual([shown, true]);
  });

  it('takes its whole time for a refund that is over', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    await desk.decide(refund, 'deny');
    const { version } = await desk.reach(refund.refund_id, 'denied');
    await desk.run(refund).result();
    const { body, ms } = await desk.get(refund.refund_id, { since: version, wait_ms: 1_200 });
    expect(body.version).toBe(version);
    expect(ms).toBeGreaterThanOrEqual(1_195);
  });

  it('of 200 callers costs one long poll and adds nothing to the history', async ({ newCaller, world }) => {
    const customer = newCaller({ tenant: 'globex' });
    const polls = vi.spyOn(world.client.workflowService, 'getWorkflowExecutionHistory');
    const id = await customer.begin();
    const { version } = await customer.reach(id, 'awaiting_wallet');
    const before = await customer.historyLength(id);
    polls.mockClear();
    const waiters = Array.from({ length: 200 }, () =>
      until('an answer', async () => {
        const answer = await customer.get(id, { since: version, wait_ms: 20_000 });
        // Where the server is too busy to be read the contract has the agent ask again.
        return answer.status !== 503 && answer;
      }),
    );
    // A waiter that comes after the others and gives up first: by then all of them wait.
    await customer.get(id, { since: version, wait_ms: 1_000 });
    expect(await customer.historyLength(id)).toBe(before);
    // The poll pages through what is there and then waits at the end: two calls, not 200.
    expect(polls.mock.calls.length).toBeLessThanOrEqual(2);
    world.webhooks.hold();
    await world.standIns.approve(id);
    await world.webhooks.forward(await world.webhooks.heldBack('link.agent_authorization.approved', id));
    const answers = await Promise.all(waiters);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    for (const { body } of answers) expect(body.version).toBeGreaterThan(version);
    await customer.reach(id, 'paid');
    world.webhooks.release();
    expect(timelyEvents(await customer.history(id)).length).toBeLessThanOrEqual(32);
    polls.mockRestore();
  });
});
