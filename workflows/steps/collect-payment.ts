import { patched } from '@temporalio/workflow';
import type { CheckoutFact, Reason } from '../../domain/checkout-state.js';
import { confirmationNumber } from '../../domain/checkout-state.js';
import type { PaymentFact } from '../../domain/payment-fact.js';
import type { Rail, RailStep } from '../../domain/rails.js';
import { failureTypes } from '../../contracts/failures.js';
import type { ResolveRefusal } from '../../contracts/levers.js';
import { openLinkWallet } from '../rails/link-wallet.js';
import { openPaymentLink } from '../rails/payment-link.js';
import type { OpenRail, Opening } from '../rails/rail.js';
import { awaitPaymentEvent, type Patience } from './await-payment-event.js';
import type { CheckoutRun } from './checkout-run.js';
import { readRefundable, refusal } from './effects.js';

const open: Record<Rail, (run: CheckoutRun, step: RailStep) => Promise<Opening>> = {
  linkWallet: openLinkWallet,
  paymentLink: openPaymentLink,
};

/**
 * Tries one rail to its end: paid (true), or proved shut. Returns only then, so a next rail never opens beside a live one.
 * What is read back decides at every step; signals, polls and deadlines only say when to look.
 */
export async function collectPayment(run: CheckoutRun, step: RailStep): Promise<boolean> {
  const opening = await tryOpening(run, step);
  if (opening.kind === 'unavailable') {
    run.learn({ type: 'rail_unavailable', rail: step.rail, reason: opening.reason });
    return false;
  }
  if (opening.kind === 'taken') {
    run.keyTaken = step;
    return false;
  }
  return settleRail(run, opening.rail, opening.first);
}

/**
 * Follows an open instrument from what is known of it to its end: paid (true), or proved shut. With an `ending` it is already
 * being shut: nothing waits for the caller any more.
 */
export async function settleRail(
  run: CheckoutRun,
  rail: OpenRail,
  first: PaymentFact,
  reason?: Reason,
): Promise<boolean> {
  /** Set once the rail is to end. Whatever is read afterwards, no new wait for the caller begins. */
  let ending = reason;
  let fact = first;
  let steady: boolean | undefined;
  /** How often nothing was proved: each time it is waited longer for, whatever the readings in between seemed to be. */
  let looks = 0;
  /** Stripe's code of the refusal that ends the rail. */
  let code: { code?: string } = {};

  for (;;) {
    const approval = approvalIn(run, fact);
    switch (fact.kind) {
      case 'paid':
        run.learn(...approval, ...wayBeforeTheLink(run), {
          type: 'paid',
          paymentIntent: fact.paymentIntent,
          amount: fact.amount,
          confirmationNumber: confirmationNumber(run.input.checkoutId),
        });
        return true;

      case 'processing':
        run.learn(...approval, ...wayBeforeTheLink(run), {
          type: 'payment_processing',
          paymentIntent: fact.paymentIntent,
        });
        fact = await watch(run, () => attempted(run, rail.read), {
          interruptible: false,
          pace: 'bank',
        });
        break;

      case 'approved':
        run.learn(...approval);
        if (run.stop === 'canceled' && fact.token !== undefined) {
          ending = 'canceled';
          // Nobody but us can spend the token, and the caller wants us not to.
          fact = { kind: 'dead' };
        } else if (fact.token === undefined || !rail.charge) {
          fact = { kind: 'unprovable', cause: 'approval_without_payment' };
        } else {
          const { token } = fact;
          const charge = rail.charge;
          fact = await proved(run, () => charge(token, (news) => run.learn(news)));
        }
        break;

      case 'open':
        if (ending !== undefined) {
          fact = { kind: 'unprovable', cause: 'outcome_unknown' };
          break;
        }
        fact = await watchUntilDeadline(run, rail);
        if (fact.kind === 'open') {
          ending = run.stop ?? 'no_response';
          run.learn({ type: 'closing', reason: ending });
          fact = await shut(run, rail);
        }
        break;

      case 'refused':
        ending ??= fact.reason;
        if (fact.code !== undefined) code = { code: fact.code };
        if (fact.live) {
          run.learn(...approval, { type: 'closing', reason: ending, ...code });
          fact = await shut(run, rail);
        } else {
          fact = { kind: 'dead' };
        }
        break;

      case 'dead':
        ending ??= 'no_response';
        run.learn({ type: 'closing', reason: ending, ...code }, { type: 'rail_closed', reason: ending });
        return false;

      case 'unprovable':
        run.learn(...wayToAttention(run), {
          type: 'attention_needed',
          cause: fact.cause,
          ...(fact.paymentIntent && { paymentIntent: fact.paymentIntent }),
        });
        ending ??= 'no_response';
        // Asked once and kept: the answer must not change between the readings of one run.
        if (fact.cause === 'approval_without_payment') steady ??= patched('bare-approval-proves-nothing');
        fact = await watch(
          run,
          () => closeOrResolve(run, rail, steady),
          { interruptible: false, pace: 'bank' },
          looks++,
        );
        break;
    }
  }
}

/** Opens the rail, or says why not. A refusal before anything is open leaves nothing behind. */
async function tryOpening(run: CheckoutRun, step: RailStep): Promise<Opening> {
  try {
    return await open[step.rail](run, step);
  } catch (error) {
    refusal(error);
    return { kind: 'unavailable', reason: 'unreachable' };
  }
}

/** A wallet that names a payment or a token was approved: the caller has done their part. */
function approvalIn(run: CheckoutRun, fact: PaymentFact): CheckoutFact[] {
  const approved = fact.kind === 'approved' || ('paymentIntent' in fact && fact.paymentIntent !== undefined);
  const { status, rail } = run.state;
  if (!approved || rail !== 'linkWallet') return [];
  // A token approved in the last moment is still charged; a payment that is already there needs no such step.
  const news = status === 'awaiting_wallet' || (status === 'closing' && fact.kind === 'approved');
  return news ? [{ type: 'wallet_approved' }] : [];
}

/** Before this run has sent its link somebody can pay only by one that was sent before ops reset it: the page is shut, and paid. */
function wayBeforeTheLink(run: CheckoutRun): CheckoutFact[] {
  return run.state.status === 'sending_link' ? [{ type: 'closing' }] : [];
}

/** The table leads to `needs_attention` from `starting`, `charging` and `closing` only. */
function wayToAttention(run: CheckoutRun): CheckoutFact[] {
  const direct = ['starting', 'charging', 'closing', 'needs_attention'];
  return direct.includes(run.state.status) ? [] : [{ type: 'closing' }];
}

/** Waits while the instrument is open; returns `open` when the deadline passed or somebody wants it to end. */
function watchUntilDeadline(run: CheckoutRun, rail: OpenRail): Promise<PaymentFact> {
  return watch(run, () => attempted(run, rail.read), {
    interruptible: true,
    pace: 'caller',
    deadlineAt: run.state.deadlineAt ?? Date.now(),
  });
}

async function watch(
  run: CheckoutRun,
  look: () => Promise<PaymentFact | undefined>,
  patience: Omit<Patience, 'reads'>,
  readsBefore = 0,
): Promise<PaymentFact> {
  let lastDecline: string | undefined;
  for (let reads = readsBefore; ; reads++) {
    const wake = await awaitPaymentEvent(run, { ...patience, reads });
    if (wake !== 'read') return { kind: 'open' };
    const fact = await look();
    if (fact === undefined || isNoNews(run, fact)) continue;
    if (fact.kind !== 'open') return fact;
    if (fact.decline && fact.decline.id !== lastDecline) {
      lastDecline = fact.decline.id;
      const { reason, code } = fact.decline;
      run.learn({ type: 'payment_declined', reason, ...(code !== undefined && { code }) });
    }
  }
}

/** Known already: the wait goes on, and the looks at Stripe become fewer. */
function isNoNews(run: CheckoutRun, { kind }: PaymentFact): boolean {
  const { status } = run.state;
  return (
    (kind === 'unprovable' && status === 'needs_attention') ||
    (kind === 'processing' && status === 'processing')
  );
}

/** What a look showed; undefined when the vendor could not be asked, so that it is asked again later. */
async function attempted(
  run: CheckoutRun,
  look: () => Promise<PaymentFact>,
): Promise<PaymentFact | undefined> {
  try {
    const fact = await look();
    const { amount, currency } = run.input;
    const differs = fact.kind === 'paid' && (fact.amount !== amount || fact.currency !== currency);
    return differs
      ? { kind: 'unprovable', cause: 'amount_differs', paymentIntent: fact.paymentIntent }
      : fact;
  } catch (error) {
    const cause = refusal(error);
    if (cause?.type === failureTypes.notOurs) return { kind: 'unprovable', cause: 'object_not_ours' };
    return undefined;
  }
}

/** As `attempted`, for a step that had to succeed: no answer means that the outcome is unknown. */
async function proved(run: CheckoutRun, step: () => Promise<PaymentFact>): Promise<PaymentFact> {
  return (await attempted(run, step)) ?? { kind: 'unprovable', cause: 'outcome_unknown' };
}

/**
 * Shuts the rail and reads it. Where that proves nothing, the word of ops ends it, and leaves no further rail: whoever wants
 * to pay after that starts anew. `steady`: an approval that brings nothing is no news each time it is read.
 */
async function closeOrResolve(
  run: CheckoutRun,
  rail: OpenRail,
  steady: boolean | undefined,
): Promise<PaymentFact | undefined> {
  // Taken before the reading, which is to be newer than the word.
  const { word } = run;
  const read = await attempted(run, rail.close);
  const bare = steady && read?.kind === 'approved' && read.token === undefined;
  const fact: PaymentFact | undefined = bare
    ? { kind: 'unprovable', cause: 'approval_without_payment' }
    : read;
  if (word === undefined) return fact;
  const proved = fact !== undefined && !['open', 'approved', 'unprovable'].includes(fact.kind);
  const refused = proved ? undefined : await objection(run, fact);
  // Whoever said it was answered meanwhile that Stripe takes too long.
  if (run.word !== word) return fact;
  run.word = undefined;
  if (refused) word.refused = refused;
  if (proved || refused) return fact;
  const { by, note } = word;
  run.learn({ type: 'resolved', by, ...(note !== undefined && { note }) });
  run.dropPlan();
  return { kind: 'dead' };
}

/** What speaks against the word of ops; money of the checkout that Stripe still has is never talked away. */
async function objection(
  run: CheckoutRun,
  fact: PaymentFact | undefined,
): Promise<ResolveRefusal | undefined> {
  if (fact === undefined) return 'stripe_unavailable';
  if (fact.kind === 'open') return 'still_open';
  const named = fact.kind === 'unprovable' ? fact.paymentIntent : undefined;
  const paymentIntent = named ?? run.state.instrument?.paymentIntent;
  if (paymentIntent === undefined) return undefined;
  const { tenantId, checkoutId } = run.input;
  try {
    const { captured, refunded } = await readRefundable({ tenantId, checkoutId, paymentIntent });
    return captured > refunded ? 'money_captured' : undefined;
  } catch (error) {
    // Stripe knows no such payment: no money either.
    return refusal(error)?.type === failureTypes.requestRefused ? undefined : 'stripe_unavailable';
  }
}

/** Shuts the rail. An approval that turns out to have left a failed payment behind is shut in a second step. */
export async function shut(run: CheckoutRun, rail: OpenRail): Promise<PaymentFact> {
  const first = await proved(run, rail.close);
  const second = first.kind === 'refused' && first.live ? await proved(run, rail.close) : first;
  return second.kind === 'refused' && second.live ? { kind: 'unprovable', cause: 'outcome_unknown' } : second;
}
