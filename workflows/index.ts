/** What the worker registers: one export per workflow type. */
export { checkout } from './checkout.js';
export { refund } from './refund.js';
export { refundLedger } from './refund-ledger.js';
export { webhookDelivery } from './webhook-delivery.js';
export { unmatchedPayment } from './unmatched-payment.js';
export { reconciliation } from './reconciliation.js';
