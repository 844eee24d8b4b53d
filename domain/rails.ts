import type { Money } from './money.js';

/** A rail is one way to pay. The order of the rails in a plan is the order in which they are tried. */
export type Rail = 'linkWallet' | 'paymentLink';

/** Tenant policy for one rail, as it stands in the tenants file. */
export interface RailPolicy {
  rail: Rail;
  /** How long the caller has, in ms, from the moment the rail is open. */
  deadline_ms: number;
}

/** One step of a checkout's plan. Computed once, at the edge, and carried as data in the workflow's input. */
export interface RailStep {
  rail: Rail;
  deadlineMs: number;
  /** Set when policy already says that this rail cannot be used: it is recorded and passed over. */
  skip?: 'over_limit' | 'unreachable';
}

export interface PlanRequest {
  money: Money;
  /** The tenant's rails, in order. */
  policy: readonly RailPolicy[];
  /** What the caller left to be reached by. */
  contact: { phone?: string | undefined; email?: string | undefined };
  /** Largest amount per currency the wallet takes; a currency that is not named has no limit of ours. */
  walletMax: Readonly<Record<string, number>>;
  /** The rails the agent asks for, a subset of the tenant's; the order stays the tenant's. */
  only?: readonly Rail[] | undefined;
}

/** The rails of one checkout, in order, with their deadlines. A rail that cannot work is kept with the reason. */
export function planRails(request: PlanRequest): RailStep[] {
  const { money, policy, contact, walletMax, only } = request;
  return policy
    .filter(({ rail }) => only === undefined || only.includes(rail))
    .map(({ rail, deadline_ms }) => {
      const step: RailStep = { rail, deadlineMs: deadline_ms };
      if (rail === 'linkWallet') {
        const max = walletMax[money.currency];
        if (contact.email === undefined && contact.phone === undefined)
          return { ...step, skip: 'unreachable' };
        if (max !== undefined && money.amount > max) return { ...step, skip: 'over_limit' };
      }
      if (rail === 'paymentLink' && contact.phone === undefined) return { ...step, skip: 'unreachable' };
      return step;
    });
}
