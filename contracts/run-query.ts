import { checkoutWorkflowType } from './checkout.js';
import { refundWorkflowType } from './refund.js';

/** Which runs of a tenant ops look for. */
export interface RunFilter {
  kind: 'checkout' | 'refund';
  tenantId: string;
  state?: string | undefined;
  callId?: string | undefined;
  needsAttention?: boolean | undefined;
}

const typeOf = {
  checkout: { workflowType: checkoutWorkflowType, attribute: 'CheckoutState' },
  refund: { workflowType: refundWorkflowType, attribute: 'RefundState' },
} as const;

/** True for a call id that Temporal's list filters can name: no server finds a value with a quote or a backslash reliably. */
export const isListable = (callId: string) => /^[^\s'"`\\]{1,128}$/.test(callId);

/** A text of a list filter. With what `isListable` refuses it could end early, so that goes nowhere. */
function literal(text: string): string {
  if (!isListable(text)) throw new TypeError('this text cannot stand in a list filter');
  return `'${text}'`;
}

/** Temporal's list filter for them: of this tenant whatever else is asked for. */
export function runQuery({ kind, tenantId, state, callId, needsAttention }: RunFilter): string {
  const { workflowType, attribute } = typeOf[kind];
  return [
    `WorkflowType = ${literal(workflowType)}`,
    `TenantId = ${literal(tenantId)}`,
    ...(state === undefined ? [] : [`${attribute} = ${literal(state)}`]),
    ...(callId === undefined ? [] : [`CallId = ${literal(callId)}`]),
    ...(needsAttention === undefined
      ? []
      : [`${attribute} ${needsAttention ? '=' : '!='} ${literal('needs_attention')}`]),
  ].join(' AND ');
}
