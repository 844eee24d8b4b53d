import type { LatePaymentPolicy } from './late-payment.js';
import type { RailPolicy } from './rails.js';
import type { Wording } from './say.js';

/** A person who decides on refunds, and where they are reached. */
export interface Approver {
  id: string;
  name: string;
  phone?: string | undefined;
  email?: string | undefined;
  tier: number;
}

/** One business on this deployment: its Stripe account, its policy, its words. Read from the tenants file. */
export interface Tenant {
  id: string;
  /** Name the caller knows, used in the SMS and in the wallet. */
  name: string;
  /** The connected Stripe account (`acct_…`) that all money of this tenant goes through; absent: the key's own account. */
  stripeAccount?: string | undefined;
  rails: readonly RailPolicy[];
  limits: {
    /** Largest checkout per currency, minor units. A currency that is not named is not taken; no entry at all: all are. */
    maxAmount?: Readonly<Record<string, number>> | undefined;
    /** Largest amount the wallet is asked for, per currency, minor units. */
    walletMaxAmount: Readonly<Record<string, number>>;
    /** Text messages with a link per phone number. */
    smsPerNumber: { max: number; windowMs: number };
  };
  refunds: {
    /** Up to this sum per currency, minor units, no person is asked. */
    threshold: Readonly<Record<string, number>>;
    approvalDeadlineMs: number;
    remindAfterMs: number;
    escalateAfterMs: number;
    /** Who may decide by the approver's page. Tier 1 is asked first. */
    approvers: readonly Approver[];
  };
  /** What is done with money that comes after a checkout has ended without a payment. */
  latePayment: LatePaymentPolicy;
  sms: { from?: string | undefined; messagingServiceSid?: string | undefined };
  /** Countries (ISO 3166 alpha-2) whose phone numbers get text messages: others are refused, against SMS pumping. */
  phoneCountries: readonly string[];
  /** Where the hosted page leads after payment. */
  redirectUrl: string;
  locale: string;
  wording: Wording;
}
