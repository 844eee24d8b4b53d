import { Caller, type CallerOptions } from '../support/world/caller.js';
import type { World } from '../support/world/world.js';
import { latePaths } from './late-paths.js';
import type { Path } from './path.js';
import { refundPaths } from './refund-paths.js';

const onlyLink = { rails: ['paymentLink'] };

/** Their own systems are told: of a checkout, of late money, of a refund. */
export const announcingTenants = ['cautious', 'restless', 'telling'];

/** A path that begins with a start and goes on as `act` says; recorded as soon as it is in the named state. */
function path(
  state: Parameters<Caller['reach']>[1],
  act: (caller: Caller, id: string, world: World) => Promise<unknown>,
  options: CallerOptions & { more?: object } = {},
): Path {
  return async (world) => {
    const caller = new Caller(world, options);
    const id = await caller.begin({}, options.more);
    await act(caller, id, world);
    const { terminal } = await caller.reach(id, state);
    return { run: world.handleOf(caller.tenant, id), ends: terminal };
  };
}

const payOnPage = async (caller: Caller, id: string, { standIns }: World) => {
  await caller.reach(id, 'awaiting_link');
  await standIns.pay(id);
};

/** What ops do with a checkout. */
async function pull(caller: Caller, id: string, lever: 'retry-now' | 'resolve'): Promise<void> {
  const key = caller.world.keyOf(caller.tenant, 'ops');
  const { status } = await caller.request('POST', `/ops/checkouts/${id}/${lever}`, {}, key);
  if (status !== 200) throw new Error(`${lever} was answered ${status}`);
}

/** Every way through the checkout workflow of which a history is kept. */
const checkoutPaths: Readonly<Record<string, Path>> = {
  'wallet-paid': path('paid', async (caller, id, { standIns }) => {
    await caller.reach(id, 'awaiting_wallet');
    await standIns.approve(id);
  }),
  announced: path('paid', payOnPage, { tenant: 'cautious', more: onlyLink }),
  'token-charged': path('paid', async (caller, id, { standIns }) => {
    await caller.reach(id, 'awaiting_wallet');
    await standIns.approve(id, { grants: 'shared_payment_token' });
  }),
  'token-declined-then-link': path('paid', async (caller, id, world) => {
    await caller.reach(id, 'awaiting_wallet');
    await world.standIns.approve(id, { grants: 'shared_payment_token', outcome: 'declined' });
    await payOnPage(caller, id, world);
  }),
  'wallet-denied-then-link': path('paid', async (caller, id, world) => {
    await caller.reach(id, 'awaiting_wallet');
    await world.standIns.deny(id);
    await payOnPage(caller, id, world);
  }),
  'wallet-ignored-then-link': path('paid', payOnPage, { tenant: 'hasty' }),
  'wallet-unreachable-then-link': path('paid', payOnPage, { phoneEnd: '0404' }),
  'page-declined-then-paid': path(
    'paid',
    async (caller, id, world) => {
      const { version } = await caller.reach(id, 'awaiting_link');
      await world.standIns.pay(id, 'declined');
      await caller.reach(id, (checkout) => checkout.version > version);
      await world.standIns.pay(id);
    },
    { more: onlyLink },
  ),
  'link-expired': path('expired', async () => undefined, { tenant: 'brisk', more: onlyLink }),
  canceled: path('canceled', async (caller, id) => {
    await caller.reach(id, 'awaiting_wallet');
    await caller.cancel(id);
  }),
  'switched-to-link': path('paid', async (caller, id, world) => {
    await caller.reach(id, 'awaiting_wallet');
    await caller.switchTo(id, 'paymentLink');
    await payOnPage(caller, id, world);
  }),
  'failed-undeliverable': path('failed', async () => undefined, { phoneEnd: '0003', more: onlyLink }),
  'processing-then-paid': path(
    'paid',
    async (caller, id, { standIns }) => {
      await caller.reach(id, 'awaiting_link');
      await standIns.pay(id, 'processing');
      await caller.reach(id, 'processing');
      await standIns.settle(id, 'succeeded');
    },
    { more: onlyLink },
  ),
  'stripe-away-then-paid': path('paid', async (caller, id, { standIns }) => {
    await caller.reach(id, 'awaiting_wallet');
    const route = 'POST /v1/payment_intents/:id/confirm';
    await standIns.fault({ route, kind: 'status', status: 500, after_effect: true });
    await standIns.approve(id, { grants: 'shared_payment_token' });
  }),
  /** Still open: it reads Stripe until somebody acts. */
  'needs-attention': path('needs_attention', async (caller, id, { standIns }) => {
    await caller.reach(id, 'awaiting_wallet');
    await standIns.approve(id, { grants: 'nothing' });
  }),
  'retried-then-paid': path('paid', async (caller, id, { standIns, webhooks }) => {
    await caller.reach(id, 'awaiting_wallet');
    webhooks.hold();
    await standIns.approve(id);
    await pull(caller, id, 'retry-now');
    webhooks.release();
  }),
  'needs-attention-resolved': path('expired', async (caller, id, { standIns }) => {
    await caller.reach(id, 'awaiting_wallet');
    await standIns.approve(id, { grants: 'nothing' });
    await caller.reach(id, 'needs_attention');
    await pull(caller, id, 'retry-now');
    await pull(caller, id, 'resolve');
  }),
};

export const paths: Readonly<Record<string, Path>> = { ...checkoutPaths, ...refundPaths, ...latePaths };
