import { describe, expect, test } from 'vitest';
import { isResolution } from '../../contracts/levers.js';
import { runQuery } from '../../contracts/run-query.js';

describe('the filter of a list of runs', () => {
  test('names the tenant whatever else is asked for', () => {
    expect(runQuery({ kind: 'checkout', tenantId: 'acme' })).toBe(
      "TenantId = 'acme' AND WorkflowType = 'checkout'",
    );
    const all = { state: 'paid', callId: 'call-1', needsAttention: false } as const;
    expect(runQuery({ kind: 'refund', tenantId: 'acme', ...all })).toBe(
      "TenantId = 'acme' AND WorkflowType = 'refund' AND RefundState = 'paid' AND CallId = 'call-1' AND RefundState != 'needs_attention'",
    );
    expect(runQuery({ kind: 'checkout', tenantId: 'acme', needsAttention: true })).toBe(
      "TenantId = 'acme' AND ((WorkflowType = 'checkout' AND CheckoutState = 'needs_attention') OR (WorkflowType = 'unmatchedPayment' AND LatePayment = 'needs_attention'))",
    );
  });

  test.each(["'", '"', '\\', '`', 'a b', "x' OR TenantId = 'globex", '', 'a\n', 'x'.repeat(129)])(
    'is made of no text like %j',
    (text) => {
      for (const field of ['tenantId', 'state', 'callId']) {
        const filter = { kind: 'checkout', tenantId: 'acme', [field]: text } as const;
        expect(() => runQuery(filter), field).toThrow(TypeError);
      }
    },
  );
});

describe('the word of ops', () => {
  test.each([{ by: 'dana' }, { by: 'dana', note: 'nothing on the statement' }, { by: 'd'.repeat(120) }])(
    'is one: %j',
    (value) => expect(isResolution(value)).toBe(true),
  );

  test.each([
    undefined,
    null,
    'dana',
    {},
    { by: '' },
    { by: ' ' },
    { by: 5 },
    { by: 'd'.repeat(121) },
    { by: 'dana', note: 5 },
    { by: 'dana', note: '' },
    { by: 'dana', note: 'x'.repeat(501) },
    { by: 'dana', note: 'card 4242 4242 4242 4242' },
    { by: '4242424242424242' },
  ])('is none: %j', (value) => expect(isResolution(value)).toBe(false));
});
