import { randomUUID } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect } from 'vitest';
import { checkoutTaskQueue, type CheckoutMemo } from '../../contracts/checkout.js';
import {
  type RefundInput,
  type RefundMemo,
  refundWorkflowType,
  type RefundRequest,
} from '../../contracts/refund.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';

const test = checkoutTest({ tenants: [refundTenant('acme')] });

/** The ledger of the customer who paid. */
async function ledgerOf(desk: RefundDesk, checkoutId: string) {
  const { memo } = await desk.world.handleOf(desk.tenant, checkoutId).describe();
  const { checkout } = memo as unknown as CheckoutMemo;
  return desk.world.ledgerOf(desk.tenant, checkout.customerKey);
}

/** What a refund's run was started with, as anyone reads it in the Temporal UI. */
async function inputOf(desk: RefundDesk, refund: Refund): Promise<RefundInput> {
  const { events } = await desk.run(refund).fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  if (!payload) throw new Error('no input');
  return defaultPayloadConverter.fromPayload<RefundInput>(payload);
}

async function rawSignal(desk: RefundDesk, workflowId: string, name: string, data: string, encoding: string) {
  const { client, namespace } = desk.world;
  await client.workflowService.signalWorkflowExecution({
    namespace,
    workflowExecution: { workflowId },
    signalName: name,
    input: { payloads: [{ metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(data) }] },
    requestId: randomUUID(),
  });
}

const bytes = [
  ['bytes that are not JSON', '{"v":1,', 'json/plain'],
  ['an encoding nobody knows', 'whatever', 'application/x-unknown'],
  ['an empty payload', '', 'json/plain'],
  ['null', 'null', 'json/plain'],
  ['a text', '"void"', 'json/plain'],
  ['another form', '{"refundId":5,"outcome":"void","checkoutId":[],"paymentIntent":{}}', 'json/plain'],
] as const;

describe('whatever is signaled by hand', () => {
  test.for(bytes)('stops no ledger: %s', async ([, data, encoding], { customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid();
    const first = await desk.request(checkoutId, { amount: 1_000 });
    const { workflowId } = await ledgerOf(desk, checkoutId);
    for (const name of ['refundSettled', 'paymentRefunded', 'anything']) {
      await rawSignal(desk, workflowId, name, data, encoding);
    }
    await desk.reach(first.refund_id, 'refunded');
    const second = await desk.request(checkoutId, { amount: 500 });
    await desk.reach(second.refund_id, 'refunded');
    await desk.refundedShown(checkoutId, 1_500);
  });

  test.for(bytes)('stops no refund: %s', async ([, data, encoding], { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const { workflowId } = desk.run(refund);
    for (const name of ['refundDecided', 'paymentEventReceived', 'anything']) {
      await rawSignal(desk, workflowId, name, data, encoding);
    }
    await desk.explains(refund, 'without a valid form ignored');
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
    await desk.decide(refund, 'approve');
    await desk.reach(refund.refund_id, 'refunded');
  });

  test('a claim that Stripe has refunded only makes the run look', async ({ customer, newCaller }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const claim = { v: 1, id: 'evt_1', kind: 'refund.updated', objectId: 're_1' };
    await desk.run(refund).signal('paymentEventReceived', claim);
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
    const other = new RefundDesk(newCaller());
    const done = await other.request(await other.paid(), { amount: 10 });
    await other.reach(done.refund_id, 'refunded');
    await other.run(done).signal('paymentEventReceived', { ...claim, id: 'evt_2', kind: 'refund.failed' });
    expect((await other.get(done.refund_id)).body.state).toBe('refunded');
  });

  test('a claim that a refund came to nothing does not lower what counts towards the threshold', async ({
    customer,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const first = await desk.request(checkoutId, { amount: 4_000 });
    await desk.reach(first.refund_id, 'refunded');
    const ledger = await ledgerOf(desk, checkoutId);
    await ledger.signal('refundSettled', { refundId: first.refund_id, outcome: 'void' });
    const second = await desk.askAnew(await desk.paid(4_900), { amount: 2_000 });
    expect([second.status, second.body.state]).toEqual([202, 'awaiting_approval']);
  });

  test('a claim that a refund came to nothing frees nothing that Stripe gave back', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(4_900);
    const first = await desk.request(checkoutId, { amount: 4_000 });
    await desk.reach(first.refund_id, 'refunded');
    const ledger = await ledgerOf(desk, checkoutId);
    await ledger.signal('refundSettled', { refundId: first.refund_id, outcome: 'void' });
    const second = await desk.askAnew(checkoutId, { amount: 901 });
    expect([second.status, second.body.code]).toEqual([409, 'exceeds_refundable']);
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([4_000]);
  });
});

describe('a refund typed into Temporal by hand', () => {
  test.for<[string, (request: RefundRequest) => RefundRequest]>([
    ['a copy of another one', (request) => request],
    ['one under another policy', (request) => ({ ...request, policy: { threshold: { usd: 1_000_000 } } })],
    ['one without a seal', (request) => ({ ...request, seal: '' })],
  ])('is not let through by the ledger: %s', async ([, edit], { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const { request } = await inputOf(desk, refund);
    const ledger = await ledgerOf(desk, refund.checkout_id);
    const refundId = `rf_${randomUUID().replaceAll('-', '').slice(0, 30)}`;
    const forged = edit({ ...request, refundId, amount: 10 });
    const update = ledger.executeUpdate<unknown, [RefundRequest]>('requestRefund', { args: [forged] });
    await expect(update).rejects.toMatchObject({ cause: { type: 'not_sealed' } });
    expect((await desk.get(refundId)).status).toBe(404);
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
  });

  test('harms no ledger when it is no request at all', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const ledger = await ledgerOf(desk, refund.checkout_id);
    for (const argument of [null, 5, 'x', {}, { refundId: refund.refund_id }]) {
      const update = ledger.executeUpdate<unknown, [unknown]>('requestRefund', { args: [argument] });
      await expect(update).rejects.toThrow();
    }
    await expect(ledger.executeUpdate('requestRefund')).rejects.toThrow();
    const other = await desk.request(await desk.paid(), { amount: 10 });
    expect(other.state).toBe('awaiting_approval');
  });

  test.for(['under its own id, again', 'under another id'])(
    'moves no money that needs a person, copied %s',
    async (id, { customer, world }) => {
      const desk = new RefundDesk(customer);
      const refund = await desk.held();
      const input = await inputOf(desk, refund);
      const own = id.startsWith('under its own');
      if (own) await desk.run(refund).terminate('by hand');
      const handle = await world.client.workflow.start(refundWorkflowType, {
        workflowId: own ? desk.run(refund).workflowId : `refund/acme/rf_${'2'.repeat(30)}`,
        taskQueue: checkoutTaskQueue,
        args: [{ ...input, verdict: { kind: 'automatic' } }],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      });
      const state = await until('the copy has been turned down', async () => {
        const seen = await handle.query<{ status: string; failureReason?: string }>('status');
        return seen.status !== 'submitting' && seen;
      });
      expect(state).toMatchObject({ status: 'rejected', failureReason: 'not_approved' });
      expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
    },
  );
});

test('a held refund started by hand with another sum in its memo cannot be decided on', async ({
  customer,
  world,
}) => {
  const desk = new RefundDesk(customer);
  const refund = await desk.held();
  const input = await inputOf(desk, refund);
  const { memo } = (await desk.run(refund).describe()) as unknown as { memo: RefundMemo };
  const link = desk.link(refund);
  await desk.run(refund).terminate('by hand');
  await world.client.workflow.start(refundWorkflowType, {
    workflowId: desk.run(refund).workflowId,
    taskQueue: checkoutTaskQueue,
    args: [input],
    memo: { ...memo, refund: { ...memo.refund, amount: 10 } },
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  });
  expect((await desk.page(link)).status).toBe(404);
  expect((await desk.page(link, { decision: 'approved' })).status).toBe(404);
  const { status, body } = await desk.decide(refund, 'approve');
  expect([status, body.code]).toEqual([409, 'request_changed']);
  expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
});

describe('a held refund started by hand as one that needs nobody', () => {
  /** Ends its run, and starts a copy of it with another input. */
  async function startEdited(desk: RefundDesk, refund: Refund, edit: (input: RefundInput) => RefundInput) {
    const input = await inputOf(desk, refund);
    await desk.run(refund).terminate('by hand');
    const handle = await desk.world.client.workflow.start(refundWorkflowType, {
      workflowId: desk.run(refund).workflowId,
      taskQueue: checkoutTaskQueue,
      args: [edit({ ...input, verdict: { kind: 'automatic' } })],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    return until('it has been turned down, or made', async () => {
      const { status } = await handle.query<{ status: string }>('status');
      return ['rejected', 'refunded'].includes(status) && status;
    });
  }

  test.for(['of the same payment', 'of another payment of the customer'])(
    'is turned down where it is small, and the threshold was passed by an earlier one %s',
    async (where, { customer }) => {
      const desk = new RefundDesk(customer);
      const one = await desk.paid(9_000);
      const two = where.includes('same') ? one : await desk.paid(9_000);
      const first = await desk.request(one, { amount: 3_000 });
      await desk.reach(first.refund_id, 'refunded');
      const held = await desk.request(two, { amount: 3_000 });
      expect(held.state).toBe('awaiting_approval');
      expect(await startEdited(desk, held, (input) => input)).toBe('rejected');
      const { amounts } = await desk.atStripe(two);
      expect(amounts).toEqual(one === two ? [3_000] : []);
    },
  );

  test.for(['of an amount below the threshold', 'without its grant'])(
    'is turned down where it is all that is left, %s',
    async (how, { customer }) => {
      const desk = new RefundDesk(customer);
      const checkoutId = await desk.paid(8_000);
      const held = await desk.request(checkoutId);
      expect([held.state, held.amount]).toEqual(['awaiting_approval', 8_000]);
      const edit = ({ grant, ...input }: RefundInput): RefundInput => ({
        ...input,
        request: { ...input.request, amount: 4_000 },
        ...(grant && how.startsWith('of an amount') && { grant }),
      });
      expect(await startEdited(desk, held, edit)).toBe('rejected');
      expect((await desk.atStripe(checkoutId)).amounts).toEqual([]);
    },
  );

  test('is another request when all that is left is another sum', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(9_000);
    const all = await desk.request(checkoutId);
    await desk.decide(all, 'deny');
    await desk.reach(all.refund_id, 'denied');
    const { charge } = await desk.atStripe(checkoutId);
    await desk.world.stripe.refunds.create({ charge: charge.id, amount: 1_000 });
    const less = await desk.request(checkoutId);
    expect([all.amount, less.amount]).toEqual([9_000, 8_000]);
    expect(less.request_hash).not.toBe(all.request_hash);
    const other = await desk.decide(less, 'approve', { hash: all.request_hash });
    expect([other.status, other.body.code]).toEqual([409, 'request_changed']);
    await desk.decide(less, 'approve');
    await desk.reach(less.refund_id, 'refunded');
    expect((await desk.atStripe(checkoutId)).amounts).toEqual([1_000, 8_000]);
  });
});

describe('the customer’s ledger', () => {
  test('keeps its book when it is canceled in the Temporal UI', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const [one, two] = [await desk.paid(4_900), await desk.paid(4_900)];
    const first = await desk.request(one, { amount: 4_000 });
    await desk.reach(first.refund_id, 'refunded');
    const ledger = await ledgerOf(desk, one);
    await ledger.cancel();
    const second = await desk.request(two, { amount: 4_000 });
    expect(second.approval?.required_because).toBe('customer_total');
    expect((await ledger.describe()).status.name).toBe('RUNNING');
    await desk.decide(second, 'approve');
    await desk.reach(second.refund_id, 'refunded');
    await desk.refundedShown(two, 4_000);
  });

  test('shows no older sum than it has shown, however long Stripe takes over a question', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(9_000);
    const first = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(first.refund_id, 'refunded');
    await desk.refundedShown(checkoutId, 1_000);
    const { charge } = await desk.atStripe(checkoutId);
    const readings = async () => {
      const all = await world.standIns.requests({ object: charge.payment_intent });
      return all.filter(({ method, status }) => method === 'GET' && status === 200).length;
    };
    const before = await readings();
    // The request reads what was given back, and then waits for the list of refunds.
    await world.standIns.fault({ route: 'GET /v1/refunds', kind: 'hold' });
    const asked = desk.request(checkoutId, { amount: 6_000 });
    await until('the reading', async () => (await readings()) > before);
    await world.stripe.refunds.create({ charge: charge.id, amount: 500 });
    await desk.refundedShown(checkoutId, 1_500);
    await world.standIns.clearFaults();
    const held = await asked;
    expect(held.state).toBe('awaiting_approval');
    expect((await customer.get(checkoutId)).body.amount_refunded).toBe(1_500);
    await desk.decide(held, 'deny');
    await desk.reach(held.refund_id, 'denied');
    await desk.refundedShown(checkoutId, 1_500);
  });
});
