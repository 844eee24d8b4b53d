import { describe, expect } from 'vitest';
import { type CheckoutInput, checkoutWorkflowType } from '../../contracts/checkout.js';
import { checkoutStart } from '../../contracts/checkout-start.js';
import type { Caller, Checkout } from '../support/world/caller.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { payLate } from '../support/world/late-money.js';

const test = checkoutTest();

const onlyLink = { rails: ['paymentLink'] };
const late =
  (state: string) =>
  ({ late_payment }: Checkout) =>
    late_payment?.state === state;

/** Attempts at one purchase whose deadlines have all passed. */
async function expired(caller: Caller, attempts: number): Promise<string[]> {
  const ids: string[] = [];
  for (let count = 0; count < attempts; count++) {
    const id = await caller.begin({}, onlyLink);
    await caller.reach(id, 'expired');
    ids.push(id);
  }
  expect(new Set(ids).size).toBe(attempts);
  return ids;
}

/** As an API does it that had looked for late money a moment too early: like an attempt before. */
async function startUnseen(caller: Caller, model: string, checkoutId: string): Promise<void> {
  const { world } = caller;
  const given = await readInput(caller, model);
  const wallet = { rail: 'linkWallet', deadlineMs: 60_000 } as const;
  const input = { ...given, checkoutId, requestId: 'unseen', plan: [wallet] };
  await world.client.workflow.start(checkoutWorkflowType, checkoutStart(input, Date.now()));
  caller.checkouts.add(checkoutId);
}

async function readInput({ world, tenant }: Caller, id: string): Promise<CheckoutInput> {
  const { events } = await world.handleOf(tenant, id).fetchHistory();
  const data = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
  return JSON.parse(Buffer.from(data ?? []).toString()) as CheckoutInput;
}

describe('of two late payments of one purchase only one is kept', () => {
  test('the later attempt was paid first', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const [first = '', second = ''] = await expired(caller, 2);
    await payLate(world, second);
    await caller.reach(second, late('honoured'));
    await payLate(world, first);
    const back = await caller.reach(first, late('refunded'));
    expect(back.late_payment).toMatchObject({ because: 'newer_attempt' });
    expect((await caller.get(second)).body.late_payment).toMatchObject({ state: 'honoured' });
  });

  test('the earlier attempt was paid first', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const [first = '', second = ''] = await expired(caller, 2);
    await payLate(world, first);
    await caller.reach(first, late('honoured'));
    await payLate(world, second);
    const back = await caller.reach(second, late('refunded'));
    expect(back.late_payment).toMatchObject({ because: 'second_payment' });
    expect((await caller.get(first)).body.late_payment).toMatchObject({ state: 'honoured' });
  });

  test('unless the caller bought it again in between', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const [first = ''] = await expired(caller, 1);
    await payLate(world, first);
    await caller.reach(first, late('honoured'));
    const second = await caller.begin({ after: first }, onlyLink);
    await caller.reach(second, 'expired');
    await payLate(world, second);
    await caller.reach(second, late('honoured'));
    expect((await caller.get(first)).body.late_payment).toMatchObject({ state: 'honoured' });
  });
});

describe('a purchase that late money has paid for', () => {
  test('is not started again, however many attempts ago that was', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const [first = ''] = await expired(caller, 2);
    const third = await caller.quote();
    await payLate(world, first);
    await caller.reach(first, late('honoured'));
    expect(await caller.start(third.body, onlyLink)).toMatchObject({
      status: 409,
      body: { code: 'already_paid', checkout_id: first },
    });
    expect((await caller.get(third.body.checkout_id)).status).toBe(404);
  });

  test('is stopped where it was started in the same moment', async ({ newCaller, world }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const [first = ''] = await expired(caller, 1);
    const { body: quote } = await caller.quote();
    await payLate(world, first);
    await caller.reach(first, late('honoured'));
    await startUnseen(caller, first, quote.checkout_id);
    await caller.reach(quote.checkout_id, 'awaiting_wallet');
    expect(await caller.start(quote)).toMatchObject({
      status: 409,
      body: { code: 'already_paid', checkout_id: first },
    });
    await caller.reach(quote.checkout_id, 'canceled');
  });

  test('was not paid by it if a new attempt began before anybody could know', async ({
    newCaller,
    world,
  }) => {
    const caller = newCaller({ tenant: 'obliging' });
    const [first = ''] = await expired(caller, 1);
    const { body: quote } = await caller.quote();
    const route = 'GET /v1/payment_intents/:id';
    await world.standIns.fault(
      { webhook: 'lose', type: 'checkout.session.completed', times: 1 },
      { route, kind: 'slow', ms: 1, times: 1 },
      { route, kind: 'hold' },
    );
    await payLate(world, first);
    await caller.reach(first, late('honoured'));
    await startUnseen(caller, first, quote.checkout_id);
    await caller.reach(quote.checkout_id, 'awaiting_wallet');
    await world.standIns.release(route);
    const back = await caller.reach(first, late('refunded'));
    expect(back.late_payment).toMatchObject({ because: 'newer_attempt' });
    await world.standIns.approve(quote.checkout_id);
    await caller.reach(quote.checkout_id, 'paid');
    expect(await world.standIns.messages(caller.phone ?? '')).not.toContainEqual(
      expect.objectContaining({ body: expect.stringContaining('has arrived') as string }),
    );
  });
});
