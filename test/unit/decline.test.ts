import { expect, test } from 'vitest';
import { declineReason } from '../../domain/decline.js';

test.each([
  [{ code: 'authentication_required' }, 'needs_authentication'],
  [{ code: 'card_declined', declineCode: 'authentication_required' }, 'needs_authentication'],
  [{ code: 'card_declined', declineCode: 'insufficient_funds' }, 'declined'],
  [{ code: 'card_declined', declineCode: 'fraudulent' }, 'declined'],
  [{ code: 'expired_card' }, 'declined'],
  [{ code: 'a_code_of_next_year' }, 'declined'],
  [{}, 'declined'],
] as const)('%o means %s', (decline, reason) => {
  expect(declineReason(decline)).toBe(reason);
});
