import { patched, workflowInfo } from '@temporalio/workflow';
import type { FoundInstruments } from '../../activities/lost-runs.js';
import type { RecoveredInstruments } from '../../contracts/checkout.js';
import { keyLifetime } from '../../domain/idempotency-key.js';
import type { PaymentFact } from '../../domain/payment-fact.js';
import type { RailStep } from '../../domain/rails.js';
import { clockSkewMs, unknownWallet } from '../rails/link-wallet.js';
import type { OpenRail } from '../rails/rail.js';
import { atTheSamePrice } from './at-the-same-price.js';
import { awaitPaymentEvent } from './await-payment-event.js';
import type { CheckoutRun } from './checkout-run.js';
import { settleRail, shut } from './collect-payment.js';
import {
  cancelCharge,
  cancelWalletApproval,
  closePaymentPage,
  findInstruments,
  readCharge,
  readPaymentPage,
  readWalletApproval,
  refusal,
  shutting,
} from './effects.js';

/**
 * Goes on where a run was lost or stopped: whatever it may have left open is shut and read back, one after the other. True
 * when one of them turns out to be paid.
 */
export async function recoverPayment(run: CheckoutRun, left: RecoveredInstruments): Promise<boolean> {
  const { authorization, session, charging, paymentIntent } = left;
  const found = {
    authorizations: authorization === undefined ? [] : [authorization],
    sessions: session === undefined ? [] : [session],
    paymentIntents: [charging, paymentIntent].filter((one) => one !== undefined),
  };
  if (await settleAll(run, found, atItsPrice(run))) return true;
  if (left.walletAskedAt === undefined) return false;
  const { rail, first } = unknownWallet(run, left.walletAskedAt);
  return settleRail(
    run,
    { read: withoutToken(rail.read), close: withoutToken(rail.close) },
    first,
    'no_response',
  );
}

/** True when Stripe may have forgotten the key that opens the rail: after a reset by ops, or when no worker was there for long. */
export function isOverdue(run: CheckoutRun, { rail }: RailStep): boolean {
  return Date.now() > run.latestOpening(rail) + keyLifetime;
}

/**
 * For a checkout that would open something long after its call: with a forgotten key that would be a second request, so it
 * looks for what it opened before, shuts and reads that, and opens nothing. True when it was paid.
 */
export async function recoverForgotten(run: CheckoutRun): Promise<boolean> {
  run.dropPlan();
  const opened = run.input.plan.map(({ rail }) => run.latestOpening(rail));
  const window = {
    from: workflowInfo().startTime.getTime() - clockSkewMs,
    until: Math.max(...opened) + keyLifetime + clockSkewMs,
  };
  return settleFound(run, window, atItsPrice(run));
}

/** For how long before now something can have been opened under a key that Stripe still knows, ms. */
const keysKnownMs = 24 * 3_600_000;

/** More than the business attempts of one run, so that the keys of the next begin after all of them. */
const attemptsOfARun = 10;

/**
 * For a run that finds a key of its own in use: a run of the same checkout was lost, and had opened something. What can be
 * found of it is shut and read before this one opens anything, under keys of its own. True when it was paid. A wallet request
 * is found once it was answered; that it was answered is also proved by what came after it. Else the wallet is not asked again.
 */
export async function recoverUnknown(run: CheckoutRun, taken: RailStep | 'charge'): Promise<boolean> {
  const now = Date.now();
  run.keyTaken = undefined;
  run.attemptsBefore += attemptsOfARun;
  const window = { from: now - keysKnownMs - 2 * clockSkewMs, until: now + clockSkewMs };
  const known = run.foundBefore.size;
  if (await settleFound(run, window, (rail) => atTheSamePrice(run, rail))) return true;
  if (taken === 'charge') return false;
  const walletFirst = run.input.plan[0]?.rail === 'linkWallet';
  const answered = walletFirst && run.foundBefore.size > known;
  if (taken.rail === 'linkWallet' && !answered) {
    const { rail, first } = unknownWallet(run, now, 'lost-wallet-at-its-price');
    return settleRail(run, rail, first);
  }
  run.putBack(taken);
  return false;
}

/** Settles what Stripe lists, once it does. */
async function settleFound(
  run: CheckoutRun,
  window: { from: number; until: number },
  seen: (rail: OpenRail) => OpenRail,
): Promise<boolean> {
  run.learn({ type: 'attention_needed', cause: 'run_lost' });
  for (let reads = 0; ; reads++) {
    try {
      const listed: Partial<FoundInstruments> = await findInstruments({ ...run.owner, ...window });
      // Histories from before answered requests were looked for do not tell them.
      const found = { authorizations: [], sessions: [], paymentIntents: [], ...listed };
      for (const id of [...found.authorizations, ...found.sessions, ...found.paymentIntents])
        run.foundBefore.add(id);
      return await settleAll(run, found, seen);
    } catch (error) {
      refusal(error);
      await awaitPaymentEvent(run, { reads, interruptible: false, pace: 'bank' });
    }
  }
}

async function settleAll(
  run: CheckoutRun,
  left: FoundInstruments,
  seen: (rail: OpenRail) => OpenRail,
): Promise<boolean> {
  // Until Stripe has shown what became of them, nothing may be said.
  run.learn({ type: 'attention_needed', cause: 'run_lost' });
  const rails = railsOf(run, left).map(seen);
  for (const [index, rail] of rails.entries()) {
    if (!(await settleRail(run, rail, await shut(run, rail), 'no_response'))) continue;
    const rest = rails.slice(index + 1);
    // Runs that found it paid before there was this way on ended with it.
    if (rest.length > 0 && patched('shuts-the-rest')) for (const other of rest) await shutBeside(run, other);
    return true;
  }
  // Without anything to shut, too: the end leads through here.
  run.learn({ type: 'closing', reason: 'no_response' });
  return false;
}

/** Shuts what was left open beside what the checkout was paid with. Money in it is a second payment. */
async function shutBeside(run: CheckoutRun, rail: OpenRail): Promise<void> {
  for (let reads = 0; ; reads++) {
    const fact = await shut(run, rail);
    if ((fact.kind === 'paid' || fact.kind === 'processing') && fact.paymentIntent !== undefined)
      return run.noteOtherPayment(fact.paymentIntent);
    // Anything but an answer that is missing is one: it is dead, or of no use to anybody but us, or not ours.
    if (fact.kind !== 'open' && !(fact.kind === 'unprovable' && fact.cause === 'outcome_unknown')) return;
    await awaitPaymentEvent(run, { reads, interruptible: false, pace: 'bank' });
  }
}

function railsOf(
  run: CheckoutRun,
  { paymentIntents, sessions, authorizations }: FoundInstruments,
): OpenRail[] {
  const ref = run.owner;
  const rails: OpenRail[] = [];
  // A page comes before its own payment: while it is open, only closing the page stops the payment.
  for (const session of sessions) {
    rails.push({
      read: () => readPaymentPage({ ...ref, session }),
      close: shutting((attempt) => closePaymentPage({ ...ref, session, attempt })),
    });
  }
  for (const authorization of authorizations) {
    /** The payment the approval brought: from then on it is what is read and shut, as in the run that was lost. */
    let brought: string | undefined;
    const remember = (fact: PaymentFact): PaymentFact => {
      if ('paymentIntent' in fact && fact.paymentIntent) brought = fact.paymentIntent;
      return unspent(fact);
    };
    rails.push({
      read: async () =>
        remember(
          brought === undefined
            ? await readWalletApproval({ ...ref, authorization })
            : await readCharge({ ...ref, paymentIntent: brought }),
        ),
      close: shutting(async (attempt) =>
        remember(
          brought === undefined
            ? await cancelWalletApproval({ ...ref, authorization, attempt })
            : await cancelCharge({ ...ref, paymentIntent: brought, attempt }),
        ),
      ),
    });
  }
  for (const paymentIntent of paymentIntents) {
    rails.push({
      read: () => readCharge({ ...ref, paymentIntent }),
      close: shutting((attempt) => cancelCharge({ ...ref, paymentIntent, attempt })),
    });
  }
  return rails;
}

/** As `atTheSamePrice`; runs whose histories are older took such money for what they wait for, and wait for a person. */
function atItsPrice(run: CheckoutRun): (rail: OpenRail) => OpenRail {
  const own = patched('restored-at-its-price');
  return (rail) => (own ? atTheSamePrice(run, rail) : rail);
}

/** A token that was granted to the lost run: only we could spend it, and nobody waits for that any more. */
function unspent(fact: PaymentFact): PaymentFact {
  return fact.kind === 'approved' && fact.token !== undefined ? { kind: 'dead' } : fact;
}

const withoutToken = (look: () => Promise<PaymentFact>) => async () => unspent(await look());
