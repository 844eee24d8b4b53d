import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { CheckoutState } from '../domain/checkout-state.js';
import type { Rail, RailStep } from '../domain/rails.js';

/** The name of the workflow type, as ops see it. */
export const checkoutWorkflowType = 'checkout';

/** Everything a caller waits for runs here. */
export const checkoutTaskQueue = 'checkout';

/** `checkout/<tenant>/<checkout_id>`: opaque, and enough for the relay to find the run without a look-up. */
export function checkoutWorkflowId(tenantId: string, checkoutId: string): string {
  return `checkout/${tenantId}/${checkoutId}`;
}

/** All that a checkout was started with. Policy that may change later is in here as data (plan, limits, texts). */
export interface CheckoutInput {
  v: 1;
  /** The request that started the run: tells a first answer from a repeated one. */
  requestId: string;
  tenantId: string;
  checkoutId: string;
  quoteId: string;
  callId: string;
  /** Names the customer without naming them: a keyed hash. All payments of one customer share it. */
  customerKey: string;
  /** Minor units, lowercase ISO code. */
  amount: number;
  currency: string;
  description: string;
  livemode: boolean;
  /** BCP 47; decides the language of the SMS. */
  locale: string;
  /** What the caller said yes to, kept as evidence. */
  consent: { amount: number; currency: string; confirmedAt: string; words?: string };
  contact: { phone?: string; email?: string };
  plan: RailStep[];
  /** The tenant's own system is told how it ends. */
  announce: boolean;
  /** Set when the run before was lost or stopped: what it may have left open is shut and read back, nothing new is opened. */
  recover?: RecoveredInstruments;
}

const restored = 'restored:';

/** The request id of a checkout whose run was lost, and that is known by its payment alone. */
export const restoredBy = (paymentIntent: string): string => `${restored}${paymentIntent}`;

/** The request id of one of which only the number is known: its run was lost, and a later attempt was paid, or may be. */
export const lostAttempt = `${restored}attempt`;

/** Its run was lost, and another one stands in its place. */
export const isRestored = ({ startedBy }: Pick<CheckoutSummary, 'startedBy'>): boolean =>
  startedBy.startsWith(restored);

/** The vendor's ids of what a lost run may have left open. Reasons to look: what Stripe shows decides. */
export interface RecoveredInstruments {
  authorization?: string;
  session?: string;
  paymentIntent?: string;
  /** What it was charging itself, where `paymentIntent` is other money that was named to whoever starts it again. */
  charging?: string;
  /** When the wallet was asked, if no answer of that is known: the request may be open, and nobody knows its id. Epoch ms. */
  walletAskedAt?: number;
  /** The request that a webhook named to it meanwhile: perhaps that one. */
  namedAuthorization?: string;
  /** Payments that webhooks had named to it: what is not its own is late money. */
  reported?: string[];
  /** Of the last state that was published: versions go on from there. */
  version: number;
}

/** What never changes about a checkout: stands in the memo beside the state, so that no worker is needed to read it. */
export interface CheckoutSummary {
  checkoutId: string;
  quoteId: string;
  callId: string;
  customerKey: string;
  amount: number;
  currency: string;
  description: string;
  livemode: boolean;
  locale: string;
  /** The request id of the first start. */
  startedBy: string;
}

/** The memo of a checkout run. */
export interface CheckoutMemo {
  checkout: CheckoutSummary;
  state: CheckoutState;
}

/** Answer of the update that every start carries. */
export interface StartAnswer {
  /** The request id of the run's first start: equal to one's own only for who started it. */
  startedBy: string;
  /** Echo of the update's own argument: differs when the stored answer of an earlier request is returned. */
  requestId: string;
  amount: number;
  currency: string;
  state: CheckoutState;
}

/** Sent with the start: answers as soon as the caller can be told something, that is when `starting` is left. */
export const checkoutStarted = defineUpdate<StartAnswer, [{ requestId: string }]>('checkoutStarted');

/** Stops the checkout unless money is already moving. Rejected with type `payment_in_flight` while it is. */
export const cancelCheckout = defineUpdate<CheckoutState, [{ reason?: string }]>('cancelCheckout');

/**
 * Ends the open rail and goes on with the named one. Rejected with type `rail_open` when that is the open one, with this
 * contact: a repeat, which writes nothing; with type `rail_unavailable` when it is not left.
 */
export const switchRail = defineUpdate<
  CheckoutState,
  [{ rail: Rail; contact?: { phone?: string; email?: string } }]
>('switchRail');

/** The state, from a worker; readers outside use the memo instead. */
export const status = defineQuery<CheckoutState>('status');

/** Plain English for ops: what the run waits for, until when, what unblocks it, what happened to odd signals. */
export const explain = defineQuery<string>('explain');
