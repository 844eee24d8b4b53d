import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { type Refund, RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';
import type { World } from '../support/world/world.js';

const soon = { remind_after_ms: 500, escalate_after_ms: 1_200 };
const test = checkoutTest({
  tenants: [
    refundTenant('acme', {
      ...soon,
      approvers: [
        { id: 'dana', name: 'Dana', email: 'dana@acme.test', tier: 1 },
        { id: 'omar', name: 'Omar', phone: '+15550100199', tier: 2 },
      ],
    }),
    refundTenant('patient'),
    refundTenant('phones', {
      approvers: [{ id: 'pat', name: 'Pat', phone: '+15550100303', tier: 1 }],
    }),
    refundTenant('team', {
      approvers: [
        { id: 'ann', name: 'Ann', email: 'ann@team.test', phone: '+15550100301', tier: 1 },
        { id: 'bob', name: 'Bob', phone: '+15550100302', tier: 1 },
      ],
    }),
  ],
});

const mailsAbout = async (world: World, to: string, refund: Refund) =>
  (await world.standIns.mails(to)).filter(({ text }) => text.includes(refund.refund_id)).reverse();
const textsAbout = async (world: World, to: string, refund: Refund) =>
  (await world.standIns.messages(to)).filter(({ body }) => body.includes(refund.refund_id)).reverse();
const texts = '/2010-04-01/Accounts/:account/Messages.json';
const linkIn = (text: string) => /\/approvals\/\S+/.exec(text)?.[0] ?? 'no link';

describe('people are asked', () => {
  test('tier by tier, each reminded once, until somebody decides', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const mails = await until('mail and reminder', async () => {
      const seen = await mailsAbout(world, 'dana@acme.test', refund);
      return seen.length === 2 && seen;
    });
    expect(mails.map(({ subject }) => subject)).toEqual([
      'acme: refund of $80.00 needs your decision',
      'Reminder: acme: refund of $80.00 needs your decision',
    ]);
    expect(mails.map(({ message_id }) => message_id)).toEqual([
      `<${refund.refund_id}.ask.dana@test.voice-checkout>`,
      `<${refund.refund_id}.remind.dana@test.voice-checkout>`,
    ]);
    const texts = await until('text and reminder', async () => {
      const seen = await textsAbout(world, '+15550100199', refund);
      return seen.length === 2 && seen;
    });
    expect(texts.map(({ body }) => body.startsWith('Reminder: '))).toEqual([false, true]);
    // Tier 2 is a visible change: its version, and what ops see.
    const asked = (await desk.get(refund.refund_id)).body;
    expect([asked.state, asked.version]).toEqual(['awaiting_approval', 2]);
    expect(await desk.explain(refund)).toContain(
      'Tier 2 is to decide. Told by e-mail: dana. Told by SMS: omar.',
    );
    const { status } = await desk.page(linkIn(texts[0]?.body ?? ''), { decision: 'approved' });
    expect(status).toBe(303);
    const done = await desk.reach(refund.refund_id, 'refunded');
    expect(done.approval?.decided_by).toBe('person:omar');
    expect(await mailsAbout(world, 'dana@acme.test', refund)).toHaveLength(2);
  });

  test('once each: e-mail where they have it, else text, all of a tier', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'team' }));
    const refund = await desk.held();
    const [mail] = await until('mail', async () => {
      const seen = await mailsAbout(world, 'ann@team.test', refund);
      return seen.length > 0 && seen;
    });
    const [text] = await until('text', async () => {
      const seen = await textsAbout(world, '+15550100302', refund);
      return seen.length > 0 && seen;
    });
    expect(await textsAbout(world, '+15550100301', refund)).toEqual([]);
    expect(linkIn(mail?.text ?? '')).toContain('.ann.');
    expect(linkIn(text?.body ?? '')).toContain('.bob.');
    expect(text?.body.length).toBeLessThan(320);
    expect((await desk.page(linkIn(mail?.text ?? ''))).html).toContain('You decide as Ann');
    expect((await desk.page(linkIn(text?.body ?? ''), { decision: 'denied' })).status).toBe(303);
    await desk.reach(refund.refund_id, 'denied');
  });

  test('no more once it is decided', async ({ newCaller, world }) => {
    // Reminder and second tier would be due in hours: a run that still waited for them would not end.
    const desk = new RefundDesk(newCaller({ tenant: 'patient' }));
    const refund = await desk.held();
    await desk.decide(refund, 'deny');
    await until(
      'the run has ended',
      async () => (await desk.run(refund).describe()).status.name === 'COMPLETED',
    );
    expect((await mailsAbout(world, 'dana@patient.test', refund)).length).toBeLessThanOrEqual(1);
    expect(await textsAbout(world, '+15550100199', refund)).toEqual([]);
  });

  test('and may decide before anybody could be told', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'patient' }));
    await world.standIns.fault({ route: 'SMTP', kind: 'status', status: 550, times: 3 });
    const refund = await desk.held();
    expect((await desk.decide(refund, 'approve')).status).toBe(200);
    await desk.reach(refund.refund_id, 'refunded');
  });

  test('as soon as their mail server is back, and ops see until then that they were not', async ({
    newCaller,
    world,
  }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'patient' }));
    await world.standIns.fault({ route: 'SMTP', kind: 'status', status: 451, times: 5 });
    const refund = await desk.held();
    expect(await desk.explain(refund)).toContain('Being told: dana.');
    await desk.explains(refund, 'Told by e-mail: dana.');
    expect(await mailsAbout(world, 'dana@patient.test', refund)).toHaveLength(1);
    await desk.decide(refund, 'deny');
  });

  test('by text where their mail is refused for good', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'team' }));
    await world.standIns.fault({ route: 'SMTP', kind: 'status', status: 550, times: 1 });
    const refund = await desk.held();
    await desk.explains(refund, 'Told by SMS: ann, bob.');
    const [text] = await textsAbout(world, '+15550100301', refund);
    expect((await desk.page(linkIn(text?.body ?? ''))).html).toContain('You decide as Ann');
    await desk.decide(refund, 'deny');
  });

  test('as soon as Twilio is back, by one text', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'phones' }));
    await world.standIns.fault({ route: `GET ${texts}`, kind: 'status', status: 503, times: 5 });
    const refund = await desk.held();
    await desk.explains(refund, 'Told by SMS: pat.');
    expect(await textsAbout(world, '+15550100303', refund)).toHaveLength(1);
    await desk.decide(refund, 'deny');
  });

  test('by two texts at most, and ops see that none is known to have arrived', async ({
    newCaller,
    world,
  }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'phones' }));
    await world.standIns.fault(
      { route: `POST ${texts}`, kind: 'status', status: 429, times: 3 },
      { route: `POST ${texts}`, kind: 'before', times: 9 },
    );
    const refund = await desk.held();
    await desk.explains(refund, 'Could not be told: pat.');
    const tries = await world.standIns.requests({ route: `POST ${texts}` });
    const ofThis = tries.filter(({ params }) => params['Body']?.includes(refund.refund_id));
    expect(ofThis.map(({ status }) => status)).toEqual([429, 429, 429, null, null]);
    await world.standIns.clearFaults();
    await desk.decide(refund, 'deny');
  });

  test('once, however often their mail server hesitates', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'patient' }));
    await world.standIns.fault(
      { route: 'SMTP', kind: 'status', status: 451, times: 1 },
      { route: 'SMTP', kind: 'after_effect_drop', times: 1 },
    );
    const refund = await desk.held();
    const mails = await until('one mail, sent again after its lost answer', async () => {
      const seen = await mailsAbout(world, 'dana@patient.test', refund);
      return seen[0]?.copies === 2 && seen;
    });
    expect(mails).toHaveLength(1);
    await desk.decide(refund, 'deny');
  });
});
