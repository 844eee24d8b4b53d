import { formatMoney, type Money } from './money.js';
import type { ApprovalRule } from './refund-policy.js';
import type { RefundState } from './refund-state.js';

/** How an approver was told; `nothing`: by no means. */
export type Asked = 'trying' | 'email' | 'sms' | 'nothing';

export interface RefundExplainContext {
  money: Money;
  description: string;
  requestedBy: string;
  /** What became of the messages to approvers, by their id; absent where only the published state is known. */
  asked?: ReadonlyMap<string, Asked>;
  /** Decisions that were tried and not valid, with what was wrong. */
  refusedDecisions: readonly string[];
  signals: { repeated: number; invalid: number };
  nextReadAt?: number | undefined;
}

/** Why a person is asked, in words for people. */
export const ruleText: Record<ApprovalRule, string> = {
  payment_total: "the refunds of this payment together pass the tenant's threshold",
  customer_total: "the refunds of this customer within 24 hours pass the tenant's threshold",
  no_threshold: 'the tenant has no threshold for this currency',
  fraud_claim: 'the refund is asked for as fraud, which blocks the card at Stripe',
};

const time = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');

const askedText: Record<Asked, string> = {
  email: 'Told by e-mail',
  sms: 'Told by SMS',
  trying: 'Being told',
  nothing: 'Could not be told',
};

function messages(asked: RefundExplainContext['asked'] = new Map()): string[] {
  const by = (how: Asked) => [...asked].filter(([, one]) => one === how).map(([approver]) => approver);
  return (['email', 'sms', 'trying', 'nothing'] as const)
    .filter((how) => by(how).length > 0)
    .map((how) => `${askedText[how]}: ${by(how).join(', ')}.`);
}

/** A few plain sentences for ops: what the refund waits for, until when, and what was tried. */
export function explainRefund(state: RefundState, context: RefundExplainContext): string {
  const sum = formatMoney(context.money);
  const { approval } = state;
  const lines: string[] = [];
  switch (state.status) {
    case 'awaiting_approval':
      lines.push(
        `A person must approve giving back ${sum} (${context.description}), asked for by ${context.requestedBy}: ${approval ? ruleText[approval.requiredBecause] : 'by policy'}.`,
        [
          `Tier ${approval?.tier ?? 1} is to decide.`,
          ...messages(context.asked),
          `Without a decision it ends at ${approval ? time(approval.expiresAt) : 'its deadline'}.`,
        ].join(' '),
      );
      break;
    case 'submitting':
      lines.push(
        `${sum} is being given back at Stripe; the request is repeated with the same key until Stripe answers.`,
      );
      break;
    case 'submitted':
      lines.push(`Stripe has the refund of ${sum} and has not said yet that it succeeded.`);
      break;
    case 'needs_attention':
      lines.push(
        `Stripe could not be asked long enough whether it has the refund of ${sum}. Its list is read until that is known.`,
        'Lever: retry-now reads it at once.',
      );
      break;
    case 'refunded':
      lines.push(`${sum} was given back. The run watches on: a bank may still return it.`);
      break;
    case 'rejected':
      lines.push(`Stripe refused the refund of ${sum} (${state.failureReason ?? 'no reason'}).`);
      break;
    case 'failed':
      lines.push(
        `The refund of ${sum} failed (${state.failureReason ?? 'no reason'}): the money is still with the tenant.`,
      );
      break;
    case 'denied':
      lines.push(`The refund of ${sum} was denied.`);
      break;
    case 'approval_expired':
      lines.push(`Nobody decided in time on the refund of ${sum}. Nothing was given back.`);
      break;
  }
  if (approval?.decision && approval.decidedAt !== undefined) {
    lines.push(
      `Decision: ${approval.decision} by ${approval.decidedBy ?? 'nobody'} at ${time(approval.decidedAt)}.`,
    );
  }
  if (state.refund) lines.push(`At Stripe: ${state.refund}.`);
  if (context.nextReadAt !== undefined) lines.push(`Stripe is read next at ${time(context.nextReadAt)}.`);
  for (const refused of context.refusedDecisions)
    lines.push(`A decision was tried and not valid: ${refused}.`);
  if (context.signals.invalid > 0)
    lines.push(`${context.signals.invalid} signal(s) without a valid form ignored.`);
  return lines.join('\n');
}
