import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { NativeConnection, Worker } from '@temporalio/worker';
import { describe, expect } from 'vitest';
import { type CheckoutMemo, checkoutWorkflowId, checkoutWorkflowType } from '../../contracts/checkout.js';
import { type RefundMemo, refundWorkflowId, refundWorkflowType } from '../../contracts/refund.js';
import { tenantIdAttribute } from '../../contracts/search-attributes.js';
import {
  type WebhookDeliveryInput,
  type WebhookDeliveryResult,
  webhookDeliveryWorkflowId,
  webhookDeliveryWorkflowType,
} from '../../contracts/tenant-event.js';
import {
  type UnmatchedPaymentMemo,
  unmatchedPaymentStart,
  unmatchedPaymentWorkflowId,
  unmatchedPaymentWorkflowType,
} from '../../contracts/unmatched-payment.js';
import type { LatePaymentState } from '../../domain/late-payment.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { decidedEvents } from '../support/world/history-events.js';
import { payLate } from '../support/world/late-money.js';
import { reconcile } from '../support/world/reconcile.js';
import { RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import type { Received } from '../support/world/stand-ins.js';
import { tenants } from '../support/world/tenants.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const test = checkoutTest({
  tenants: [...tenants, refundTenant('desk')],
  webhookTenants: ['acme', 'restless', 'desk'],
});

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** What the tenants' own systems got so far about a checkout or refund, oldest first. */
async function receivedAbout(world: World, id: string): Promise<Received[]> {
  return (await world.standIns.received()).filter((one) => one.id.startsWith(`msg_${id}.`)).reverse();
}

function received(world: World, id: string, type: string, timeoutMs?: number): Promise<Received> {
  return until(
    `${type} of ${id}`,
    async () =>
      (await receivedAbout(world, id)).find(
        (one) => one.type === type && one.status !== null && one.status < 300,
      ),
    timeoutMs,
  );
}

const deliveryOf = (world: World, tenantId: string, eventId: string) =>
  world.client.workflow.getHandle<(input: WebhookDeliveryInput) => Promise<WebhookDeliveryResult>>(
    webhookDeliveryWorkflowId(tenantId, eventId),
  );

/** Runs `npm run webhook:resend` to its end. */
async function resend(world: World, ...args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'workers/resend-webhook.ts', ...args], {
    cwd: repository,
    env: { PATH: process.env['PATH'], ...world.workerEnvironment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

const receiverOf = (tenant: string) => `POST /_local/receiver/${tenant}`;

describe("the tenant's own system", () => {
  test('is told that a checkout was paid, with what the API shows and no more', async ({
    customer,
    world,
  }) => {
    const id = await customer.begin({ description: `a plan for ${customer.phone}` });
    await world.standIns.approve(id);
    const paid = await customer.reach(id, 'paid');
    const webhook = await received(world, id, 'checkout.paid');
    expect(webhook).toMatchObject({
      id: `msg_${id}.checkout.paid`,
      tenant: 'acme',
      verified: true,
      attempts: 1,
      status: 204,
    });
    const { type, timestamp, data } = webhook.payload;
    expect(type).toBe('checkout.paid');
    expect(Math.abs(Date.now() - Date.parse(timestamp))).toBeLessThan(60_000);
    expect(paid).toMatchObject(data);
    expect(data).toMatchObject({
      checkout_id: id,
      state: 'paid',
      amount_captured: 4_900,
      confirmation_number: paid.confirmation_number,
    });
    expect(JSON.stringify(webhook)).not.toContain((customer.phone ?? '').slice(2));
    expect(await deliveryOf(world, 'acme', `${id}.checkout.paid`).result()).toEqual({
      outcome: 'delivered',
      status: 204,
    });
  });

  test('is told that a checkout was canceled, declined or expired', async ({ newCaller, world }) => {
    const canceled = newCaller();
    const canceledId = await canceled.begin();
    await canceled.reach(canceledId, 'awaiting_wallet');
    await canceled.cancel(canceledId);
    const declined = newCaller();
    const declinedId = await declined.begin({}, { rails: ['linkWallet'] });
    await world.standIns.deny(declinedId);
    const expired = newCaller({ tenant: 'restless' });
    const expiredId = await expired.begin();

    for (const [id, state, reason] of [
      [canceledId, 'canceled', 'canceled'],
      [declinedId, 'declined', 'declined'],
      [expiredId, 'expired', 'no_response'],
    ] as const) {
      const webhook = await received(world, id, `checkout.${state}`);
      expect(webhook).toMatchObject({ verified: true, attempts: 1 });
      expect(webhook.payload.data).toMatchObject({ state, reason, amount_captured: 0, terminal: true });
      expect(await receivedAbout(world, id)).toHaveLength(1);
    }
  });

  test('is told of every end, also when many checkouts end at once', async ({ newCaller, world }) => {
    const ids = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const caller = newCaller();
        const id = await caller.begin();
        await caller.reach(id, 'awaiting_wallet', 40_000);
        await world.standIns.approve(id);
        await caller.reach(id, 'paid', 40_000);
        return id;
      }),
    );
    const webhooks = await Promise.all(ids.map((id) => received(world, id, 'checkout.paid', 30_000)));
    expect(webhooks.every(({ verified }) => verified)).toBe(true);
    expect(new Set(webhooks.map(({ id }) => id)).size).toBe(50);
  });

  test('is told of an end that its run was stopped right after', async ({ newCaller, world }) => {
    const caller = newCaller();
    const model = await caller.begin();
    await world.standIns.approve(model);
    await caller.reach(model, 'paid');
    const { memo } = await world.handleOf('acme', model).describe();
    const { checkout, state } = memo as unknown as CheckoutMemo;
    const checkoutId = `${model.slice(0, -1)}7`;
    const stopped = await world.client.workflow.start(checkoutWorkflowType, {
      workflowId: checkoutWorkflowId('acme', checkoutId),
      taskQueue: 'nobody',
      args: [{ announce: true }],
      memo: { checkout: { ...checkout, checkoutId }, state },
      typedSearchAttributes: [{ key: tenantIdAttribute, value: 'acme' }],
    });
    await stopped.terminate('by mistake');
    await until('the pass to see it', async () => {
      const { examined } = await reconcile(world, 'acme', { sinceMs: Date.now() - 60_000 });
      return (examined.checkouts_stopped ?? 0) > 0;
    });
    expect((await received(world, checkoutId, 'checkout.paid')).payload.data).toMatchObject({
      checkout_id: checkoutId,
      state: 'paid',
      version: state.version,
    });
  });

  test('is told what became of late money, and of a refund, by runs that were stopped right after', async ({
    newCaller,
    world,
  }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'desk' }));
    const checkoutId = await desk.paid(8_000);
    const model = await desk.request(checkoutId, { amount: 8_000 });
    await desk.decide(model, 'deny');
    await desk.reach(model.refund_id, 'denied');
    const { memo } = await desk.run(model).describe();
    const { refund, state } = memo as unknown as RefundMemo;
    const refundId = `${model.refund_id.slice(0, -1)}${model.refund_id.endsWith('0') ? 1 : 0}`;
    const typedSearchAttributes = [{ key: tenantIdAttribute, value: 'desk' }];
    const { workflow } = world.client;
    const stopped = [
      await workflow.start(refundWorkflowType, {
        workflowId: refundWorkflowId('desk', refundId),
        taskQueue: 'nobody',
        args: [{ request: { announce: true } }],
        memo: { refund: { ...refund, refundId }, state },
        typedSearchAttributes,
      }),
      await workflow.start(unmatchedPaymentWorkflowType, {
        workflowId: unmatchedPaymentWorkflowId('desk', checkoutId),
        taskQueue: 'nobody',
        args: [{}],
        memo: {
          state: {
            version: 1,
            payments: [
              {
                paymentIntent: 'pi_1',
                amount: 8_000,
                currency: 'usd',
                status: 'refunded',
                at: Date.now(),
              },
            ],
          },
        },
        typedSearchAttributes,
      }),
    ];
    for (const run of stopped) await run.terminate('by mistake');
    await until('the pass to see them', async () => {
      const { examined } = await reconcile(world, 'desk', { sinceMs: Date.now() - 60_000 });
      return (examined.refunds_open ?? 0) > 0 && (examined.late_payments ?? 0) > 0;
    });
    const { payload } = await received(world, refundId, 'refund.denied');
    expect(payload.data).toMatchObject({ refund_id: refundId, state: 'denied' });
    const late = await until('the late money', async () =>
      (await world.standIns.received()).find(
        ({ type, payload: told }) =>
          type === 'checkout.late_payment' && told.data['checkout_id'] === checkoutId,
      ),
    );
    expect(late.payload.data['late_payment']).toMatchObject({ state: 'refunded', payment_intent: 'pi_1' });
  });

  test('is told what became of late money by a run that was stopped, and that the next one goes on from', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'restless' });
    const id = await caller.begin({}, { rails: ['paymentLink'] });
    await caller.reach(id, 'expired');
    await payLate(world, id);
    await caller.reach(id, ({ late_payment }) => late_payment?.state === 'refunded');
    const late = world.client.workflow.getHandle(unmatchedPaymentWorkflowId('restless', id));
    const { memo } = await late.describe();
    const [payment] = (memo as unknown as UnmatchedPaymentMemo).state.payments;
    await late.terminate('before it told of the following');
    // As far as anybody was told, the bank had returned the money before.
    const earlier = ['refunding', 'refunded', 'needs_attention'];
    const state = { version: 4, payments: [{ ...payment, earlier, at: Date.now() }] };
    const next = await world.client.workflow.start(unmatchedPaymentWorkflowType, {
      ...unmatchedPaymentStart('restless', id, state as LatePaymentState),
      taskQueue: 'nobody',
    });
    await next.terminate('by mistake');
    await payLate(world, id);
    const told = await until('the state that nobody told', async () =>
      (await world.standIns.received()).find(({ id: message }) =>
        message.startsWith(`msg_${id}-${payment?.paymentIntent}-refunded-2.`),
      ),
    );
    expect(told.payload.data['late_payment']).toMatchObject({
      state: 'refunded',
      payment_intent: payment?.paymentIntent,
    });
  });

  test('is told once the history has what it is told: five events more', async ({ newCaller, world }) => {
    /** What the run itself decided on: how many signals and workflow tasks there are, the machine decides. */
    async function decidedBy(tenant: string) {
      const caller = newCaller({ tenant });
      const id = await caller.begin();
      await caller.reach(id, 'awaiting_wallet');
      await world.standIns.approve(id);
      await caller.reach(id, 'paid');
      await world.handleOf(tenant, id).result();
      return decidedEvents(await caller.history(id));
    }
    const announced = await decidedBy('acme');
    expect(announced).toHaveLength((await decidedBy('globex')).length + 5);
    const scheduled = announced.findIndex(
      ({ activityTaskScheduledEventAttributes: task }) => task?.activityType?.name === 'startWebhookDelivery',
    );
    const published = announced.findLastIndex(
      ({ workflowPropertiesModifiedEventAttributes: memo }) => memo !== null && memo !== undefined,
    );
    expect(published).toBeGreaterThan(-1);
    expect(published).toBeLessThan(scheduled);
  });

  test('is told nothing when it takes no webhooks', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'globex' });
    const id = await caller.begin();
    await world.standIns.approve(id);
    await caller.reach(id, 'paid');
    await world.handleOf('globex', id).result();
    await expect(deliveryOf(world, 'globex', `${id}.checkout.paid`).describe()).rejects.toThrow('not found');
  });

  test('is told what becomes of a refund', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'desk' }));
    const denied = await desk.held({ words: 'I am +15550100100' });
    const asked = await received(world, denied.refund_id, 'refund.awaiting_approval');
    expect(asked).toMatchObject({ id: `msg_${denied.refund_id}.refund.awaiting_approval`, verified: true });
    expect(denied).toMatchObject(asked.payload.data);
    await desk.decide(denied, 'deny', { note: 'call +15550100100' });
    const told = await received(world, denied.refund_id, 'refund.denied');
    expect((await desk.get(denied.refund_id)).body).toMatchObject(told.payload.data);
    expect(JSON.stringify([asked, told])).not.toContain('5550100');

    const approved = await desk.held();
    await desk.decide(approved, 'approve');
    await desk.reach(approved.refund_id, 'refunded');
    await received(world, approved.refund_id, 'refund.refunded');
    const [returned] = (await desk.atStripe(approved.checkout_id)).refunds;
    await world.standIns.failRefund(returned?.id ?? '');
    const failed = await received(world, approved.refund_id, 'refund.failed');
    expect(failed.payload.data).toMatchObject({ state: 'failed', terminal: true, amount: 8_000 });
    expect((await receivedAbout(world, approved.refund_id)).map(({ type }) => type)).toEqual([
      'refund.awaiting_approval',
      'refund.refunded',
      'refund.failed',
    ]);
  });

  test('is told again until it takes it, each time with the same id', async ({ customer, world }) => {
    await world.standIns.fault({ route: receiverOf('acme'), kind: 'status', status: 500, times: 2 });
    const id = await customer.begin();
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    const eventId = `${id}.checkout.paid`;
    const tried = await until('the first attempt', async () => (await receivedAbout(world, id))[0]);
    expect(tried).toMatchObject({ attempts: 1, status: 500 });
    const answer = await until('the pause', async () => {
      const described = await deliveryOf(world, 'acme', eventId).describe();
      const [pending] = described.raw.pendingActivities ?? [];
      return pending?.lastFailure?.message;
    });
    expect(answer).toBe("the tenant's system: it answered 500");
    // After 5 s and 30 s.
    expect(await received(world, id, 'checkout.paid', 50_000)).toMatchObject({
      id: `msg_${eventId}`,
      attempts: 3,
      status: 204,
      verified: true,
    });
  }, 80_000);

  test('is told twice when its answer is lost, and knows by the id', async ({ customer, world }) => {
    await world.standIns.fault({ route: receiverOf('acme'), kind: 'after_effect_drop', times: 1 });
    const id = await customer.begin();
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    expect(await received(world, id, 'checkout.paid', 15_000)).toMatchObject({ attempts: 2, verified: true });
  });

  test('that is gone is not told again', async ({ customer, world }) => {
    await world.standIns.fault({ route: receiverOf('acme'), kind: 'status', status: 410, times: 1 });
    const id = await customer.begin();
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    const delivery = deliveryOf(world, 'acme', `${id}.checkout.paid`);
    await until('the delivery', async () => (await delivery.describe().catch(() => undefined)) !== undefined);
    expect(await delivery.result()).toEqual({ outcome: 'gone' });
  });

  test('is told by another worker when one is killed while it tells', async ({ customer, world }) => {
    await Promise.all([...world.workers].map((worker) => worker.stop()));
    const child = spawn(process.execPath, ['--import', 'tsx', 'workers/main.ts'], {
      cwd: repository,
      env: { PATH: process.env['PATH'], ...world.workerEnvironment },
      stdio: 'ignore',
    });
    try {
      const quote = await customer.quote();
      const id = quote.body.checkout_id;
      await customer.start(quote.body);
      await customer.reach(id, 'awaiting_wallet', 40_000);
      await world.standIns.fault({ route: receiverOf('acme'), kind: 'hold' });
      await world.standIns.approve(id);
      await customer.reach(id, 'paid');
      const delivery = deliveryOf(world, 'acme', `${id}.checkout.paid`);
      await world.standIns.untilMet(receiverOf('acme'));
      child.kill('SIGKILL');
      await world.startWorker();
      expect(await received(world, id, 'checkout.paid', 20_000)).toMatchObject({ verified: true });
      expect(await delivery.result()).toEqual({ outcome: 'delivered', status: 204 });
    } finally {
      child.kill('SIGKILL');
      if (world.workers.size === 0) await world.startWorker();
    }
  });
});

describe('the command that sends a webhook again', () => {
  test('sends what nobody took, with the same id and body', async ({ world }) => {
    // Every attempt of a day, in no time: the real workflow beside an activity whose time is over.
    const eventId = `co_${randomUUID().replaceAll('-', '')}_1.checkout.paid`;
    const event = {
      type: 'checkout.paid' as const,
      timestamp: '2026-01-02T03:04:05.000Z',
      data: { amount: 1 },
    };
    const connection = await NativeConnection.connect({
      address: world.workerEnvironment['TEMPORAL_ADDRESS'] ?? '',
    });
    const worker = await Worker.create({
      connection,
      namespace: world.namespace,
      taskQueue: 'a-day-later',
      workflowBundle: { codePath: world.workerEnvironment['WORKFLOW_BUNDLE'] ?? '' },
      activities: {
        deliverTenantWebhook: async () => {
          throw ApplicationFailure.nonRetryable("the tenant's system: it answered 500");
        },
      },
    });
    const result = await worker.runUntil(
      world.client.workflow.execute<(input: WebhookDeliveryInput) => Promise<WebhookDeliveryResult>>(
        webhookDeliveryWorkflowType,
        {
          workflowId: webhookDeliveryWorkflowId('acme', eventId),
          taskQueue: 'a-day-later',
          args: [{ v: 1, tenantId: 'acme', eventId, event }],
        },
      ),
    );
    await connection.close();
    expect(result).toEqual({ outcome: 'undelivered', lastProblem: "the tenant's system: it answered 500" });

    const id = `msg_${eventId}`;
    const { code, output } = await resend(world, '--tenant', 'acme', '--id', id);
    expect(output).toContain(`${id} goes to acme again: webhookDelivery/acme/${eventId}, run `);
    expect(code).toBe(0);
    const webhook = await received(world, eventId.replace('.checkout.paid', ''), 'checkout.paid');
    expect(webhook).toMatchObject({ id, verified: true, payload: event });
    expect(await deliveryOf(world, 'acme', eventId).result()).toEqual({ outcome: 'delivered', status: 204 });

    expect((await resend(world, '--tenant', 'acme', '--id', id)).code).toBe(0);
    await until('the second time', async () => {
      const [again] = await receivedAbout(world, eventId.replace('.checkout.paid', ''));
      return again?.attempts === 2;
    });
  });

  test('refuses what was never sent, and what is still being sent', async ({ customer, world }) => {
    const unknown = await resend(world, '--tenant', 'acme', '--id', 'msg_co_none_1.checkout.paid');
    expect(unknown).toEqual({
      code: 1,
      output: 'there is no msg_co_none_1.checkout.paid to acme, or not any more\n',
    });
    await world.standIns.fault({ route: receiverOf('acme'), kind: 'status', status: 503, times: 1 });
    const id = await customer.begin();
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    await until('the first attempt', async () => (await receivedAbout(world, id))[0]);
    const running = await resend(world, '--tenant', 'acme', '--id', `msg_${id}.checkout.paid`);
    expect(running.code).toBe(1);
    expect(running.output).toContain('is still being delivered');
    await received(world, id, 'checkout.paid', 15_000);
  });

  test.each([
    [[]],
    [['--tenant', 'acme']],
    [['--tenant', 'acme', '--id', 'co_1.checkout.paid']],
    [['--tenant', '../acme', '--id', 'msg_co_1.checkout.paid']],
    [['--tenant', 'acme', '--id', 'msg_co_1.checkout.paid', '--force']],
  ])('explains itself when it is called with %j', async (args) => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'workers/resend-webhook.ts', ...args], {
      cwd: repository,
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(2);
    expect(output).toContain('--tenant <tenant> --id <webhook-id>');
  });
});
