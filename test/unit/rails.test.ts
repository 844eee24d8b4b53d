import { describe, expect, test } from 'vitest';
import { planRails, type PlanRequest } from '../../domain/rails.js';

const request = (changes: Partial<PlanRequest> = {}): PlanRequest => ({
  money: { amount: 4900, currency: 'usd' },
  policy: [
    { rail: 'linkWallet', deadline_ms: 60_000 },
    { rail: 'paymentLink', deadline_ms: 1_800_000 },
  ],
  contact: { phone: '+15550123001', email: 'ada@example.com' },
  walletMax: { usd: 50_000 },
  ...changes,
});
const skips = (changes: Partial<PlanRequest>) =>
  planRails(request(changes)).map(({ rail, skip }) => [rail, skip]);

describe('a plan', () => {
  test('has the rails of the tenant in its order, with their deadlines', () => {
    expect(planRails(request())).toEqual([
      { rail: 'linkWallet', deadlineMs: 60_000 },
      { rail: 'paymentLink', deadlineMs: 1_800_000 },
    ]);
  });

  test('keeps the order of the tenant when the agent names rails', () => {
    expect(skips({ only: ['paymentLink', 'linkWallet'] }).map(([rail]) => rail)).toEqual([
      'linkWallet',
      'paymentLink',
    ]);
  });

  test('has only the rails the agent names, and none the tenant lacks', () => {
    expect(skips({ only: ['paymentLink'] })).toEqual([['paymentLink', undefined]]);
    expect(planRails(request({ policy: [], only: ['paymentLink'] }))).toEqual([]);
  });

  test.each([
    ['phone and e-mail', { phone: '+15550123001', email: 'a@example.com' }, undefined, undefined],
    ['e-mail only', { email: 'a@example.com' }, undefined, 'unreachable'],
    ['phone only', { phone: '+15550123001' }, undefined, undefined],
    ['neither', {}, 'unreachable', 'unreachable'],
  ])('passes over what cannot reach a caller with %s', (_name, contact, wallet, link) => {
    expect(skips({ contact })).toEqual([
      ['linkWallet', wallet],
      ['paymentLink', link],
    ]);
  });

  test.each([
    [50_000, 'usd', undefined],
    [50_001, 'usd', 'over_limit'],
    [50_001, 'eur', undefined],
  ])('asks the wallet for %d %s or says: %s', (amount, currency, skip) => {
    expect(skips({ money: { amount, currency } })[0]).toEqual(['linkWallet', skip]);
  });
});
