import type { DeclineReason } from './decline.js';
import type { Rail } from './rails.js';

/** The states of a checkout, as the HTTP contract names them. */
export type CheckoutStatus =
  | 'starting'
  | 'awaiting_wallet'
  | 'charging'
  | 'sending_link'
  | 'awaiting_link'
  | 'processing'
  | 'closing'
  | 'needs_attention'
  | TerminalStatus;

export type TerminalStatus = 'paid' | 'declined' | 'expired' | 'canceled' | 'failed';

/** Why a rail ended without a payment. */
export type Reason =
  DeclineReason | 'no_response' | 'unreachable' | 'over_limit' | 'undeliverable' | 'switched' | 'canceled';

/** Why nobody can say yet whether money moved. For ops. */
export type AttentionCause =
  'approval_without_payment' | 'amount_differs' | 'outcome_unknown' | 'object_not_ours' | 'run_lost';

/** One rail that was tried or passed over. Times are epoch milliseconds. */
export interface Attempt {
  rail: Rail;
  state: 'open' | 'paid' | 'ended' | 'skipped';
  reason?: Reason;
  /** Stripe's code of the newest refusal on it. For ops. */
  declineCode?: string;
  at: number;
}

/** The word of ops on what Stripe does not prove. */
export interface Resolution {
  /** Who says so: `key:<id>`, with the person it stands for if there is one, or a name from the command line. */
  by: string;
  note?: string;
}

/** One change, as the event list shows it. `seq` is the version it made; times are epoch milliseconds. */
export interface CheckoutEvent {
  seq: number;
  at: number;
  type: CheckoutFact['type'] | 'started';
  status: CheckoutStatus;
  rail?: Rail;
  reason?: Reason;
  /** Who resolved it. */
  by?: string;
}

/**
 * What the rest of the world may know of a checkout: the only projection. Status, `explain`, the details in the
 * Temporal UI and the caller's sentence all render this value; it is published in the workflow's memo.
 */
export interface CheckoutState {
  /** Grows by one with every visible change. */
  version: number;
  status: CheckoutStatus;
  /** The changes since the state was last published, oldest first: the newest lines of the checkout's event list. */
  events: CheckoutEvent[];
  rail?: Rail;
  railsLeft: Rail[];
  /** Why the last rail ended, or is ending, without a payment. */
  reason?: Reason;
  attempts: Attempt[];
  /** When the caller's time on the open rail is over, epoch milliseconds. */
  deadlineAt?: number;
  amountCaptured: number;
  amountRefunded: number;
  confirmationNumber?: string;
  /** The vendor's ids of what is, or was last, open: for ops and for matching late events. */
  instrument?: { authorization?: string; session?: string; message?: string; paymentIntent?: string };
  attention?: AttentionCause;
  /** Set where the end rests on the word of ops, and not on a proof. */
  resolution?: Resolution & { at: number };
}

/** What the workflow has learned. A fact is past: it can be refused (see `applyFact`), never undone. */
export type CheckoutFact =
  | { type: 'rail_skipped'; rail: Rail; reason: Reason }
  | { type: 'rail_unavailable'; rail: Rail; reason: Reason }
  | { type: 'wallet_asked'; authorization: string; deadlineAt: number }
  | { type: 'wallet_approved' }
  | { type: 'charge_created'; paymentIntent: string }
  | { type: 'link_opened'; session: string }
  | { type: 'link_sent'; message: string; deadlineAt: number }
  | { type: 'payment_declined'; reason: Reason; code?: string }
  | { type: 'payment_processing'; paymentIntent: string }
  | { type: 'closing'; reason?: Reason; code?: string }
  | { type: 'rail_closed'; reason: Reason }
  | { type: 'attention_needed'; cause: AttentionCause; paymentIntent?: string }
  | ({ type: 'resolved' } & Resolution)
  | { type: 'paid'; paymentIntent: string; amount: number; confirmationNumber: string }
  | { type: 'ended'; reason: Reason };

const terminal: readonly CheckoutStatus[] = ['paid', 'declined', 'expired', 'canceled', 'failed'];

/** True when no instrument of the checkout is live and nothing said from now on can be wrong. */
export function isTerminal(status: CheckoutStatus): status is TerminalStatus {
  return terminal.includes(status);
}

/**
 * Where each state may lead; anything else is refused, so a state never steps back. This is the table of the HTTP
 * contract with four edges it lacks: a cancel before anything was opened; an opening whose outcome stays unknown; and
 * an instrument that turns out, while it is being shut, to have been approved or to have money under way.
 */
export const transitions: Readonly<Record<CheckoutStatus, readonly CheckoutStatus[]>> = {
  starting: ['awaiting_wallet', 'charging', 'sending_link', 'failed', 'canceled', 'needs_attention'],
  awaiting_wallet: ['charging', 'closing'],
  charging: ['paid', 'processing', 'closing', 'needs_attention'],
  sending_link: ['awaiting_link', 'closing'],
  awaiting_link: ['paid', 'processing', 'closing'],
  processing: ['paid', 'closing'],
  closing: [
    'paid',
    'processing',
    'charging',
    'awaiting_wallet',
    'sending_link',
    'declined',
    'expired',
    'canceled',
    'failed',
    'needs_attention',
  ],
  needs_attention: ['paid', 'processing', 'charging', 'closing'],
  paid: [],
  declined: [],
  expired: [],
  canceled: [],
  failed: [],
};

/** The state before anything was opened. `versionBefore`: of an earlier run that was lost. */
export function startingState(rails: readonly Rail[], at: number, versionBefore = 0): CheckoutState {
  const version = versionBefore + 1;
  return {
    version,
    status: 'starting',
    events: [{ seq: version, at, type: 'started', status: 'starting' }],
    railsLeft: [...rails],
    attempts: [],
    amountCaptured: 0,
    amountRefunded: 0,
  };
}

/** How a checkout ends when its last rail ended for this reason. */
export function endOf(reason: Reason): TerminalStatus {
  switch (reason) {
    case 'declined':
    case 'needs_authentication':
      return 'declined';
    case 'no_response':
      return 'expired';
    case 'canceled':
      return 'canceled';
    case 'unreachable':
    case 'over_limit':
    case 'undeliverable':
    case 'switched':
      return 'failed';
  }
}

function statusAfter(state: CheckoutState, fact: CheckoutFact): CheckoutStatus {
  switch (fact.type) {
    case 'wallet_asked':
      return 'awaiting_wallet';
    case 'wallet_approved':
      return 'charging';
    case 'link_opened':
      return 'sending_link';
    case 'link_sent':
      return 'awaiting_link';
    case 'payment_processing':
      return 'processing';
    case 'closing':
    case 'resolved':
      return 'closing';
    case 'attention_needed':
      return 'needs_attention';
    case 'paid':
      return 'paid';
    case 'ended':
      return endOf(fact.reason);
    case 'rail_skipped':
    case 'rail_unavailable':
    case 'charge_created':
    case 'payment_declined':
    case 'rail_closed':
      return state.status;
  }
}

/**
 * What decides how a checkout without a payment ended: the last answer, or silence, of the caller. Rails that could not
 * reach anyone decide only when no other did.
 */
export function decidingReason(state: CheckoutState): Reason {
  const answers: readonly (Reason | undefined)[] = ['declined', 'needs_authentication', 'no_response'];
  const answered = state.attempts.filter(({ reason }) => answers.includes(reason)).at(-1);
  return answered?.reason ?? state.reason ?? 'unreachable';
}

/**
 * The state after a fact, or the very same object when the fact changes nothing: it came too late, came twice, its
 * transition is not in the table, or it would open a second attempt beside an open one. `at` is the workflow's clock, epoch milliseconds.
 */
export function applyFact(state: CheckoutState, fact: CheckoutFact, at: number): CheckoutState {
  if (isTerminal(state.status)) return state;
  const status = statusAfter(state, fact);
  if (status !== state.status && !transitions[state.status].includes(status)) return state;
  if (status === state.status && (fact.type === 'closing' || fact.type === 'payment_processing'))
    return state;
  if (fact.type === 'resolved' && state.status !== 'needs_attention') return state;
  // One live instrument: a rail opens only once the one before it is closed.
  const opens = fact.type === 'wallet_asked' || fact.type === 'link_opened';
  if (opens && state.attempts.some((attempt) => attempt.state === 'open')) return state;
  const { reason: eventReason, by } = fact as { reason?: Reason; by?: string };
  const next: CheckoutState = {
    ...state,
    version: state.version + 1,
    status,
  };
  const openRail = (rail: Rail) => {
    next.rail = rail;
    next.railsLeft = state.railsLeft.filter((left) => left !== rail);
    next.attempts = [...state.attempts, { rail, state: 'open', at }];
    delete next.reason;
  };
  const noteCode = (declineCode: string | undefined) => {
    if (declineCode === undefined) return;
    next.attempts = state.attempts.map((attempt) =>
      attempt.state === 'open' ? { ...attempt, declineCode } : attempt,
    );
  };
  const endAttempt = (outcome: 'paid' | 'ended', reason?: Reason) => {
    next.attempts = state.attempts.map((attempt) =>
      attempt.state === 'open' ? { ...attempt, state: outcome, ...(reason && { reason }), at } : attempt,
    );
    delete next.deadlineAt;
  };

  switch (fact.type) {
    case 'rail_skipped':
    case 'rail_unavailable':
      next.railsLeft = state.railsLeft.filter((left) => left !== fact.rail);
      next.attempts = [
        ...state.attempts,
        {
          rail: fact.rail,
          state: fact.type === 'rail_skipped' ? 'skipped' : 'ended',
          reason: fact.reason,
          at,
        },
      ];
      next.reason = fact.reason;
      break;
    case 'wallet_asked':
      openRail('linkWallet');
      next.deadlineAt = fact.deadlineAt;
      next.instrument = { ...state.instrument, authorization: fact.authorization };
      break;
    case 'link_opened':
      openRail('paymentLink');
      next.instrument = { ...state.instrument, session: fact.session };
      break;
    case 'link_sent':
      next.deadlineAt = fact.deadlineAt;
      next.instrument = { ...state.instrument, message: fact.message };
      break;
    case 'wallet_approved':
      delete next.deadlineAt;
      break;
    case 'charge_created':
      next.instrument = { ...state.instrument, paymentIntent: fact.paymentIntent };
      break;
    case 'payment_processing':
      next.instrument = { ...state.instrument, paymentIntent: fact.paymentIntent };
      delete next.deadlineAt;
      break;
    case 'closing':
      if (fact.reason) next.reason = fact.reason;
      noteCode(fact.code);
      delete next.deadlineAt;
      break;
    case 'resolved':
      next.railsLeft = [];
      next.resolution = { by: fact.by, ...(fact.note !== undefined && { note: fact.note }), at };
      break;
    case 'rail_closed':
      next.reason = fact.reason;
      endAttempt('ended', fact.reason);
      break;
    case 'attention_needed':
      next.attention = fact.cause;
      if (fact.paymentIntent) next.instrument = { ...state.instrument, paymentIntent: fact.paymentIntent };
      delete next.deadlineAt;
      break;
    case 'paid':
      endAttempt('paid');
      next.instrument = { ...state.instrument, paymentIntent: fact.paymentIntent };
      next.amountCaptured = fact.amount;
      next.confirmationNumber = fact.confirmationNumber;
      delete next.reason;
      break;
    case 'ended':
      next.reason = fact.reason;
      break;
    case 'payment_declined':
      noteCode(fact.code);
      break;
  }
  if (status !== 'needs_attention') delete next.attention;
  const event: CheckoutEvent = {
    seq: next.version,
    at,
    type: fact.type,
    status,
    ...(next.rail && { rail: next.rail }),
    ...(eventReason && { reason: eventReason }),
    ...(by !== undefined && { by }),
  };
  next.events = [...state.events, event];
  return next;
}

/**
 * The state after several facts that were learned at once, with only their changes as `events`: they are published
 * together. The very same object when none of them changed anything.
 */
export function applyFacts(state: CheckoutState, facts: readonly CheckoutFact[], at: number): CheckoutState {
  const after = facts.reduce((before, fact) => applyFact(before, fact, at), state);
  return after === state
    ? state
    : { ...after, events: after.events.filter(({ seq }) => seq > state.version) };
}

/** What the agent may ask for in this state, as the contract's `allowed[]`. */
export function allowedActions(state: CheckoutState): string[] {
  const cancelable: readonly CheckoutStatus[] = [
    'starting',
    'awaiting_wallet',
    'sending_link',
    'awaiting_link',
    'closing',
  ];
  const switchable: readonly CheckoutStatus[] = ['awaiting_wallet', 'awaiting_link'];
  return [
    ...(cancelable.includes(state.status) ? ['cancel'] : []),
    ...(switchable.includes(state.status) ? state.railsLeft.map((rail) => `rail:${rail}`) : []),
  ];
}

/** Four digits to read out: short enough for a phone call, the same on every repetition. Not unique, not a secret. */
export function confirmationNumber(checkoutId: string): string {
  let hash = 2166136261;
  for (const char of checkoutId) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0;
  return String(1000 + (hash % 9000));
}
