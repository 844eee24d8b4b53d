import type { VendorFault } from '../support/simulation/vendor-network.js';

/** Something somebody does, `at` ms after the schedule begins. Plain data, so that a schedule can be told and cut short. */
export type Action = { at: number } & (
  | {
      kind: 'agent';
      purchase: number;
      call: string;
      /** The model misremembers the price by so much, minor units. */
      priceOff?: number;
      /** Starts sent at once, and once more after a pause. */
      twice?: boolean;
      repeatAfter?: number;
      rails?: ('linkWallet' | 'paymentLink')[];
      /** Waits so long between the quote and the start. */
      thinks?: number;
      hangsUp?: boolean;
      /** The caller buys the same thing again. */
      again?: boolean;
      /** The number that the link goes to was misheard: it is the purchase's stranger's. */
      toStranger?: boolean;
    }
  | {
      /** An agent asks for a price of what cannot be had. */
      kind: 'misfit';
      purchase: number;
      call: string;
      what: 'invoice' | 'subscription_change' | 'oversize';
    }
  | { kind: 'cancel'; purchase: number }
  | { kind: 'switch'; purchase: number; rail: 'linkWallet' | 'paymentLink' }
  | {
      kind: 'refund';
      purchase: number;
      call: string;
      /** Minor units; absent: all that is left. */
      amount?: number;
      reason: 'requested_by_customer' | 'duplicate' | 'fraudulent';
      by: string;
      twice?: boolean;
    }
  | { kind: 'decide'; purchase: number; by: string; decision: 'approved' | 'denied'; altered?: boolean }
  | {
      kind: 'byHand';
      purchase: number;
      /** `forged_mark`: another shop's payment, with a copy of our mark that our key did not make. */
      what: 'refund' | 'dispute' | 'foreign_payment' | 'forged_mark' | 'fail_refund';
    }
  | {
      /** Somebody copies what a checkout was to be paid by, mark and all, and it is paid. */
      kind: 'stray';
      purchase: number;
      by: 'payment' | 'page';
      /** Of the purchase's first attempt, not of its last. */
      ofFirst?: boolean;
      /** Minor units more than the checkout asks for. */
      amountOff?: number;
    }
  | {
      kind: 'ops';
      purchase: number;
      what:
        | 'cancel'
        | 'terminate'
        | 'lose_history'
        | 'reset'
        | 'junk_signal'
        | 'oversize_signal'
        | 'forged_signal'
        | 'forged_decision'
        /** The checkout's own payment, signaled as one that came late. */
        | 'forged_late'
        /** Of the purchase's refund that is open and was asked for last. */
        | 'terminate_refund'
        | 'reset_refund'
        /** The run for its late money, or its customer's ledger. */
        | 'terminate_late'
        | 'reset_late'
        | 'terminate_ledger'
        | 'reset_ledger'
        /** Of its refunds and of their ledger; of everything there is. */
        | 'lose_refunds'
        | 'lose_everything'
        /** A pass before the last one, which every schedule ends with; one over the window that the one before has left. */
        | 'reconcile'
        | 'reconcile_on_schedule';
      back?: number;
    }
  | { kind: 'platform'; what: 'kill_worker' | 'kill_api' | 'temporal_away'; ms?: number }
  | {
      kind: 'forgedWebhook';
      purchase: number;
      what: 'other_account' | 'livemode' | 'old' | 'resent' | 'unsigned' | 'storm';
    }
);

/** What the caller does when the wallet asks, when the link arrives, and what their bank says. Ms after it is seen. */
export interface Caller {
  wallet: {
    does: 'approve' | 'deny' | 'ignore';
    after: number;
    grants: string;
    outcome: string;
    /** The payment that comes of it carries no mark of ours. */
    bare?: boolean;
  };
  page: { after: number; outcome: string }[];
  /** `returns`: it sends refunds back that are under way. */
  bank: { after: number; outcome: string; returns?: true };
}

export interface Purchase {
  tenant: 'acme' | 'globex';
  phone: string;
  /** Minor units. */
  amount: number;
  currency: string;
  item: string;
  caller: Caller;
  /** Whom the link reaches if the number was misheard. */
  stranger?: { phone: string; page: Caller['page'] };
}

export type WebhookFault = 'lose' | 'duplicate' | 'delay' | 'reorder' | 'bad_signature';

/** One schedule: the same data always gives the same story. */
export interface Scenario {
  seed: number;
  purchases: Purchase[];
  actions: Action[];
  policy: {
    walletDeadlineMs: number;
    linkDeadlineMs: number;
    threshold: number;
    approvalDeadlineMs: number;
    latePayment: 'refund' | 'honour';
  };
  platform: {
    workers: number;
    workerDownMs: number;
    crash: number;
    evict: number;
    otherWorker: number;
    lostResults: number;
    lostCalls: number;
    lostAcks: number;
    suggestContinueAfter: number;
    /** Until then the workers run the code of before, ms. */
    deploysAt?: number;
    announces: boolean;
    hookDown: number;
  };
  vendors: {
    /** How often each fault hits a call, 0 to 1. */
    rates: Partial<Record<VendorFault, number>>;
    /** The n-th call of the schedule has this fault, whatever the rates say. */
    exactly: { call: number; fault: VendorFault; vendor?: 'stripe' | 'twilio' }[];
    /** From this call on the vendor is away for so long, ms. */
    outageFrom?: { call: number; ms: number };
    outages: { vendor: 'stripe' | 'twilio'; from: number; to: number }[];
  };
  webhooks: { rates: Partial<Record<WebhookFault, number>>; delayMs: number };
  /** From then on nothing fails any more, ms. */
  calmAt: number;
  /** How long it is watched after that, ms. */
  calmMs: number;
  /** A pass of reconciliation ends it even if nothing happened that needs one. */
  reconciles: boolean;
}
