import { SeededRandom } from './seeded-random.js';

/** What one caller and their agent will do, chosen before the call; what becomes of it is up to the day. */
export interface CheckoutPlan {
  /** Of a tenant that waits, or of one whose deadlines pass while people think. */
  tenant: 'patient' | 'hasty';
  amount: number;
  rails: readonly string[] | undefined;
  hasWallet: boolean;
  wallet:
    | 'approves'
    | 'brings a token'
    | 'brings a token that is declined'
    | 'pays and is declined'
    | 'denies'
    | 'ignores';
  page: 'pays' | 'is declined, then pays' | 'ignores';
  /** How long the caller thinks before they act, ms. */
  thinkMs: number;
  agent:
    | 'follows'
    | 'starts twice at once'
    | 'starts again later'
    | 'is called again'
    | 'cancels'
    | 'cancels while the caller pays'
    | 'switches to the page';
}

export type RefundPlan =
  | 'small'
  | 'asked twice at once'
  | 'approved'
  | 'denied'
  | 'raced'
  | 'all that is left'
  | 'more than was paid'
  | 'two that do not fit together';

export function checkoutPlan(seed: number, index: number): CheckoutPlan {
  const random = new SeededRandom(seed, index);
  return {
    tenant: random.chance(0.7) ? 'patient' : 'hasty',
    amount: random.chance(0.5) ? random.between(100, 5_000) : random.between(5_001, 49_000),
    rails: random.weighted([
      [5, undefined],
      [3, ['linkWallet']],
      [3, ['paymentLink']],
    ]),
    hasWallet: random.chance(0.9),
    wallet: random.weighted([
      [5, 'approves'],
      [4, 'brings a token'],
      [1, 'brings a token that is declined'],
      [1, 'pays and is declined'],
      [1, 'denies'],
      [2, 'ignores'],
    ]),
    page: random.weighted([
      [5, 'pays'],
      [2, 'is declined, then pays'],
      [1, 'ignores'],
    ]),
    thinkMs: random.weighted([
      [3, random.between(0, 100)],
      [3, random.between(100, 1_500)],
      // About the hasty tenant's deadlines: the race this is all about.
      [2, random.between(1_800, 2_200)],
      [1, random.between(3_800, 4_200)],
    ]),
    agent: random.weighted([
      [6, 'follows'],
      [2, 'starts twice at once'],
      [2, 'starts again later'],
      [2, 'is called again'],
      [1, 'cancels'],
      [2, 'cancels while the caller pays'],
      [2, 'switches to the page'],
    ]),
  };
}

export function refundPlan(seed: number, index: number): RefundPlan {
  return new SeededRandom(seed, 1_000_000 + index).weighted<RefundPlan>([
    [4, 'small'],
    [2, 'asked twice at once'],
    [3, 'approved'],
    [2, 'denied'],
    [3, 'raced'],
    [1, 'all that is left'],
    [1, 'more than was paid'],
    [2, 'two that do not fit together'],
  ]);
}
