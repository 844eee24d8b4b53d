import type { AttentionCause, CheckoutState } from './checkout-state.js';
import { formatMoney, type Money } from './money.js';

export interface ExplainContext {
  money: Money;
  description: string;
  /** Signals that were dropped: repeated ids, and such as had no valid form. */
  signals: { repeated: number; invalid: number };
  /** When Stripe is read next without being woken, epoch milliseconds. */
  nextReadAt?: number | undefined;
  /** Payments with this checkout's mark that webhooks told of and that are not known to be its own. */
  otherPayments?: readonly string[];
}

const causes: Record<AttentionCause, string> = {
  approval_without_payment: 'The wallet says approved, but names neither a payment nor a token to charge.',
  amount_differs: 'Stripe shows another amount or currency than the quote.',
  outcome_unknown:
    'Stripe could not be asked long enough that the outcome of a money-moving step is not proved.',
  run_lost:
    'The run of this checkout was stopped or lost before its end: what it left open is being shut and read back.',
  object_not_ours: 'The object at Stripe does not carry the mark of this checkout.',
};

const time = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');

function othersWait({ instrument }: CheckoutState, { otherPayments = [] }: ExplainContext): string[] {
  const others = otherPayments.filter((one) => one !== instrument?.paymentIntent);
  return others.length === 0
    ? []
    : [
        `Money with this checkout's mark came by ${others.join(', ')}: when this checkout ends, it is counted or given back.`,
      ];
}

/** A few plain sentences for ops: what the run waits for, until when, and what happens next. */
export function explainCheckout(state: CheckoutState, context: ExplainContext): string {
  const sum = formatMoney(context.money);
  const until = state.deadlineAt === undefined ? '' : ` Deadline: ${time(state.deadlineAt)}.`;
  const next =
    state.railsLeft.length > 0 ? `the next rail is ${state.railsLeft[0]}` : 'no rail is left after this one';
  const lines: string[] = [];
  switch (state.status) {
    case 'starting':
      lines.push(
        `Opening the first rail for ${sum} (${context.description}). A request may be on its way to Stripe; no answer is known yet.`,
      );
      break;
    case 'awaiting_wallet':
      lines.push(
        `Waiting for the caller to approve ${sum} in the Link wallet.${until} After a no or the deadline, ${next}.`,
      );
      break;
    case 'charging':
      lines.push(
        `The caller approved ${sum}. The charge is being made or read back; it is repeated with the same key until Stripe answers.`,
      );
      break;
    case 'sending_link':
      lines.push(`The payment page for ${sum} is open and its link is on the way by SMS.`);
      break;
    case 'awaiting_link':
      lines.push(
        `Waiting for the caller to pay ${sum} on the page.${until} A declined card there does not end it. Afterwards, ${next}.`,
      );
      break;
    case 'processing':
      lines.push(
        `The payment of ${sum} is under way and has no verdict yet (bank debits take days). Nothing else may be opened until then.`,
        ...othersWait(state, context),
      );
      break;
    case 'closing':
      lines.push(
        `The open instrument is being shut and read back (${state.reason ?? 'no reason recorded'}). If it was paid after all, the checkout is paid; otherwise ${next}.`,
      );
      break;
    case 'needs_attention':
      lines.push(
        `${state.attention ? causes[state.attention] : 'The outcome cannot be proved.'} Stripe is read again and again; nothing else is opened meanwhile.`,
        ...othersWait(state, context),
        'Levers: retry-now reads Stripe at once; resolve reads it too and, if it still proves nothing, ends the checkout without a payment on your word.',
      );
      break;
    case 'paid':
      lines.push(`Paid ${sum}; confirmation number ${state.confirmationNumber ?? 'none'}.`);
      break;
    case 'declined':
    case 'expired':
    case 'canceled':
    case 'failed':
      lines.push(
        state.resolution
          ? `Ended ${state.status} (${state.reason ?? 'no reason'}) on the word of ${state.resolution.by} at ${time(state.resolution.at)}, not on a proof from Stripe${state.resolution.note === undefined ? '' : `: ${state.resolution.note}`}.`
          : `Ended ${state.status} (${state.reason ?? 'no reason'}). Nothing was charged and nothing is open at Stripe.`,
      );
      break;
  }
  if (context.nextReadAt !== undefined)
    lines.push(`Stripe is read next at ${time(context.nextReadAt)}, or when a webhook arrives.`);
  for (const attempt of state.attempts) {
    const why = [attempt.reason, attempt.declineCode].filter((part) => part !== undefined).join(', ');
    lines.push(`- ${attempt.rail}: ${attempt.state}${why ? ` (${why})` : ''} at ${time(attempt.at)}`);
  }
  const ids = Object.entries(state.instrument ?? {}).map(([name, id]) => `${name} ${id}`);
  if (ids.length > 0) lines.push(`At the vendors: ${ids.join(', ')}.`);
  if (context.signals.repeated > 0) lines.push(`${context.signals.repeated} repeated event(s) ignored.`);
  if (context.signals.invalid > 0)
    lines.push(`${context.signals.invalid} signal(s) without a valid form ignored.`);
  return lines.join('\n');
}
