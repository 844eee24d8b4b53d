import { patched } from '@temporalio/workflow';
import type { WalletAnswer } from '../../activities/wallet.js';
import type { PaymentFact } from '../../domain/payment-fact.js';
import type { RailStep } from '../../domain/rails.js';
import { atTheSamePrice } from '../steps/at-the-same-price.js';
import type { CheckoutRun } from '../steps/checkout-run.js';
import {
  cancelCharge,
  cancelWalletApproval,
  confirmCharge,
  createCharge,
  findInstruments,
  isTurnedAway,
  readCharge,
  readWalletApproval,
  refusal,
  mayRepeat,
  requestWalletApproval,
  shutting,
  withBusinessAttempts,
} from '../steps/effects.js';
import { failureTypes } from '../../contracts/failures.js';
import type { OpenRail, Opening } from './rail.js';

/** After this time no request can be approved any more. Link's credentials live 12 h at the longest (link-cli README). */
const requestLifetimeMs = 12 * 3_600_000;

/** Stripe's clock and ours need not agree, ms. */
export const clockSkewMs = 600_000;

/** The caller's Link wallet: ask, wait for the approval, and charge it if the approval did not pay by itself. */
export async function openLinkWallet(run: CheckoutRun, step: RailStep): Promise<Opening> {
  const askedAt = Date.now();
  const answer = await ask(run);
  if (answer.kind === 'unavailable' || answer.kind === 'taken') return answer;
  if (answer.kind === 'unknown')
    return { kind: 'open', ...unknownWallet(run, askedAt, 'unknown-wallet-at-its-price') };
  const { authorization } = answer;
  run.learn({ type: 'wallet_asked', authorization, deadlineAt: Date.now() + step.deadlineMs });
  return { kind: 'open', rail: walletRail(run, askedAt, authorization), first: { kind: 'open' } };
}

/**
 * A request that may have been made, by this run or one that was lost, and then perhaps at another price: read once a webhook
 * names it, or over by its age. `since`: as in `atTheSamePrice`.
 */
export function unknownWallet(
  run: CheckoutRun,
  askedAt: number,
  since?: string,
): { rail: OpenRail; first: PaymentFact } {
  const rail = atTheSamePrice(run, walletRail(run, askedAt), since);
  return { rail, first: { kind: 'unprovable', cause: 'outcome_unknown' } };
}

/** `asked`: undefined after a lost answer. */
function walletRail(run: CheckoutRun, askedAt: number, asked?: string): OpenRail {
  const { amount, currency, description } = run.input;
  const ref = run.owner;
  let authorization = asked;
  /** A name that was taken for it without having been read, by the code before `foreign-name-forgotten`. */
  let unread: string | undefined;
  let lookedFor = false;
  /** The payment this approval led to, ours or Stripe's: from then on it is what is read and shut. */
  let paymentIntent: string | undefined;

  async function look(
    known: (ref: { authorization: string; hearsay: boolean }) => Promise<PaymentFact>,
  ): Promise<PaymentFact> {
    const named = authorization ?? unread ?? run.reportedAuthorization;
    if (named !== undefined) {
      try {
        const fact = await known({ authorization: named, hearsay: authorization === undefined });
        authorization = named;
        return fact;
      } catch (error) {
        if (authorization !== undefined || !isForeign(error)) throw error;
        if (!patched('foreign-name-forgotten')) {
          unread = named;
          throw error;
        }
        unread = undefined;
        // Whoever named it was wrong. A webhook may have named another one meanwhile.
        if (run.reportedAuthorization === named) run.reportedAuthorization = undefined;
      }
    }
    const now = Date.now();
    if (now < askedAt + requestLifetimeMs) return { kind: 'unprovable', cause: 'outcome_unknown' };
    // Requests cannot be listed, but the events of their answers can: its webhook may have been lost.
    if (!lookedFor && patched('unheard-wallet-is-looked-for')) {
      const { authorizations } = await findInstruments({ ...ref, from: askedAt - clockSkewMs, until: now });
      lookedFor = true;
      run.reportedAuthorization = authorizations.at(-1);
      if (run.reportedAuthorization !== undefined) return look(known);
    }
    run.dropPlan();
    return { kind: 'dead' };
  }

  const remember = (fact: PaymentFact): PaymentFact => {
    if ('paymentIntent' in fact && fact.paymentIntent) paymentIntent = fact.paymentIntent;
    return fact;
  };

  const withdraw = shutting((attempt) =>
    look((known) => cancelWalletApproval({ ...ref, ...known, attempt })),
  );
  const cancelPayment = shutting((attempt, paymentIntent: string) =>
    cancelCharge({ ...ref, paymentIntent, attempt }),
  );

  return {
    read: async () =>
      remember(
        paymentIntent === undefined
          ? await look((known) => readWalletApproval({ ...ref, ...known }))
          : await readCharge({ ...ref, paymentIntent }),
      ),
    close: async () =>
      remember(paymentIntent === undefined ? await withdraw() : await cancelPayment(paymentIntent)),
    charge: async (token, learn) => {
      try {
        const create = (attempt: number) =>
          createCharge({ ...ref, amount, currency, description, attempt: run.attemptsBefore + attempt });
        ({ paymentIntent } = await withBusinessAttempts(create));
      } catch (error) {
        // Without an intent nothing can be charged, and the token is of use to nobody else.
        const type = refusal(error)?.type;
        if (type === failureTypes.keyTaken) run.keyTaken = 'charge';
        else if (type !== failureTypes.requestRefused) throw error;
        return { kind: 'refused', reason: 'declined', live: false };
      }
      learn({ type: 'charge_created', paymentIntent });
      return confirmUntilKnown({ ...ref, paymentIntent, token });
    },
  };
}

/** Stripe does not know it, or it carries another mark than ours. */
function isForeign(error: unknown): boolean {
  const type = refusal(error)?.type;
  return type === failureTypes.requestRefused || type === failureTypes.notOurs;
}

/**
 * Asks once. An approval moves money and requests cannot be listed, so a stored error, or no answer for as long as the key
 * lives, is neither a no nor a reason to ask the caller's wallet a second time.
 */
async function ask(run: CheckoutRun): Promise<WalletAnswer | { kind: 'unknown' } | { kind: 'taken' }> {
  const { amount, currency, description, contact } = run.input;
  try {
    return await requestWalletApproval({
      ...run.owner,
      amount,
      currency,
      description,
      contact,
      attempt: run.attemptsBefore + 1,
    });
  } catch (error) {
    const cause = refusal(error);
    if (cause?.type === failureTypes.keyTaken) return { kind: 'taken' };
    const [detail] = (cause?.details ?? []) as { attempt?: number }[];
    // Refused at a repetition, it proves nothing: the first try may have arrived, or one before ops reset the run.
    return isTurnedAway(cause) && (detail?.attempt ?? 1) === 1 && !(await mayRepeat())
      ? { kind: 'unavailable', reason: 'unreachable' }
      : { kind: 'unknown' };
  }
}

/** Confirms until Stripe gives an answer of its own. A stored error is read behind; only a still inert intent is confirmed again. */
async function confirmUntilKnown(
  request: Omit<Parameters<typeof confirmCharge>[0], 'attempt'>,
): Promise<PaymentFact> {
  for (let attempt = 1; attempt <= 3; attempt++) {
    try {
      return await confirmCharge({ ...request, attempt });
    } catch (error) {
      if (refusal(error)?.type !== failureTypes.storedVendorError) throw error;
      const fact = await readCharge(request);
      if (fact.kind !== 'open') return fact;
    }
  }
  return { kind: 'unprovable', cause: 'outcome_unknown' };
}
