import { patched, workflowInfo } from '@temporalio/workflow';
import type { PaymentFact } from '../../domain/payment-fact.js';
import type { RailStep } from '../../domain/rails.js';
import type { CheckoutRun } from '../steps/checkout-run.js';
import {
  closePaymentPage,
  isTurnedAway,
  mayRepeat,
  openPaymentPage,
  readMessage,
  readPaymentPage,
  refusal,
  sendPaymentLink,
  shutting,
  wasReset,
} from '../steps/effects.js';
import { failureTypes } from '../../contracts/failures.js';
import type { Opening } from './rail.js';

const minute = 60_000;
/** For closing the rails before, and for a page that is being paid when its deadline comes. */
const slack = 10 * minute;
/** By how much later each further attempt lets the page end. */
const delays = [0, 60 * minute, 4 * 60 * minute, 10 * 60 * minute, 20 * 60 * minute];
/** Stripe's bounds for a page's own expiry. Source: Checkout Session `expires_at`, 30 min to 24 h after creation. */
const pageLifetime = { min: 30 * minute, max: 24 * 60 * minute };

/** The hosted payment page, its link sent by SMS. A declined card on the page does not end it. */
export async function openPaymentLink(run: CheckoutRun, step: RailStep): Promise<Opening> {
  const { tenantId, checkoutId, amount, currency, description, locale, contact } = run.input;
  const { phone } = contact;
  if (phone === undefined) return { kind: 'unavailable', reason: 'unreachable' };
  const ref = { tenantId, checkoutId };
  const page = await openPage(run, step);
  if (page === 'taken') return { kind: 'taken' };
  const { session, url } = page;
  run.learn({ type: 'link_opened', session });

  let message: string | undefined;
  const undelivered = async (): Promise<boolean> => {
    if (message === undefined || !run.reportedUndelivered(message)) return false;
    return (await readMessage({ ...ref, message })).undelivered;
  };
  const unreached: PaymentFact = { kind: 'refused', reason: 'undeliverable', live: true };
  const rail = {
    read: async (): Promise<PaymentFact> => {
      const fact = await readPaymentPage({ ...ref, session });
      return fact.kind === 'open' && (await undelivered()) ? unreached : fact;
    },
    close: shutting((attempt) => closePaymentPage({ ...ref, session, attempt })),
  };

  if (run.stop !== undefined) return { kind: 'open', rail, first: { kind: 'open' } };
  try {
    const answer = await sendPaymentLink({ ...ref, phone, url, amount, currency, description, locale });
    if (answer.kind === 'undeliverable') return { kind: 'open', rail, first: unreached };
    message = answer.message;
  } catch (error) {
    refusal(error);
    // Nobody can say whether it was sent: the page is shut, so a message that did arrive leads nowhere.
    return { kind: 'open', rail, first: unreached };
  }
  run.learn({ type: 'link_sent', message, deadlineAt: Date.now() + step.deadlineMs });
  return { kind: 'open', rail, first: { kind: 'open' } };
}

/**
 * When the page closes by itself at Stripe, Unix seconds; ours is closed earlier, by its deadline. Counted from the start of
 * the checkout, which a reset by ops does not move, and never from now: the same key must always come with the same
 * parameters, or Stripe refuses to tell of the page it has already made. An attempt that comes too late for it is refused,
 * and the next one plans with a later end.
 */
function expiryOf(run: CheckoutRun, step: RailStep, attempt: number): number {
  const start = workflowInfo().startTime.getTime();
  const open = Math.max(pageLifetime.min, step.deadlineMs) + slack;
  const planned = run.latestOpening(step.rail) + open + (delays[attempt - 1] ?? 0);
  return Math.floor(Math.min(planned, start + pageLifetime.max - minute) / 1_000);
}

/** Opens the page; a stored error, or an expiry that came too near while Stripe was away, leads to a new attempt. */
async function openPage(run: CheckoutRun, step: RailStep) {
  const { amount, currency, description } = run.input;
  for (let attempt = 1; ; attempt++) {
    const expiresAt = expiryOf(run, step, attempt);
    try {
      return await openPaymentPage({
        ...run.owner,
        amount,
        currency,
        description,
        expiresAt,
        attempt: run.attemptsBefore + attempt,
      });
    } catch (error) {
      const cause = refusal(error);
      if (cause?.type === failureTypes.keyTaken) return 'taken';
      const stored = cause?.type === failureTypes.storedVendorError;
      const [detail] = (cause?.details ?? []) as { param?: string }[];
      // The page that was opened before ops reset the run may still be open.
      const first = attempt === 1 && run.attemptsBefore === 0 && detail?.param !== 'expires_at';
      if (isTurnedAway(cause) && first && (await mayRepeat())) return 'taken';
      if (attempt < delays.length && (stored || detail?.param === 'expires_at')) continue;
      // And its link may have been sent: what can be found is settled before anything is said.
      const unheard = run.attemptsBefore === 0 && !isTurnedAway(cause);
      if (unheard && patched('reset-run-finds-its-page') && (await wasReset())) return 'taken';
      throw error;
    }
  }
}
