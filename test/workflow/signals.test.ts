import { randomUUID } from 'node:crypto';
import { describe, expect } from 'vitest';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import type { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';

const it = checkoutTest();
const signal = 'paymentEventReceived';
/** UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED. */
const completed = 3;
const readWallet = 'GET /v1/link/agent_authorizations/:id';

async function rawSignal(
  customer: Caller,
  checkoutId: string,
  name: string,
  data: string,
  encoding = 'json/plain',
) {
  const { client, namespace } = customer.world;
  await client.workflowService.signalWorkflowExecution({
    namespace,
    workflowExecution: { workflowId: checkoutWorkflowId(customer.tenant, checkoutId) },
    signalName: name,
    input: { payloads: [{ metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(data) }] },
    requestId: randomUUID(),
  });
}

describe.concurrent('signals that nobody but the relay should send', () => {
  it.for<[string, unknown[]]>([
    ['a text', ['hello']],
    ['a number', [42]],
    ['null', [null]],
    ['nothing at all', []],
    ['a list', [[1, 2]]],
    ['an unknown version', [{ v: 2, id: 'evt_1', kind: 'payment.succeeded', objectId: 'pi_1' }]],
    ['an unknown kind', [{ v: 1, id: 'evt_1', kind: 'payment.invented', objectId: 'pi_1' }]],
    ['an id that is an object', [{ v: 1, id: {}, kind: 'payment.succeeded', objectId: 'pi_1' }]],
  ])('count %s as invalid and change nothing', async ([, args], { customer, world }) => {
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    await world.handleOf('acme', id).signal(signal, ...args);
    expect(await customer.explain(id)).toContain('1 signal(s) without a valid form ignored');
    expect((await customer.get(id)).body).toEqual(before);
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
  });

  it('count an unknown signal name as invalid', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await world.handleOf('acme', id).signal('payNow', { amount: 1 });
    expect(await customer.explain(id)).toContain('1 signal(s) without a valid form ignored');
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
  });

  it.for([
    ['bytes that are not JSON', '{"v":1,', 'json/plain'],
    ['an encoding nobody knows', 'whatever', 'application/x-unknown'],
    ['an empty payload', '', 'json/plain'],
  ] as const)('survive %s', async ([, data, encoding], { customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    await rawSignal(customer, id, signal, data, encoding);
    await world.standIns.approve(id);
    await customer.reach(id, 'paid', 8_000);
    expect(await customer.explain(id)).toContain('1 signal(s) without a valid form ignored');
  });

  it('only make the run look when they claim a payment', async ({ customer, world }) => {
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    const { id: object } = await world.standIns.authorization(id);
    const forged = { v: 1, id: 'evt_forged', kind: 'payment.succeeded', objectId: 'pi_forged' };
    await world.handleOf('acme', id).signal(signal, forged);
    await until('a look at Stripe', async () => {
      return (await world.standIns.requests({ object, route: readWallet })).length === 1;
    });
    expect(await customer.explain(id)).toContain('Waiting for the caller to approve');
    expect((await customer.get(id)).body).toEqual(before);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });
});

describe.concurrent('events that come again', () => {
  it('cost no further look at Stripe, however often they come', async ({ customer, world }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const { id: object } = await world.standIns.authorization(id);
    const event = { v: 1, id: 'evt_again', kind: 'authorization.approved', objectId: object };
    const handle = world.handleOf('acme', id);
    await Promise.all(Array.from({ length: 200 }, () => handle.signal(signal, event)));
    expect(await customer.explain(id)).toContain('199 repeated event(s) ignored');
    await until('the one look', async () => {
      return (await world.standIns.requests({ object, route: readWallet })).length > 0;
    });
    expect(await world.standIns.requests({ object, route: readWallet })).toHaveLength(1);
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
  });
});

describe.concurrent('updates that nobody but the API should send', () => {
  it.for(
    ['switchRail', 'checkoutStarted', 'payNow'].flatMap((name) => [
      [name, 'bytes that are not JSON', '{"v":1,'] as const,
      [name, 'null', 'null'] as const,
      [name, 'a text', '"hello"'] as const,
    ]),
  )('harm no run: %s with %s', async ([name, , data], { customer, world }) => {
    const id = await customer.begin();
    const before = await customer.reach(id, 'awaiting_wallet');
    const update = world.client.withDeadline(Date.now() + 2_000, () =>
      world.client.workflowService.updateWorkflowExecution({
        namespace: world.namespace,
        workflowExecution: { workflowId: checkoutWorkflowId('acme', id) },
        waitPolicy: { lifecycleStage: completed },
        request: {
          meta: { updateId: randomUUID(), identity: 'a stranger' },
          input: {
            name,
            args: {
              payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(data) }],
            },
          },
        },
      }),
    );
    await update.catch(() => undefined);
    expect((await customer.get(id)).body).toEqual(before);
    await world.standIns.approve(id);
    await customer.reach(id, 'paid', 8_000);
  });
});
