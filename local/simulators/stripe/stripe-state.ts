import type Stripe from 'stripe';
import type { Posting } from './book.js';

/** An object under the account it was created for; null is the platform's own account. */
export interface Owned<T> {
  account: string | null;
  object: T;
}

export interface IntentRecord extends Owned<Stripe.PaymentIntent> {
  /** The Checkout Session that owns the intent; such an intent cannot be confirmed or canceled directly. */
  session: string | null;
  /** Paid by a bank debit: what is given back of it is under way for days, too. */
  debit?: true;
}

export interface SessionRecord extends Owned<Stripe.Checkout.Session> {
  description: string;
  merchant: string | null;
  intent_data: { metadata: Record<string, string>; description: string | null };
}

export type AuthorizationStatus = 'pending' | 'approved' | 'declined' | 'canceled' | 'expired';

/**
 * `POST /v1/link/agent_authorizations`, as the product's brief states it. Stripe does NOT publicly document this
 * resource and no SDK types it: all field names here are this project's reading of the brief.
 */
export interface AgentAuthorization {
  id: string;
  object: 'link.agent_authorization';
  amount: number;
  currency: string;
  agent_intent: string;
  customer: { email: string | null; phone: string | null };
  status: AuthorizationStatus;
  payment_intent: string | null;
  shared_payment_granted_token: string | null;
  metadata: Record<string, string>;
  created: number;
  expires_at: number;
  livemode: false;
}

/** A token of one approval: spent by one attempt, whatever comes of it. */
export interface GrantedToken {
  id: string;
  account: string | null;
  amount: number;
  currency: string;
  outcome: string;
  metadata: Record<string, string>;
  spent: boolean;
  expires_at: number;
}

export interface EventRecord {
  id: string;
  account: string | null;
  type: string;
  created: number;
  object: object;
  request: { id: string | null; idempotency_key: string | null };
  delivered: boolean;
}

/** One copy of an event on its way. */
export interface Delivery {
  id: string;
  event: string;
  attempts: number;
  first_at: number;
  next_at: number;
  /** Waits until another event has been delivered, so that the two arrive in the wrong order. */
  held: boolean;
  bad_signature: boolean;
}

export interface SavedAnswer {
  request: string;
  params: string;
  status: number;
  body: string;
  request_id: string;
  created: number;
}

export interface StripeState {
  intents: Record<string, IntentRecord>;
  charges: Record<string, Owned<Stripe.Charge>>;
  refunds: Record<string, Owned<Stripe.Refund>>;
  sessions: Record<string, SessionRecord>;
  authorizations: Record<string, Owned<AgentAuthorization>>;
  tokens: Record<string, GrantedToken>;
  events: Record<string, EventRecord>;
  deliveries: Record<string, Delivery>;
  idempotency: Record<string, SavedAnswer>;
  postings: Posting[];
}

export const emptyStripeState = (): StripeState => ({
  intents: {},
  charges: {},
  refunds: {},
  sessions: {},
  authorizations: {},
  tokens: {},
  events: {},
  deliveries: {},
  idempotency: {},
  postings: [],
});
