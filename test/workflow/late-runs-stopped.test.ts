import { randomUUID } from 'node:crypto';
import { describe, expect } from 'vitest';
import { unmatchedPaymentWorkflowId } from '../../contracts/unmatched-payment.js';
import type { Caller, Checkout } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { payLate } from '../support/world/late-money.js';
import { reconcile, told } from '../support/world/reconcile.js';
import { until } from '../support/world/until.js';

const test = checkoutTest();

const onlyLink = { rails: ['paymentLink'] };
const late =
  (state: string) =>
  ({ late_payment }: Checkout) =>
    late_payment?.state === state;

async function expired(caller: Caller): Promise<string> {
  const id = await caller.begin({}, onlyLink);
  await caller.reach(id, 'expired');
  return id;
}

const lateRun = ({ world, tenant }: Caller, id: string) =>
  world.client.workflow.getHandle(unmatchedPaymentWorkflowId(tenant, id));

const refundsOf = async ({ world }: Caller, id: string) =>
  (await world.standIns.ledger()).refunds.filter(({ metadata }) => metadata['vc_checkout'] === id);

describe('a run for late money that somebody terminated', () => {
  test('has kept a payment: the next one goes back all the same', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const id = await expired(caller);
    await payLate(world, id);
    const { version } = await caller.reach(id, late('honoured'));
    await lateRun(caller, id).terminate('by mistake');
    await payLate(world, id);
    await until('the refund', async () => (await refundsOf(caller, id)).length === 1);
    const after = (await caller.get(id)).body;
    expect(after).toMatchObject({ late_payment: { state: 'honoured' }, amount_captured: 4_900 });
    expect(after.version).toBeGreaterThan(version);
    expect(await lateRun(caller, id).query('explain')).toContain('the purchase has another payment');
  });

  test('had just given money back: that stays known, and is given back once', async ({
    newCaller,
    world,
  }) => {
    const sinceMs = Date.now() - 1_000;
    const caller = newCaller({ tenant: 'brisk' });
    const id = await expired(caller);
    await world.standIns.fault(
      { webhook: 'lose', times: 1_000, type: 'refund.created' },
      { webhook: 'lose', times: 1_000, type: 'refund.updated' },
      { route: 'POST /v1/refunds', kind: 'after_effect_drop', times: 1_000 },
      { route: 'GET /v1/refunds', kind: 'status', status: 503, times: 1_000 },
    );
    await payLate(world, id);
    await until('the refund', async () => (await refundsOf(caller, id)).length === 1);
    const { version } = await caller.reach(id, late('refunding'));
    await lateRun(caller, id).terminate('by mistake');
    await world.standIns.clearFaults();
    for (const difference of told(await reconcile(world, 'brisk', { sinceMs }), id))
      expect(difference).toMatch(/^(payment_unmatched|refund_not_noticed) repaired$/);
    const after = await caller.reach(id, late('refunded'));
    expect(after).toMatchObject({ late_payment: { amount: 4_900, because: 'policy' } });
    expect(after.version).toBeGreaterThan(version);
    expect(await refundsOf(caller, id)).toHaveLength(1);
  });

  test('had given money back that the bank returns later: a person hears of it', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'brisk' });
    const id = await expired(caller);
    await payLate(world, id);
    await caller.reach(id, late('refunded'));
    await lateRun(caller, id).terminate('by mistake');
    const [refund] = await refundsOf(caller, id);
    await world.standIns.failRefund(refund?.id ?? '');
    await caller.reach(id, late('needs_attention'));
    expect(await lateRun(caller, id).query('explain')).toContain('the bank returned the refund');
    expect(await refundsOf(caller, id)).toHaveLength(1);
    // The person gives it back by hand.
    await world.stripe.refunds.create({
      payment_intent: refund?.payment_intent ?? '',
      metadata: refund?.metadata ?? {},
    });
    await caller.reach(id, late('refunded'));
  });
});

test('a run for late money that ops reset finds what it has given back, and gives nothing back twice', async ({
  newCaller,
  world,
}) => {
  const caller = newCaller({ tenant: 'brisk' });
  const id = await expired(caller);
  await payLate(world, id);
  await caller.reach(id, late('refunded'));
  const { workflowId } = lateRun(caller, id);
  const { runId } = await lateRun(caller, id).describe();
  const { events } = await lateRun(caller, id).fetchHistory();
  const first = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  await world.client.workflowService.resetWorkflowExecution({
    namespace: world.namespace,
    workflowExecution: { workflowId },
    workflowTaskFinishEventId: first?.eventId ?? null,
    requestId: randomUUID(),
    reason: 'to try it',
  });
  await until('the new run', async () => (await lateRun(caller, id).describe()).runId !== runId);
  const after = await caller.reach(id, late('refunded'));
  expect(after.late_payment).toMatchObject({ amount: 4_900 });
  expect(await refundsOf(caller, id)).toHaveLength(1);
});
