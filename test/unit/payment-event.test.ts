import { expect, it } from 'vitest';
import { isPaymentEvent } from '../../contracts/payment-event.js';

const event = { v: 1, id: 'evt_1', kind: 'payment.succeeded', objectId: 'pi_1' };

it('an event of the relay has the form', () => {
  expect(isPaymentEvent(event)).toBe(true);
  expect(isPaymentEvent({ ...event, id: 'e'.repeat(255) })).toBe(true);
});

it.for([
  ['nothing', null],
  ['another version', { ...event, v: 2 }],
  ['a kind that is not known', { ...event, kind: 'payment.forged' }],
  ['an id that is no text', { ...event, id: 7 }],
  ['an id longer than any vendor has', { ...event, id: 'e'.repeat(256) }],
  ["an object's id longer than any vendor has", { ...event, objectId: 'p'.repeat(1_000_000) }],
] as const)('what anyone may signal by hand is no event: %s', ([, value]) => {
  expect(isPaymentEvent(value)).toBe(false);
});
