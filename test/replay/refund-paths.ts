import { Caller } from '../support/world/caller.js';
import { reconcile } from '../support/world/reconcile.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import type { World } from '../support/world/world.js';
import type { Path } from './path.js';

/** Tenants of the recorded refunds: one with time to decide, one without, and one whose own system is told. */
export const refundPathTenants = [
  refundTenant('patient', { remind_after_ms: 200, escalate_after_ms: 400 }),
  refundTenant('impatient', { approval_deadline_ms: 400 }),
  refundTenant('telling'),
];

type Act = (desk: RefundDesk, refund: Refund, world: World) => Promise<unknown>;

/** A refund of so much that goes on as `act` says; recorded as soon as it is in the named state. */
function path(amount: number, state: Refund['state'], act: Act, tenant = 'patient', ends = false): Path {
  return async (world) => {
    const desk = new RefundDesk(new Caller(world, { tenant }));
    const refund = await desk.request(await desk.paid(8_000), { amount });
    await act(desk, refund, world);
    await desk.reach(refund.refund_id, state);
    return { run: desk.run(refund), ends };
  };
}

const nothing: Act = async () => undefined;

/** Every way through the refund workflow, and one through a customer's ledger. A refunded run goes on watching. */
export const refundPaths: Readonly<Record<string, Path>> = {
  'refund-automatic': path(2_000, 'refunded', nothing),
  'refund-announced': path(2_000, 'refunded', nothing, 'telling'),
  'refund-approved': path(8_000, 'refunded', (desk, refund) =>
    desk.decide(refund, 'approve', { note: 'fine' }),
  ),
  'refund-denied': path(8_000, 'denied', (desk, refund) => desk.decide(refund, 'deny'), 'patient', true),
  'refund-approval-expired': path(8_000, 'approval_expired', nothing, 'impatient', true),
  'refund-unsigned-then-approved': path(8_000, 'refunded', async (desk, refund) => {
    await desk.signal(refund, { signedDecision: 'approved' });
    await desk.decide(refund, 'approve');
  }),
  'refund-failed-later': path(
    2_000,
    'failed',
    async (desk, refund, { standIns }) => {
      await desk.reach(refund.refund_id, 'refunded');
      const { refunds } = await standIns.ledger();
      const made = refunds.find(({ metadata }) => metadata['vc_refund'] === refund.refund_id);
      await standIns.failRefund(made?.id ?? '');
    },
    'patient',
    true,
  ),
  'refund-rejected': path(
    8_000,
    'rejected',
    async (desk, refund, { standIns }) => {
      const { charge } = await desk.atStripe(refund.checkout_id);
      await standIns.dispute(charge.id);
      await desk.decide(refund, 'approve');
    },
    'patient',
    true,
  ),
  'refund-restored': path(8_000, 'refunded', async (desk, refund, world) => {
    await desk.run(refund).terminate('recorded');
    await reconcile(world, 'patient', { sinceMs: Date.now() - 60_000 });
    await desk.decide(refund, 'approve');
  }),
  'refund-retried': async (world) => {
    const desk = new RefundDesk(new Caller(world, { tenant: 'patient' }));
    const checkoutId = await desk.paid(8_000);
    await world.standIns.fault(
      { route: 'POST /v1/refunds', kind: 'status', status: 500, after_effect: true },
      // The look before it is let through succeeds.
      { route: 'GET /v1/refunds', kind: 'slow', ms: 1 },
      { route: 'GET /v1/refunds', kind: 'status', status: 503, times: 1_000 },
    );
    const { refund_id } = await desk.request(checkoutId, { amount: 2_000 });
    await desk.reach(refund_id, 'needs_attention', 20_000);
    await world.standIns.clearFaults();
    const key = world.keyOf('patient', 'ops');
    await desk.caller.request('POST', `/ops/refunds/${refund_id}/retry-now`, {}, key);
    await desk.reach(refund_id, 'refunded', 30_000);
    return { run: desk.run({ refund_id }), ends: false };
  },
  'refund-ledger': async (world) => {
    const desk = new RefundDesk(new Caller(world, { tenant: 'patient' }));
    const checkoutId = await desk.paid(8_000);
    for (const amount of [2_000, 1_000]) {
      const refund = await desk.request(checkoutId, { amount });
      await desk.reach(refund.refund_id, 'refunded');
    }
    await desk.refundedShown(checkoutId, 3_000);
    return { run: await ledgerOf(world), ends: false };
  },
};

/** The ledger that was started last: Temporal lists the newest run first. */
async function ledgerOf({ client }: World): Promise<ReturnType<World['handleOf']>> {
  for await (const { workflowId } of client.workflow.list({ query: "WorkflowType = 'refundLedger'" })) {
    return client.workflow.getHandle(workflowId);
  }
  throw new Error('no ledger was started');
}
