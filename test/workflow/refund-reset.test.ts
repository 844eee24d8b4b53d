import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { temporal } from '@temporalio/proto';
import { checkoutTest } from '../support/world/checkout-test.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';

const test = checkoutTest({
  tenants: [refundTenant('acme'), refundTenant('brisk', { approval_deadline_ms: 2_000 })],
});

const { RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL: signals, RESET_REAPPLY_EXCLUDE_TYPE_UPDATE: updates } =
  temporal.api.enums.v1.ResetReapplyExcludeType;

/** To before its decision, which is not brought back: a while later it would be too old to be taken. */
async function reset(desk: RefundDesk, refund: Refund): Promise<void> {
  const { client, namespace } = desk.world;
  const { workflowId } = desk.run(refund);
  const { events } = await desk.run(refund).fetchHistory();
  const first = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  await client.workflowService.resetWorkflowExecution({
    namespace,
    workflowExecution: { workflowId },
    workflowTaskFinishEventId: first?.eventId ?? null,
    requestId: randomUUID(),
    reason: 'to try it',
    resetReapplyExcludeTypes: [signals, updates],
  });
}

async function given(desk: RefundDesk): Promise<Refund> {
  const held = await desk.held();
  await desk.decide(held, 'approve');
  return desk.reach(held.refund_id, 'refunded');
}

describe('a refund that was made, and whose run ops reset to before its decision,', () => {
  test('cannot be denied any more', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await given(desk);
    await reset(desk, refund);
    await until(
      'it waits',
      async () => (await desk.get(refund.refund_id)).body.state === 'awaiting_approval',
    );
    const denied = await desk.decide(refund, 'deny');
    expect([denied.status, denied.body.code]).toEqual([409, 'already_decided']);
    expect(denied.body).toMatchObject({ decision: 'approved' });
    await desk.reach(refund.refund_id, 'refunded');
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([refund.amount]);
  });

  test('may be approved anew, and is not made again', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await given(desk);
    await reset(desk, refund);
    await until(
      'it waits',
      async () => (await desk.get(refund.refund_id)).body.state === 'awaiting_approval',
    );
    expect((await desk.decide(refund, 'approve')).status).toBe(200);
    await desk.reach(refund.refund_id, 'refunded');
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([refund.amount]);
  });

  test('does not expire', async ({ newCaller }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'brisk' }));
    const refund = await given(desk);
    await sleep(2_000);
    await reset(desk, refund);
    const again = await until('the reset run knows', async () => {
      const { body } = await desk.get(refund.refund_id);
      return body.state !== 'awaiting_approval' && body.approval?.decision === undefined && body;
    });
    expect(['submitted', 'refunded']).toContain(again.state);
    await desk.reach(refund.refund_id, 'refunded');
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([refund.amount]);
  });
});

test('a refund that was not made can be denied after a reset', async ({ customer }) => {
  const desk = new RefundDesk(customer);
  const held = await desk.held();
  await reset(desk, held);
  const { status, body } = await desk.decide(held, 'deny');
  expect([status, body.state]).toEqual([200, 'denied']);
  expect((await desk.atStripe(held.checkout_id)).amounts).toEqual([]);
});
