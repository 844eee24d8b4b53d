import { checkoutWorkflowType } from './checkout.js';
import { refundWorkflowType } from './refund.js';
import { unmatchedPaymentWorkflowType } from './unmatched-payment.js';

/** Which runs of a tenant ops look for. */
export interface RunFilter {
  kind: 'checkout' | 'refund' | 'latePayment';
  tenantId: string;
  state?: string | undefined;
  callId?: string | undefined;
  needsAttention?: boolean | undefined;
}

const typeOf = {
  checkout: { workflowType: checkoutWorkflowType, attribute: 'CheckoutState' },
  refund: { workflowType: refundWorkflowType, attribute: 'RefundState' },
  latePayment: { workflowType: unmatchedPaymentWorkflowType, attribute: 'LatePayment' },
} as const;

/** True for a call id that Temporal's list filters can name: no server finds a value with a quote or a backslash reliably. */
export const isListable = (callId: string) => /^[^\s'"`\\]{1,128}$/.test(callId);

/** A text of a list filter. With what `isListable` refuses it could end early, so that goes nowhere. */
function literal(text: string): string {
  if (!isListable(text)) throw new TypeError('this text cannot stand in a list filter');
  return `'${text}'`;
}

/**
 * Temporal's list filter for them: of this tenant whatever else is asked for. Checkouts that need attention include the runs
 * for late payments that do: money of theirs waits for a person, though they are over.
 */
export function runQuery({ kind, tenantId, state, callId, needsAttention }: RunFilter): string {
  const { workflowType, attribute } = typeOf[kind];
  const wanted = [
    `WorkflowType = ${literal(workflowType)}`,
    ...(state === undefined ? [] : [`${attribute} = ${literal(state)}`]),
    ...(callId === undefined ? [] : [`CallId = ${literal(callId)}`]),
    ...(needsAttention === undefined
      ? []
      : [`${attribute} ${needsAttention ? '=' : '!='} ${literal('needs_attention')}`]),
  ].join(' AND ');
  const late = typeOf.latePayment;
  const withLate =
    kind === 'checkout' && needsAttention
      ? `((${wanted}) OR (WorkflowType = ${literal(late.workflowType)} AND ${late.attribute} = ${literal('needs_attention')}))`
      : wanted;
  return `TenantId = ${literal(tenantId)} AND ${withLate}`;
}
