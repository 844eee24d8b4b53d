import type { ActivityDependencies } from './accounts.js';
import { createChargeActivities } from './charges.js';
import { type ApprovalDependencies, createApprovalActivities } from './approvals.js';
import { readReset } from './checkout-runs.js';
import { createLatePaymentActivities } from './late-payments.js';
import { createLostRunActivities } from './lost-runs.js';
import { createMessageActivities } from './messages.js';
import { createPaymentLinkActivities } from './payment-links.js';
import { createReconciliationActivities } from './reconciliation.js';
import { createRefundActivities, type RefundDependencies } from './refunds.js';
import { createTenantWebhookActivities, type TenantWebhookDependencies } from './tenant-webhooks.js';
import { createWalletActivities } from './wallet.js';

/** All activities by the names under which workflows call them. */
export function createActivities(
  dependencies: ActivityDependencies & ApprovalDependencies & RefundDependencies & TenantWebhookDependencies,
) {
  const late = createLatePaymentActivities(dependencies);
  const lost = createLostRunActivities(dependencies);
  return {
    ...createWalletActivities(dependencies),
    ...createChargeActivities(dependencies),
    ...createPaymentLinkActivities(dependencies),
    ...createMessageActivities(dependencies),
    ...createRefundActivities(dependencies),
    ...createApprovalActivities(dependencies),
    ...late,
    ...lost,
    readReset,
    ...createReconciliationActivities(dependencies, { ...late, ...lost }),
    ...createTenantWebhookActivities(dependencies),
  };
}

export type Activities = ReturnType<typeof createActivities>;
