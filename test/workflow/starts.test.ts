import { describe, expect } from 'vitest';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import { attemptId, attemptOf } from '../../contracts/ids.js';
import { firstAttemptBeside } from '../../domain/attempts.js';
import { checkoutTest } from '../support/world/checkout-test.js';
import { until } from '../support/world/until.js';

const it = checkoutTest();
const authorize = 'POST /v1/link/agent_authorizations';

describe.concurrent('starting a checkout', () => {
  it('happens once, however many ask at once', async ({ customer, world }) => {
    const { body: quote } = await customer.quote();
    const answers = await Promise.all(Array.from({ length: 50 }, () => customer.start(quote)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status, replayed }) => status === 200 && replayed)).toHaveLength(49);
    const id = quote.checkout_id;
    expect(new Set(answers.map(({ body }) => body.checkout_id))).toEqual(new Set([id]));
    expect(await world.standIns.requests({ checkoutId: id, route: authorize })).toHaveLength(1);
    await world.standIns.approve(id);
    await customer.reach(id, 'paid');
    const query = `WorkflowId = "${checkoutWorkflowId('acme', id)}"`;
    const runs = await until('the run in the list', async () => {
      const seen: string[] = [];
      for await (const { runId } of world.client.workflow.list({ query })) seen.push(runId);
      return seen.length > 0 && seen;
    });
    expect(runs).toHaveLength(1);
  });

  it('answers a repetition after the end with the end', async ({ customer, world }) => {
    const { body: quote } = await customer.quote();
    const first = await customer.start(quote);
    expect([first.status, first.replayed]).toEqual([202, false]);
    await customer.reach(quote.checkout_id, 'awaiting_wallet');
    await world.standIns.approve(quote.checkout_id);
    const paid = await customer.reach(quote.checkout_id, 'paid');
    const again = await customer.start(quote);
    expect([again.status, again.replayed, again.body]).toEqual([200, true, paid]);
  });

  it('by a second call while the link is open leads to the same checkout', async ({ customer, world }) => {
    const id = await customer.begin({}, { rails: ['paymentLink'] });
    await customer.reach(id, 'awaiting_link');
    const redial = await customer.quote({ callId: `${customer.callId}-again` });
    expect([redial.status, redial.replayed]).toEqual([200, true]);
    expect(redial.body).toMatchObject({ checkout_id: id, checkout_state: 'awaiting_link' });
    expect(redial.body.say).toBe("I've sent a secure link to your phone.");
    const started = await customer.start(redial.body);
    expect([started.status, started.body.checkout_id]).toEqual([200, id]);
    expect(await world.standIns.messages(customer.phone ?? '')).toHaveLength(1);
    await world.standIns.pay(id);
    await customer.reach(id, 'paid');
  });

  it.for([200, 400])(
    'of what was paid one and two fortnights before is refused: %i numbers back',
    async (back, { customer, world }) => {
      const { body: quote } = await customer.quote();
      const { purchase = '', number = 0 } = attemptOf(quote.checkout_id) ?? {};
      const older = attemptId(purchase, firstAttemptBeside(number) - back);
      const run = await world.client.workflow.start('checkout', {
        workflowId: checkoutWorkflowId('acme', older),
        taskQueue: 'nobody',
        memo: {
          checkout: { checkoutId: older, amount: 4_900, currency: 'usd', description: 'Growth plan' },
          state: {
            status: 'paid',
            version: 3,
            amountCaptured: 4_900,
            railsLeft: [],
            attempts: [],
            events: [],
          },
        },
      });
      const again = await customer.quote();
      expect([again.status, again.body.code, again.body.checkout_id]).toEqual([409, 'already_paid', older]);
      const bought = await customer.quote({ after: older });
      expect([bought.status, bought.body.checkout_id]).toEqual([200, quote.checkout_id]);
      await run.terminate();
    },
  );

  it('with another amount is refused while the first is open', async ({ customer }) => {
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const { status, body } = await customer.quote({ amount: 5_900 });
    expect([status, body.code, body.checkout_id]).toEqual([409, 'purchase_open', id]);
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
  });

  it('with a quote of another amount, read out before, is refused while the first is open', async ({
    customer,
  }) => {
    const { body: dear } = await customer.quote({ amount: 9_900 });
    const id = await customer.begin();
    await customer.reach(id, 'awaiting_wallet');
    const { status, body } = await customer.start(dear);
    expect([status, body.code, body.checkout_id]).toEqual([409, 'purchase_open', id]);
    // Nothing is open any more, and the number of this attempt is used up.
    await customer.cancel(id);
    await customer.reach(id, 'canceled');
    const after = await customer.start(dear);
    expect([after.status, after.body.code, after.body.checkout_id]).toEqual([410, 'quote_expired', id]);
    const { body: next } = await customer.quote({ amount: 9_900 });
    const other = await customer.start(next);
    expect(other.body).toMatchObject({ state: 'awaiting_wallet', amount: 9_900 });
    await customer.cancel(next.checkout_id);
    await customer.reach(next.checkout_id, 'canceled');
  });

  it('again after it was paid needs the word `after`, which may be repeated', async ({ customer, world }) => {
    const first = await customer.begin();
    await customer.reach(first, 'awaiting_wallet');
    await world.standIns.approve(first);
    await customer.reach(first, 'paid');
    const refused = await customer.quote();
    expect([refused.status, refused.body.code, refused.body.checkout_id]).toEqual([
      409,
      'already_paid',
      first,
    ]);
    const second = await customer.begin({ after: first });
    expect(second).toBe(first.replace(/_1$/, '_2'));
    await customer.reach(second, 'awaiting_wallet');
    const repeated = await customer.quote({ after: first });
    expect([repeated.status, repeated.body.checkout_id]).toEqual([200, second]);
    expect(await customer.begin({ after: first })).toBe(second);
    await world.standIns.approve(second);
    await customer.reach(second, 'paid');
    const late = await customer.quote({ after: first });
    expect([late.status, late.body.code, late.body.checkout_id]).toEqual([409, 'already_paid', second]);
  });

  it('again is refused after anything but a paid checkout of the purchase', async ({ customer, world }) => {
    const wallet = { rails: ['linkWallet'] };
    const declined = await customer.begin({}, wallet);
    await customer.reach(declined, 'awaiting_wallet');
    await world.standIns.deny(declined);
    await customer.reach(declined, 'declined');
    const paid = await customer.begin({}, wallet);
    await customer.reach(paid, 'awaiting_wallet');
    await world.standIns.approve(paid);
    await customer.reach(paid, 'paid');
    const attempt = (number: number | string) => paid.replace(/_2$/, `_${number}`);
    const other = await customer.quote({ description: 'Other plan' });
    const refused = [...[1, 3, 9999, 0, '02'].map(attempt), 'co_1'];
    for (const after of [...refused, other.body.checkout_id]) {
      const { status, body } = await customer.quote({ after });
      expect([after, status, body.code]).toEqual([after, 400, 'invalid_request']);
    }
    const again = await customer.quote({ after: paid });
    expect([again.status, again.body.checkout_id]).toEqual([201, attempt(3)]);
  });

  it('again after it was declined is a new attempt', async ({ customer, world }) => {
    const rails = { rails: ['linkWallet'] };
    const first = await customer.begin({}, rails);
    await customer.reach(first, 'awaiting_wallet');
    await world.standIns.deny(first);
    await customer.reach(first, 'declined');
    const quote = await customer.quote();
    expect([quote.status, quote.body.checkout_id]).toEqual([201, first.replace(/_1$/, '_2')]);
    const started = await customer.start(quote.body, rails);
    expect(started.status).toBe(202);
    await customer.reach(quote.body.checkout_id, 'awaiting_wallet');
    await world.standIns.approve(quote.body.checkout_id);
    await customer.reach(quote.body.checkout_id, 'paid');
  });

  it('with an expired quote leads to the checkout it stands for, or to 410', async ({ customer, world }) => {
    const { body: quote } = await customer.quote();
    const { expired: _, ...claims } = await world.tokens.open(quote.quote_token, 'acme');
    const quote_token = await world.tokens.sign(claims, new Date(Date.now() - 1_000));
    const early = await customer.start({ ...quote, quote_token });
    expect([early.status, early.body.code]).toEqual([410, 'quote_expired']);
    await customer.start(quote);
    await customer.reach(quote.checkout_id, 'awaiting_wallet');
    const late = await customer.start({ ...quote, quote_token });
    expect([late.status, late.body.state]).toEqual([200, 'awaiting_wallet']);
    await customer.cancel(quote.checkout_id);
    await customer.reach(quote.checkout_id, 'canceled');
  });
});
