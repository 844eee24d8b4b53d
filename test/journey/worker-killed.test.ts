import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { newCaller } from '../support/system-agent.js';
import { expectPaidOnce } from '../support/system-vendors.js';
import { useSystem } from '../support/system.js';

/** Only the second tenant's callers are given so little time. */
const walletDeadlineMs = 1_500;
const system = useSystem({
  tenants: [
    {},
    {
      rails: [
        { rail: 'linkWallet', deadline_ms: walletDeadlineMs },
        { rail: 'paymentLink', deadline_ms: 60_000 },
      ],
    },
  ],
});
const { agent, standIns } = system;

/**
 * One effect at a vendor: how a checkout comes to it, and how it ends well once a worker is back. Every answer of the
 * route is dropped until the worker is dead, so that no worker can have learned of the effect.
 */
interface Effect {
  name: string;
  route: string;
  dropped: RegExp;
  rails: readonly string[];
  /** Brings the checkout up to the effect; absent: starting it is enough. */
  before?: 'awaiting_wallet' | 'awaiting_link';
  cause?: (checkoutId: string) => Promise<unknown>;
  finish: (checkoutId: string) => Promise<unknown>;
  tried: { authorizations: number; sessions: number };
}

const token = { grants: 'shared_payment_token' };
const paysOnThePage = async (id: string): Promise<void> => {
  await agent.waitFor(id, 'awaiting_link');
  await standIns.pay(id);
};

/** In this order no dropped route stands in the way of a later checkout. */
const effects: readonly Effect[] = [
  {
    name: 'withdrawing the wallet request',
    route: 'POST /v1/link/agent_authorizations/:id/cancel',
    dropped: /agent_authorizations\/\w+\/cancel$/,
    rails: ['linkWallet', 'paymentLink'],
    before: 'awaiting_wallet',
    cause: (id) => agent.switchRail(id, 'paymentLink'),
    finish: paysOnThePage,
    tried: { authorizations: 1, sessions: 1 },
  },
  {
    name: 'canceling a declined charge',
    route: 'POST /v1/payment_intents/:id/cancel',
    dropped: /payment_intents\/\w+\/cancel$/,
    rails: ['linkWallet', 'paymentLink'],
    before: 'awaiting_wallet',
    cause: (id) => standIns.approve(id, { ...token, outcome: 'declined' }),
    finish: paysOnThePage,
    tried: { authorizations: 1, sessions: 1 },
  },
  {
    name: 'confirming the charge',
    route: 'POST /v1/payment_intents/:id/confirm',
    dropped: /payment_intents\/\w+\/confirm$/,
    rails: ['linkWallet'],
    before: 'awaiting_wallet',
    cause: (id) => standIns.approve(id, token),
    finish: async () => undefined,
    tried: { authorizations: 1, sessions: 0 },
  },
  {
    name: 'creating the charge',
    route: 'POST /v1/payment_intents',
    dropped: /payment_intents$/,
    rails: ['linkWallet'],
    before: 'awaiting_wallet',
    cause: (id) => standIns.approve(id, token),
    finish: async () => undefined,
    tried: { authorizations: 1, sessions: 0 },
  },
  {
    name: 'sending the text message',
    route: 'POST /2010-04-01/Accounts/:account/Messages.json',
    dropped: /Messages\.json$/,
    rails: ['paymentLink'],
    finish: paysOnThePage,
    tried: { authorizations: 0, sessions: 1 },
  },
  {
    name: 'opening the payment page',
    route: 'POST /v1/checkout/sessions',
    dropped: /checkout\/sessions$/,
    rails: ['paymentLink'],
    finish: paysOnThePage,
    tried: { authorizations: 0, sessions: 1 },
  },
  {
    name: 'asking the wallet',
    route: 'POST /v1/link/agent_authorizations',
    dropped: /agent_authorizations$/,
    rails: ['linkWallet'],
    finish: async (id) => {
      await agent.waitFor(id, 'awaiting_wallet');
      await standIns.approve(id);
    },
    tried: { authorizations: 1, sessions: 0 },
  },
];

describe('a worker killed between an effect and its completion', () => {
  const checkoutOf = new Map<Effect, string>();
  let canceled = '';

  beforeAll(async () => {
    const startOf = async ({ rails, before }: Effect): Promise<string> => {
      const { checkout_id } = await agent.begin(rails);
      if (before) await agent.waitFor(checkout_id, before);
      return checkout_id;
    };
    for (const effect of effects.filter(({ before }) => before))
      checkoutOf.set(effect, await startOf(effect));
    canceled = (await agent.begin(['paymentLink'])).checkout_id;
    await agent.waitFor(canceled, 'awaiting_link');

    const answers: Promise<unknown>[] = [];
    const expire = 'POST /v1/checkout/sessions/:id/expire';
    await standIns.fault({ route: expire, kind: 'after_effect_drop', times: 1_000 });
    answers.push(agent.cancel(canceled));
    await standIns.untilDropped('POST', /sessions\/\w+\/expire$/);
    for (const effect of effects) {
      await standIns.fault({ route: effect.route, kind: 'after_effect_drop', times: 1_000 });
      if (effect.route.endsWith('Messages.json')) await holdRepeatedSend();
      if (effect.cause) answers.push(effect.cause(checkoutOf.get(effect) ?? ''));
      else checkoutOf.set(effect, await startOf(effect));
      await standIns.untilDropped('POST', effect.dropped);
    }
    const killed = system.kill('worker');
    await standIns.clearFaults();
    // The agents' requests may answer or fail: what counts is how their checkouts end.
    await Promise.allSettled(answers);
    await system.untilReplaced('worker', killed);
  });

  /** A repeated send looks first whether Twilio has the message; the worker is killed while that look hangs. */
  async function holdRepeatedSend(): Promise<void> {
    const look = 'GET /2010-04-01/Accounts/:account/Messages.json';
    await standIns.fault({ route: look, kind: 'slow', ms: 0, times: 1 });
    await standIns.fault({ route: look, kind: 'hold' });
  }

  it.each(effects)('charges once and leaves nothing open after $name', async (effect) => {
    const id = checkoutOf.get(effect) ?? '';
    await effect.finish(id);
    const paid = await agent.waitFor(id, 'paid');
    expect(paid.amount_captured).toBe(paid.amount);
    expectPaidOnce(await standIns.book(id), paid.amount, effect.tried);
  });

  it('ends a canceled checkout uncharged after closing the payment page', async () => {
    const { say } = await agent.waitFor(canceled, 'canceled');
    expect(say).toContain('nothing was charged');
    expect(await standIns.book(canceled)).toMatchObject({ charges: [], live: [] });
  });
});

describe('a worker killed before a deadline that passes without it', () => {
  it('withdraws the wallet request and texts the link as soon as a worker is back', async () => {
    const caller = newCaller();
    const { checkout_id, amount } = await system.otherAgent.begin(undefined, caller);
    await system.otherAgent.waitFor(checkout_id, 'awaiting_wallet');
    const killed = system.kill('worker');
    await system.untilReplaced('worker', killed);
    await system.otherAgent.waitFor(checkout_id, 'awaiting_link');
    expect((await standIns.authorization(checkout_id)).status).toBe('canceled');
    await standIns.pay(checkout_id);
    await system.otherAgent.waitFor(checkout_id, 'paid');
    expectPaidOnce(await standIns.book(checkout_id), amount, { authorizations: 1, sessions: 1 });
  });
});

describe('a worker that hangs', () => {
  it('costs a caller less than 1.5 s for the answer "starting", and the checkout is paid once it goes on', async () => {
    const pid = system.pid('worker');
    const caller = newCaller();
    const quote = await agent.quote(caller);
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(pid, 'SIGCONT'));
    const answer = await agent.start(agent.startBody(quote, caller, ['linkWallet']));
    expect(answer.status).toBe(202);
    expect(answer.body.state).toBe('starting');
    expect(answer.ms).toBeLessThan(1_500);
    process.kill(pid, 'SIGCONT');
    const { checkout_id, amount } = answer.body;
    await agent.waitFor(checkout_id, 'awaiting_wallet');
    await standIns.approve(checkout_id);
    await agent.waitFor(checkout_id, 'paid');
    expectPaidOnce(await standIns.book(checkout_id), amount, { authorizations: 1, sessions: 0 });
  });
});
