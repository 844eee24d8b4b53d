import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** What ops filter runs by in the Temporal UI. Never a phone number, e-mail or name: attributes are not encrypted. */
export const searchAttributeNames = [
  'TenantId',
  'CallId',
  'CheckoutState',
  'Rail',
  'RefundState',
  'LatePayment',
] as const;

export const tenantIdAttribute = defineSearchAttributeKey('TenantId', SearchAttributeType.KEYWORD);
export const callIdAttribute = defineSearchAttributeKey('CallId', SearchAttributeType.KEYWORD);
export const checkoutStateAttribute = defineSearchAttributeKey('CheckoutState', SearchAttributeType.KEYWORD);
export const refundStateAttribute = defineSearchAttributeKey('RefundState', SearchAttributeType.KEYWORD);
export const railAttribute = defineSearchAttributeKey('Rail', SearchAttributeType.KEYWORD);
export const latePaymentAttribute = defineSearchAttributeKey('LatePayment', SearchAttributeType.KEYWORD);
