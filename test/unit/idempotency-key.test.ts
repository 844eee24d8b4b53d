import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import { type EffectStep, idempotencyKey } from '../../domain/idempotency-key.js';

const steps: readonly EffectStep[] = [
  'wallet.request',
  'wallet.cancel',
  'charge.create',
  'charge.confirm',
  'charge.cancel',
  'link.create',
  'link.expire',
];
const intent = fc.record({
  deployment: fc.stringMatching(/^[a-z0-9-]{1,40}$/),
  workflowId: fc
    .tuple(fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,39}$/), fc.stringMatching(/^[0-9a-f]{30}$/))
    .map(([tenant, id]) => checkoutWorkflowId(tenant, `co_${id}_1`)),
  step: fc.constantFrom(...steps),
  attempt: fc.integer({ min: 1, max: 1_000 }),
});

describe('an idempotency key', () => {
  test('is the same for the same intent', () => {
    fc.assert(
      fc.property(intent, (parts) => {
        expect(idempotencyKey({ ...parts })).toBe(idempotencyKey(parts));
      }),
    );
  });

  test('differs when any part of the intent differs', () => {
    fc.assert(
      fc.property(intent, intent, (one, other) => {
        const same = JSON.stringify(Object.values(one)) === JSON.stringify(Object.values(other));
        expect(idempotencyKey(one) === idempotencyKey(other)).toBe(same);
      }),
    );
    const parts = { deployment: 'd', workflowId: 'checkout/t/co_1', attempt: 1 };
    expect(new Set(steps.map((step) => idempotencyKey({ ...parts, step }))).size).toBe(steps.length);
  });

  test('stays within the 255 characters of Stripe for the longest names we allow', () => {
    fc.assert(
      fc.property(intent, (parts) => {
        expect(idempotencyKey(parts).length).toBeLessThanOrEqual(255);
      }),
    );
  });

  test('is refused, never cut, when it would be longer', () => {
    const parts = { deployment: 'd', workflowId: 'w'.repeat(255), step: 'link.create', attempt: 1 } as const;
    expect(() => idempotencyKey(parts)).toThrow(/255/);
  });
});
