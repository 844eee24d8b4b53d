/** One entry of a tenants file, as far as tests need it. */
export interface TenantEntry {
  id: string;
  name?: string;
  rails: { rail: 'linkWallet' | 'paymentLink'; deadline_ms: number }[];
  stripe?: { account: string };
  limits?: Record<string, unknown>;
  late_payment?: 'refund' | 'honour';
  refunds?: {
    threshold?: Record<string, number>;
    approval_deadline_ms?: number;
    remind_after_ms?: number;
    escalate_after_ms?: number;
    approvers?: { id: string; name: string; email?: string; phone?: string; tier?: number }[];
  };
}

const minute = 60_000;

function tenant(id: string, walletMs: number, linkMs: number): TenantEntry {
  return {
    id,
    rails: [
      { rail: 'linkWallet', deadline_ms: walletMs },
      { rail: 'paymentLink', deadline_ms: linkMs },
    ],
  };
}

/** The tenants of a test world: they differ in how long they wait, and in whose Stripe account they use. */
export const tenants: readonly TenantEntry[] = [
  tenant('acme', minute, 30 * minute),
  tenant('globex', minute, 30 * minute),
  /** Hardly waits for the wallet. */
  tenant('hasty', 250, 30 * minute),
  /** Hardly waits for anything. */
  tenant('restless', 250, 400),
  /** Waits for the wallet, hardly for the page. */
  tenant('brisk', minute, 400),
  /** As brisk, but keeps money that comes late. */
  { ...tenant('obliging', minute, 400), late_payment: 'honour' },
  { ...tenant('connected', minute, 30 * minute), stripe: { account: 'acct_connected' } },
  { ...tenant('cautious', minute, 30 * minute), limits: { wallet_max_amount: { usd: 1_000 } } },
  { ...tenant('generous', minute, 30 * minute), limits: { wallet_max_amount: { usd: 1_000_000 } } },
];

export const connectedAccount = 'acct_connected';
