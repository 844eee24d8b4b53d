import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import type { Caller, Checkout } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const it = checkoutTest();

const onlyLink = { rails: ['paymentLink'] };
const confirm = 'POST /v1/payment_intents/:id/confirm';

interface Scene {
  state: Checkout['state'];
  /** Brings a new checkout into the state. */
  begin: (caller: Caller) => Promise<string>;
  /** What is left for the caller, or the bank, to do. */
  finish: (world: World, id: string) => Promise<unknown>;
  tenant?: string;
}

const reached = async (caller: Caller, state: Checkout['state'], more?: object) => {
  const id = await caller.begin({}, more);
  await caller.reach(id, state);
  return id;
};
const nothing = async () => undefined;

/** A checkout in every state that lasts. */
const scenes: readonly Scene[] = [
  {
    state: 'awaiting_wallet',
    begin: (caller) => reached(caller, 'awaiting_wallet'),
    finish: ({ standIns }, id) => standIns.approve(id),
  },
  {
    state: 'charging',
    begin: async (caller) => {
      const id = await reached(caller, 'awaiting_wallet');
      await caller.world.standIns.fault({ route: confirm, kind: 'hold' });
      await caller.world.standIns.approve(id, { grants: 'shared_payment_token' });
      await caller.reach(id, 'charging');
      return id;
    },
    finish: ({ standIns }) => standIns.release(confirm),
  },
  {
    state: 'awaiting_link',
    begin: (caller) => reached(caller, 'awaiting_link', onlyLink),
    finish: ({ standIns }, id) => standIns.pay(id),
  },
  {
    state: 'processing',
    begin: async (caller) => {
      const id = await reached(caller, 'awaiting_link', onlyLink);
      await caller.world.standIns.pay(id, 'processing');
      await caller.reach(id, 'processing');
      return id;
    },
    finish: ({ standIns }, id) => standIns.settle(id, 'succeeded'),
  },
  {
    state: 'paid',
    begin: async (caller) => {
      const id = await reached(caller, 'awaiting_wallet');
      await caller.world.standIns.approve(id);
      await caller.reach(id, 'paid');
      return id;
    },
    finish: nothing,
  },
  {
    state: 'expired',
    tenant: 'brisk',
    begin: (caller) => reached(caller, 'expired', onlyLink),
    finish: nothing,
  },
];

const named = scenes.map((scene) => [scene.state, scene] as const);
const open = named.filter(([state]) => state !== 'paid' && state !== 'expired');

/** `temporal workflow reset`: back to the first decision, in a new run that replays what was signaled since. */
async function reset({ world, tenant }: Caller, checkoutId: string): Promise<void> {
  // Any time later, and so in another second: nothing that was sent may have depended on the time.
  await sleep(1_100);
  const workflowId = checkoutWorkflowId(tenant, checkoutId);
  const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory();
  const first = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  await world.client.workflowService.resetWorkflowExecution({
    namespace: world.namespace,
    workflowExecution: { workflowId },
    workflowTaskFinishEventId: first?.eventId ?? null,
    requestId: randomUUID(),
    reason: 'to try it',
  });
}

/** Whether Temporal has come to an end with the checkout's newest run. */
const closed = (world: World, tenant: string, id: string) =>
  until('the run to close', async () => {
    const { status } = await world.handleOf(tenant, id).describe();
    return status.name !== 'RUNNING' && status.name;
  });

/** Keys of the requests that changed something at Stripe for this checkout, by step; each step has one. */
async function keysOf(world: World, id: string): Promise<Map<string, Set<string>>> {
  const keys = new Map<string, Set<string>>();
  for (const { idempotency_key: key } of await world.standIns.requests({ checkoutId: id })) {
    const step = key?.split(':').at(-2);
    if (key && step) keys.set(step, (keys.get(step) ?? new Set()).add(key));
  }
  return keys;
}

describe('a reset from the Temporal UI', () => {
  it.for(named)(
    'of a checkout that is %s asks and charges nobody again',
    async ([, scene], { newCaller, world }) => {
      const tenant = scene.tenant ?? 'acme';
      const caller = newCaller({ tenant });
      const id = await scene.begin(caller);
      await reset(caller, id);
      await scene.finish(world, id);
      expect(await closed(world, tenant, id)).toBe('COMPLETED');
      const end = scene.state === 'expired' ? 'expired' : 'paid';
      expect((await caller.get(id)).body.state).toBe(end);
      for (const [step, keys] of await keysOf(world, id)) expect([...keys], step).toHaveLength(1);
      expect((await world.standIns.authorizations(id)).length).toBeLessThanOrEqual(1);
    },
  );
});

describe('a reset whose first request is refused', () => {
  const refused = (route: string) => ({ route, kind: 'status', status: 401, times: 1 });

  it('shuts the page that was open, and opens another', async ({ customer, world }) => {
    const id = await reached(customer, 'awaiting_link', onlyLink);
    const before = await world.standIns.session(id);
    await world.standIns.fault(refused('POST /v1/checkout/sessions'));
    await reset(customer, id);
    const after = await until('another page', async () => {
      const page = await world.standIns.session(id);
      return page.id !== before.id && page;
    });
    const { live_instruments } = await world.standIns.ledger();
    const live = live_instruments.filter(({ metadata }) => metadata['vc_checkout'] === id);
    expect(live.map((one) => one.id)).toEqual([after.id]);
    await customer.reach(id, 'awaiting_link');
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it('waits for the webhook of the wallet request that was made', async ({ customer, world }) => {
    const id = await reached(customer, 'awaiting_wallet');
    await world.standIns.fault(refused('POST /v1/link/agent_authorizations'));
    await reset(customer, id);
    await customer.reach(id, 'needs_attention');
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    expect(await world.standIns.authorizations(id)).toHaveLength(1);
  });
});

describe('a cancel from the Temporal UI', () => {
  it.for(open)(
    'of a checkout that is %s leaves nothing that can be paid',
    async ([state, scene], { newCaller, world }) => {
      const caller = newCaller();
      const id = await scene.begin(caller);
      await world.handleOf('acme', id).cancel();
      const moving = state === 'charging' || state === 'processing';
      if (moving) await scene.finish(world, id);
      expect(await closed(world, 'acme', id)).toBe('COMPLETED');
      expect((await caller.get(id)).body.state).toBe(moving ? 'paid' : 'canceled');
    },
  );
});

describe('a signal from the Temporal UI', () => {
  it.for(open)(
    'that claims a payment changes nothing of a checkout that is %s',
    async ([, scene], { newCaller, world }) => {
      const caller = newCaller();
      const id = await scene.begin(caller);
      const claim = { v: 1, id: 'evt_typed', kind: 'payment.succeeded', objectId: 'pi_invented' };
      await world.handleOf('acme', id).signal('paymentEventReceived', claim);
      await world.handleOf('acme', id).signal('paymentEventReceived', 'nonsense');
      expect(await caller.explain(id)).toContain('1 signal(s) without a valid form ignored');
      const { charges } = await world.standIns.ledger();
      expect(charges.filter(({ metadata }) => metadata['vc_checkout'] === id)).toEqual([]);
      await scene.finish(world, id);
      await caller.reach(id, 'paid');
      // The invented payment is looked into, found to be none, and forgotten.
      expect(await closed(world, 'acme', id)).toBe('COMPLETED');
      expect((await caller.get(id)).body.late_payment).toBeUndefined();
    },
  );
});
