import { type CheckoutState, startingState } from '../domain/checkout-state.js';
import { formatMoney } from '../domain/money.js';
import {
  type CheckoutInput,
  type CheckoutMemo,
  type CheckoutSummary,
  checkoutTaskQueue,
  checkoutWorkflowId,
} from './checkout.js';
import { callIdAttribute, checkoutStateAttribute, tenantIdAttribute } from './search-attributes.js';

/**
 * How a checkout is started, the first time and when its run was lost. What stands in the memo is published with the start,
 * so that the checkout can be read before any worker has touched it. `at`: epoch ms.
 */
export function checkoutStart(input: CheckoutInput, at: number) {
  const { tenantId, checkoutId, quoteId, callId, customerKey, amount, currency } = input;
  const { description, livemode, locale, requestId, plan, recover } = input;
  const summary: CheckoutSummary = {
    checkoutId,
    quoteId,
    callId,
    customerKey,
    amount,
    currency,
    description,
    livemode,
    locale,
    startedBy: requestId,
  };
  const state: CheckoutState = startingState(
    plan.map(({ rail }) => rail),
    at,
    recover?.version,
  );
  return {
    workflowId: checkoutWorkflowId(tenantId, checkoutId),
    taskQueue: checkoutTaskQueue,
    args: [input] as [CheckoutInput],
    // A worker that dies inside a workflow task is replaced after 2 s instead of 10.
    workflowTaskTimeout: 2_000,
    memo: { checkout: summary, state } satisfies CheckoutMemo,
    typedSearchAttributes: [
      { key: tenantIdAttribute, value: tenantId },
      { key: callIdAttribute, value: callId },
      { key: checkoutStateAttribute, value: state.status },
    ],
    staticSummary: `${formatMoney({ amount, currency })} ${description}`.slice(0, 150),
    priority: { priorityKey: 1, fairnessKey: tenantId },
  };
}
