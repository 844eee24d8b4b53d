import type { StripeState } from './stripe-state.js';

interface LiveInstrument {
  type: 'checkout_session' | 'agent_authorization' | 'payment_intent' | 'shared_payment_token';
  id: string;
  amount: number;
  currency: string;
  account: string | null;
  metadata: Record<string, string>;
}

/** Whatever could still take a caller's money at this moment. */
function liveInstruments(state: StripeState, nowS: number): LiveInstrument[] {
  const live: LiveInstrument[] = [];
  for (const { account, object } of Object.values(state.sessions)) {
    if (object.status !== 'open' || object.expires_at <= nowS) continue;
    const { id, amount_total, currency, metadata } = object;
    live.push({
      type: 'checkout_session',
      id,
      amount: amount_total ?? 0,
      currency: currency ?? '',
      account,
      metadata: metadata ?? {},
    });
  }
  for (const { account, object } of Object.values(state.authorizations)) {
    if (object.status !== 'pending' || object.expires_at <= nowS) continue;
    const { id, amount, currency, metadata } = object;
    live.push({ type: 'agent_authorization', id, amount, currency, account, metadata });
  }
  for (const { id, amount, currency, account, metadata, spent, expires_at } of Object.values(state.tokens)) {
    if (spent || expires_at <= nowS) continue;
    live.push({ type: 'shared_payment_token', id, amount, currency, account, metadata });
  }
  for (const { account, object, session } of Object.values(state.intents)) {
    // An unpaid intent of a session is payable only through its page, which counts as the session.
    const ended = object.status === 'succeeded' || object.status === 'canceled';
    if (ended || (session !== null && object.status !== 'processing')) continue;
    const { id, amount, currency, metadata } = object;
    live.push({ type: 'payment_intent', id, amount, currency, account, metadata });
  }
  return live;
}

/** What an auditor reads: all money that moved, summed from charges and refunds, and the book that must agree with them. */
export function readLedger(state: StripeState, nowS: number) {
  const totals: Record<string, { captured: number; refunded: number; net: number }> = {};
  const total = (currency: string) => (totals[currency] ??= { captured: 0, refunded: 0, net: 0 });
  const charges = Object.values(state.charges)
    .filter(({ object }) => object.paid)
    .map(({ account, object }) => {
      total(object.currency).captured += object.amount_captured;
      total(object.currency).net += object.amount_captured;
      const { id, amount, currency, amount_refunded, metadata, created, payment_intent } = object;
      const session = typeof payment_intent === 'string' ? state.intents[payment_intent]?.session : null;
      const base = { id, payment_intent, amount, currency, amount_refunded, account, metadata, created };
      return session ? { ...base, checkout_session: session } : base;
    });
  const refunds = Object.values(state.refunds).map(({ account, object }) => {
    const { id, charge, payment_intent, amount, currency, status, metadata, created } = object;
    if (status !== 'failed' && status !== 'canceled') {
      total(currency).refunded += amount;
      total(currency).net -= amount;
    }
    return { id, charge, payment_intent, amount, currency, status, account, metadata, created };
  });
  const { postings } = state;
  const live_instruments = liveInstruments(state, nowS);
  return { livemode: false, charges, refunds, live_instruments, totals, postings };
}
