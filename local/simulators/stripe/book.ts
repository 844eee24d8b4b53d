import type { Clock } from '../clock.js';

/** Where money is: with a cardholder, by the payment that took it, or with the Stripe account that it was paid to. */
export type BookAccount = `cardholder:${string}` | `tenant:${string}`;

/** One movement of money; its lines sum to zero. */
export interface Posting {
  /** Its place in the book, from 1. */
  number: number;
  /** Unix seconds. */
  at: number;
  kind: 'capture' | 'refund' | 'failed_refund';
  /** The charge or refund that moved it. */
  source: string;
  currency: string;
  /** Minor units: negative where money leaves. */
  lines: readonly { account: BookAccount; amount: number }[];
}

interface Movement {
  /** Of the charge or refund. */
  source: string;
  paymentIntent: string;
  /** The Stripe account; null is the platform's own. */
  account: string | null;
  amount: number;
  currency: string;
}

/**
 * A second record of all money, double-entry and only added to. It is told of each movement and never looks at charges
 * or refunds, so that one can be checked against the other.
 */
export class Book {
  constructor(
    readonly postings: Posting[],
    readonly clock: Clock,
  ) {}

  capture(movement: Movement): void {
    this.#post('capture', movement, movement.amount);
  }

  refund(movement: Movement): void {
    this.#post('refund', movement, -movement.amount);
  }

  /** The bank sent a refund back: what the cardholder had been given is the tenant's again. */
  failedRefund(movement: Movement): void {
    this.#post('failed_refund', movement, movement.amount);
  }

  /** Throws for anything but a positive number of minor units: such a movement is a bug of the stand-in. */
  #post(kind: Posting['kind'], movement: Movement, toTenant: number): void {
    const { source, paymentIntent, account, amount, currency } = movement;
    if (!Number.isSafeInteger(amount) || amount < 1) throw new Error(`${source} would move ${amount}`);
    this.postings.push({
      number: this.postings.length + 1,
      at: this.clock.seconds(),
      ...{ kind, source, currency },
      lines: [
        { account: `cardholder:${paymentIntent}`, amount: -toTenant },
        { account: `tenant:${account ?? 'platform'}`, amount: toTenant },
      ],
    });
  }
}

/** What each account of the book holds, by currency; throws where a posting does not sum to zero. */
export function bookBalances(postings: readonly Posting[]): Record<string, Record<string, number>> {
  const balances: Record<string, Record<string, number>> = {};
  for (const { number, currency, lines } of postings) {
    if (lines.reduce((sum, { amount }) => sum + amount, 0) !== 0)
      throw new Error(`posting ${number} does not sum to zero`);
    const held = (balances[currency] ??= {});
    for (const { account, amount } of lines) held[account] = (held[account] ?? 0) + amount;
  }
  return balances;
}
