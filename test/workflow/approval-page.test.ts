import { describe, expect } from 'vitest';
import { checkoutTest } from '../support/world/checkout-test.js';
import { payLate } from '../support/world/late-money.js';
import { RefundDesk, refundTenant } from '../support/world/refund-desk.js';
import { until } from '../support/world/until.js';

const test = checkoutTest({
  tenants: [
    refundTenant('acme', {}, { name: 'Acme & Sons' }),
    refundTenant('globex'),
    refundTenant('hasty', { approval_deadline_ms: 400 }),
    refundTenant(
      'obliging',
      {},
      { late_payment: 'honour', rails: [{ rail: 'paymentLink', deadline_ms: 400 }] },
    ),
  ],
});
const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`;

describe('the approver’s page', () => {
  test('shows what is to be decided, to whom, and why', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(9_000, 'usd', 'Growth plan');
    const refund = await desk.request(checkoutId, { amount: 8_000, words: 'I was charged too much' });
    const { status, html, headers } = await desk.page(desk.link(refund));
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    for (const part of [
      'Acme &#38; Sons: approve a refund',
      '$80.00',
      'Growth plan',
      `agent (${world.keyName('acme', 'agent')})`,
      'requested by customer',
      'I was charged too much',
      'the refunds of this payment together pass the tenant&#39;s threshold',
      'Waiting for a decision',
      'You decide as Dana',
      'History of this payment',
    ]) {
      expect(html).toContain(part);
    }
  });

  test('shows what the payment brought, and the other refunds asked for and decided', async ({
    customer,
    world,
  }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(20_000);
    const small = await desk.request(checkoutId, { amount: 1_000 });
    await desk.reach(small.refund_id, 'refunded');
    const denied = await desk.request(checkoutId, { amount: 6_000 });
    await desk.decide(denied, 'deny');
    const pending = await desk.request(checkoutId, { amount: 7_000 });
    const refund = await desk.request(checkoutId, { amount: 8_000 });
    await desk.refundedShown(checkoutId, 1_000);
    const { html } = await desk.page(desk.link(refund));
    const asker = world.keyName('acme', 'agent');
    const history = html.slice(html.indexOf('History of this payment'));
    for (const part of [
      `refund of $10.00 asked for by ${asker}: refunded`,
      `refund of $60.00 asked for by ${asker}: denied, denied by ${world.keyName('acme', 'approver')}`,
      `refund of $70.00 asked for by ${asker}: awaiting approval`,
      '<dt>Paid</dt><dd>$200.00</dd>',
      '<dt>Given back so far</dt><dd>$10.00</dd>',
    ]) {
      expect(history).toContain(part);
    }
    expect(history).not.toContain('$80.00');
    await desk.decide(pending, 'deny');
  });

  test('shows what came late and was kept as paid', async ({ newCaller, world }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'obliging' }));
    const checkoutId = await desk.caller.begin({ amount: 9_000 }, { rails: ['paymentLink'] });
    await desk.caller.reach(checkoutId, 'expired');
    await payLate(world, checkoutId, 9_000);
    await desk.caller.reach(checkoutId, ({ late_payment }) => late_payment?.state === 'honoured');
    const refund = await desk.request(checkoutId, { amount: 8_000 });
    const { html } = await desk.page(desk.link(refund));
    expect(html).toContain('<dt>Paid</dt><dd>$90.00</dd>');
  });

  test('works without script, by keyboard and with a screen reader', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const { html } = await desk.page(desk.link(await desk.held()));
    expect(html).not.toMatch(/<script|javascript:|\son\w+=/i);
    expect(html).toMatch(/<html lang="en">/);
    expect(html).toMatch(/<label for="note">/);
    expect(html.match(/<button [^>]*name="decision" value="(approved|denied)"/g)).toHaveLength(2);
    expect(html).toContain('<form method="post"');
    expect(html).toContain('width=device-width');
    expect(html.match(/<h1/g)).toHaveLength(1);
  });

  test('keeps to itself', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const path = desk.link(await desk.held());
    const answers = [
      await desk.page(path),
      await desk.page(`${path}x`),
      await desk.page(path, { decision: 'perhaps' }),
      await desk.page(path, { decision: 'denied' }, { 'sec-fetch-site': 'cross-site' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 400, 403]);
    for (const { headers } of answers) {
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'/);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'");
      expect(policy).not.toContain('unsafe');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-robots-tag')).toContain('noindex');
      expect(headers.get('set-cookie')).toBeNull();
    }
  });

  test('writes out whatever people said, and runs nothing of it', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const checkoutId = await desk.paid(9_000, 'usd', `Plan ${evil}`);
    const refund = await desk.request(checkoutId, { amount: 8_000, words: evil });
    const shown = await desk.page(desk.link(refund));
    await desk.page(desk.link(refund), { decision: 'denied', note: evil });
    const decided = await desk.page(desk.link(refund));
    for (const { html } of [shown, decided]) {
      expect(html).not.toMatch(/<script|<img/);
      expect(html).toContain('&#60;script&#62;');
    }
    expect((await desk.get(refund.refund_id)).body.approval?.note).toBe(evil);
  });

  test('decides nothing by being opened, however often and by whichever program', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const path = desk.link(refund);
    const opened = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        desk.page(
          index % 5 === 0 ? `${path}?decision=approved` : path,
          undefined,
          {},
          index % 2 ? 'GET' : 'HEAD',
        ),
      ),
    );
    expect(new Set(opened.map(({ status }) => status))).toEqual(new Set([200]));
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      expect((await desk.page(path, undefined, {}, method)).status).toBe(404);
    }
    const { events } = await desk.run(refund).fetchHistory();
    const sent = (events ?? []).filter(
      ({
        workflowExecutionSignaledEventAttributes: signal,
        workflowExecutionUpdateAcceptedEventAttributes,
      }) => signal ?? workflowExecutionUpdateAcceptedEventAttributes,
    );
    expect(sent).toEqual([]);
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
  });
});

describe('a decision on the page', () => {
  test.for([
    ['approved', 'refunded'],
    ['denied', 'denied'],
  ] as const)('%s is taken once, and the page then says so', async ([decision, state], { customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const path = desk.link(refund);
    const { status, headers } = await desk.page(path, { decision, note: ' as agreed ' });
    expect([status, headers.get('location')]).toEqual([303, path]);
    const { approval } = await desk.reach(refund.refund_id, state);
    expect(approval).toMatchObject({ decision, decided_by: 'person:dana', note: 'as agreed' });
    const again = await desk.page(path);
    expect(again.status).toBe(200);
    expect(again.html).toContain(`${decision} by person:dana`);
    expect(again.html).not.toContain('<form');
    const other = decision === 'approved' ? 'denied' : 'approved';
    // The link is used up, whichever button is pressed.
    for (const pressed of [decision, other]) {
      const used = await desk.page(path, { decision: pressed });
      expect([pressed, used.status]).toEqual([pressed, 409]);
      expect(used.html).toContain(
        `The refund was ${decision} by person:dana at ${approval?.decided_at ?? ''}`,
      );
    }
    const second = await desk.page(desk.link(refund, 'omar'), { decision: other });
    expect(second.status).toBe(409);
    expect((await desk.get(refund.refund_id)).body.state).toBe(state);
  });

  test('is not taken from another site', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const { host } = new URL(world.url);
    const elsewhere = [
      ...['cross-site', 'same-site', 'nonsense'].map((site) => ({ 'sec-fetch-site': site })),
      ...['https://evil.test', `https://${host}.evil.test`, 'http://127.0.0.1:1', 'nonsense', ''].map(
        (origin) => ({ origin, 'sec-fetch-site': 'same-origin' }),
      ),
      { origin: 'https://evil.test' },
    ];
    for (const headers of elsewhere) {
      const { status } = await desk.page(desk.link(refund), { decision: 'approved' }, headers);
      expect([headers, status]).toEqual([headers, 403]);
    }
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
    // A browser hides where our page was opened; others say it.
    const noted = { decision: 'approved', note: 'x'.repeat(9_000) };
    for (const origin of ['null', world.url]) {
      expect((await desk.page(desk.link(refund), noted, { origin })).status).toBe(413);
    }
    const own = { 'sec-fetch-site': 'same-origin', origin: world.url };
    expect((await desk.page(desk.link(refund), { decision: 'approved' }, own)).status).toBe(303);
  });

  test('is approve or deny, and nothing else', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    for (const form of [{}, { decision: '' }, { decision: 'approve' }, { 'decision[]': 'approved' }]) {
      expect((await desk.page(desk.link(refund), form)).status).toBe(400);
    }
    const twice = new URLSearchParams('decision=approved&decision=denied');
    const response = await fetch(`${desk.world.url}${desk.link(refund)}`, { method: 'POST', body: twice });
    expect(response.status).toBe(400);
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
  });

  test('is small, and names no card', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const path = desk.link(refund);
    expect((await desk.page(path, { decision: 'approved', note: 'x'.repeat(9_000) })).status).toBe(413);
    const card = await desk.page(path, { decision: 'approved', note: 'card 4242 4242 4242 4242' });
    expect(card.status).toBe(422);
    expect(card.html).not.toMatch(/4242\s*4242/);
    expect((await desk.get(refund.refund_id)).body).toEqual(refund);
    expect((await desk.page(path, { decision: 'denied', note: 'y'.repeat(800) })).status).toBe(303);
    expect((await desk.get(refund.refund_id)).body.approval?.note).toBe('y'.repeat(500));
  });
});

describe('a link', () => {
  test('that was forged, edited or is for something else leads nowhere', async ({ customer, world }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const other = await desk.held({ amount: 9_000 });
    const path = desk.link(refund);
    const later = Date.parse(refund.approval?.expires_at ?? '') + 60_000;
    const wrong = [
      path.replace(refund.refund_id, other.refund_id),
      path.replace('.dana.', '.omar.'),
      path.replace('/acme.', '/globex.'),
      desk.link(refund, 'mallory'),
      desk.link(refund, 'dana', { requestHash: other.request_hash }),
      path.replace(/\.[0-9a-z]+\.([\w-]{22})$/, `.${later.toString(36)}.$1`),
      `${path.slice(0, -22)}${'A'.repeat(22)}`,
      path.slice(0, -1),
      '/approvals/x',
      '/approvals/acme.rf_1.dana.1.AAAAAAAAAAAAAAAAAAAAAA',
      '/approvals/%00',
      `/approvals/${'a'.repeat(4_000)}`,
      `/approvals/${world.keyOf('acme', 'approver')}`,
    ];
    for (const one of wrong) {
      const seen = await desk.page(one);
      const posted = await desk.page(one, { decision: 'approved' });
      expect([one, seen.status, posted.status]).toEqual([one, 404, 404]);
      expect(seen.html).not.toContain('$');
    }
    for (const one of [refund, other]) expect((await desk.get(one.refund_id)).body).toEqual(one);
  });

  test('is dead when its time is over', async ({ newCaller }) => {
    const desk = new RefundDesk(newCaller({ tenant: 'hasty' }));
    const refund = await desk.held();
    await desk.reach(refund.refund_id, 'approval_expired');
    await until('its time is over', () => Date.now() > Date.parse(refund.approval?.expires_at ?? ''));
    expect((await desk.page(desk.link(refund))).status).toBe(410);
    expect((await desk.page(desk.link(refund), { decision: 'approved' })).status).toBe(410);
    const renewed = desk.link(refund, 'dana', { expiresAt: Date.now() + 60_000 });
    const late = await desk.page(renewed, { decision: 'approved' });
    expect(late.status).toBe(410);
    expect(late.html).toContain('Nothing was given back');
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
  });

  test('that was forwarded decides in the name of whom it was sent to, for that refund alone, once', async ({
    customer,
  }) => {
    const desk = new RefundDesk(customer);
    const [refund, other] = [await desk.held(), await desk.held({ amount: 9_000 })];
    const forwarded = desk.link(refund);
    // Whoever opens it reads in whose name they would decide. Who they are is not known: a limit that the README names.
    expect((await desk.page(forwarded)).html).toContain('You decide as Dana');
    expect((await desk.page(forwarded, { decision: 'denied', note: 'not Dana' })).status).toBe(303);
    const { approval } = await desk.reach(refund.refund_id, 'denied');
    expect(approval).toMatchObject({ decided_by: 'person:dana', note: 'not Dana' });
    const dana = await desk.page(forwarded, { decision: 'approved' });
    expect([dana.status, dana.html.includes('was denied by person:dana')]).toEqual([409, true]);
    expect((await desk.get(other.refund_id)).body).toEqual(other);
    expect((await desk.atStripe(refund.checkout_id)).amounts).toEqual([]);
  });

  test('is of no use as a key of the API', async ({ customer }) => {
    const desk = new RefundDesk(customer);
    const refund = await desk.held();
    const token = desk.link(refund).slice('/approvals/'.length);
    const answer = await customer.request('POST', `/refunds/${refund.refund_id}/approve`, {}, token);
    expect(answer.status).toBe(401);
  });
});
