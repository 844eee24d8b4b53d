import { describe, expect } from 'vitest';
import { Caller } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const test = checkoutTest({ tenants: [refundTenant('acme'), refundTenant('globex'), refundTenant('busy')] });

interface Row {
  checkout_id?: string;
  refund_id?: string;
  call_id?: string;
  state: string;
  attention?: string;
  run_url?: string;
}
interface Page {
  checkouts: Row[];
  refunds: Row[];
  next_cursor?: string;
}

async function list(world: World, tenant: string, kind: 'checkouts' | 'refunds', query: object = {}) {
  const search = new URLSearchParams(query as Record<string, string>);
  const response = await fetch(`${world.url}/v1/ops/${kind}?${search.toString()}`, {
    headers: { authorization: `Bearer ${world.keyOf(tenant, 'ops')}` },
  });
  const body = (await response.json()) as Page & { code?: string };
  return { status: response.status, body, ids: (body[kind] ?? []).map((row) => row.checkout_id ?? '') };
}

/** Visibility is behind by some moments. */
const listed = (world: World, tenant: string, id: string, query: object = {}) =>
  until(`${id} in the list`, async () => {
    const { body, ids } = await list(world, tenant, 'checkouts', query);
    return ids.includes(id) && body;
  });

describe('the list of checkouts', () => {
  test('shows those of the tenant, by call, by state, and those that need attention', async ({
    customer,
    newCaller,
    world,
  }) => {
    const stranger = newCaller({ tenant: 'globex' });
    const other = newCaller();
    const [lost, open, theirs] = [await customer.begin(), await other.begin(), await stranger.begin()];
    customer.leavesOpen.add(lost);
    await customer.reach(lost, 'awaiting_wallet');
    await world.standIns.approve(lost, { grants: 'nothing' });
    await customer.reach(lost, 'needs_attention');
    const { checkouts } = await listed(world, 'acme', lost, { needs_attention: 'true' });
    expect(checkouts).toEqual([
      {
        checkout_id: lost,
        call_id: customer.callId,
        state: 'needs_attention',
        terminal: false,
        version: expect.any(Number) as number,
        amount: 4_900,
        currency: 'usd',
        description: 'Growth plan',
        rail: 'linkWallet',
        attention: 'approval_without_payment',
        started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
        run_url: `http://127.0.0.1:8233/namespaces/${world.namespace}/workflows/checkout%2Facme%2F${lost}`,
      },
    ]);
    await listed(world, 'acme', open, { state: 'awaiting_wallet' });
    await listed(world, 'globex', theirs);
    const ids = async (query: object) => (await list(world, 'acme', 'checkouts', query)).ids;
    expect((await ids({})).sort()).toEqual([lost, open].sort());
    expect(await ids({ call_id: customer.callId })).toEqual([lost]);
    expect(await ids({ call_id: stranger.callId })).toEqual([]);
    expect(await ids({ needs_attention: 'false' })).toEqual([open]);
    expect(await ids({ state: 'needs_attention', needs_attention: 'false' })).toEqual([]);
    expect((await list(world, 'globex', 'checkouts')).ids).toEqual([theirs]);
    for (const [caller, id] of [
      [other, open],
      [stranger, theirs],
    ] as const) {
      await caller.cancel(id);
      await caller.reach(id, 'canceled');
    }
    expect((await new Caller(world).request('GET', '/ops/checkouts')).status).toBe(403);
  });

  test.for(['%', '*', 'a-b', 'a)OR(1=1', '--', ';', 'CallId', '1', 'b64+/=', '{x:1}'])(
    'finds the call %s and no other',
    async (callId, { newCaller, world }) => {
      const caller = newCaller();
      const id = await caller.begin({ callId });
      const { checkouts } = await listed(world, 'acme', id, { call_id: callId });
      expect(checkouts.map(({ checkout_id, call_id }) => [checkout_id, call_id])).toEqual([[id, callId]]);
      await caller.cancel(id);
      await caller.reach(id, 'canceled');
    },
  );

  test('is paged, newest first, by a cursor that opens no other list', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'busy' });
    const ids: string[] = [];
    for (let count = 0; count < 52; count++) {
      ids.push(await caller.begin({ description: `number ${count}` }));
    }
    for (const id of ids) {
      await caller.cancel(id);
      await caller.reach(id, 'canceled');
    }
    const all = await until('all of them', async () => {
      const first = await list(world, 'busy', 'checkouts');
      const cursor = first.body.next_cursor;
      if (cursor === undefined) return undefined;
      const second = await list(world, 'busy', 'checkouts', { cursor });
      return second.ids.length === 2 && { cursor, first: first.ids, second };
    });
    expect(all.first).toHaveLength(50);
    expect(new Set([...all.first, ...all.second.ids])).toEqual(new Set(ids));
    expect(all.second.body.next_cursor).toBeUndefined();
    const elsewhere = await list(world, 'globex', 'checkouts', { cursor: all.cursor });
    expect(elsewhere.ids.filter((id) => ids.includes(id))).toEqual([]);
  });

  test.for(['AAAA', 'bm90IGpzb24'])('refuses the cursor %s', async (cursor, { world }) => {
    const { status, body } = await list(world, 'acme', 'checkouts', { cursor });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });
});

describe('the list of refunds', () => {
  test('shows those of the tenant, by call and by state', async ({ customer, newCaller, world }) => {
    const desk = new RefundDesk(customer);
    const held = await desk.held({ callId: 'refund-call' });
    const theirs = await new RefundDesk(newCaller({ tenant: 'globex' })).held({ callId: 'refund-call' });
    const refunds = await until('the refund in the list', async () => {
      const { body } = await list(world, 'acme', 'refunds', { state: 'awaiting_approval' });
      return body.refunds.length > 0 && body.refunds;
    });
    expect(refunds).toEqual([
      {
        refund_id: held.refund_id,
        checkout_id: held.checkout_id,
        state: 'awaiting_approval',
        terminal: false,
        version: 1,
        amount: 8_000,
        currency: 'usd',
        description: expect.any(String) as string,
        started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
        run_url: `http://127.0.0.1:8233/namespaces/${world.namespace}/workflows/refund%2Facme%2F${held.refund_id}`,
      },
    ]);
    const byCall = await list(world, 'acme', 'refunds', { call_id: 'refund-call', needs_attention: 'false' });
    expect(byCall.body.refunds.map(({ refund_id }) => refund_id)).toEqual([held.refund_id]);
    expect(byCall.body.refunds).not.toContainEqual(expect.objectContaining({ refund_id: theirs.refund_id }));
  });
});
