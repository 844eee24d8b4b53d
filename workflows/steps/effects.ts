import {
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  patched,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import { failureTypes } from '../../contracts/failures.js';
import { keyLifetime } from '../../domain/idempotency-key.js';
import type { Activities } from '../../activities/activities.js';

const { vendorUnavailable, storedVendorError, requestRefused, credentialsRefused, notOurs } = failureTypes;

/** A worker that dies is noticed within 1.5 s (activities heartbeat in the background), a hung call after 10 s. */
const attempt: ActivityOptions = {
  startToCloseTimeout: 10_000,
  heartbeatTimeout: 1_500,
  cancellationType: 'TRY_CANCEL',
};

/** First retry at once, then doubling; the activities' own `nextRetryDelay` adds jitter and honours Retry-After. */
const backoff = { initialInterval: 100, backoffCoefficient: 2, maximumInterval: 30_000 };

/** Shuts something or moves money: repeated with the same key until the answer is known, at most for 20 h. */
const effect: ActivityOptions = {
  ...attempt,
  scheduleToCloseTimeout: keyLifetime,
  retry: { ...backoff, nonRetryableErrorTypes: [storedVendorError, requestRefused, notOurs] },
};

/** A wallet request or an SMS that comes long after the call would startle people more than help them. */
const callersPatience = 600_000;

/** Opens something: as an effect, but refused credentials end it, because nothing is open yet and a caller waits. */
const opening: ActivityOptions = {
  ...effect,
  scheduleToCloseTimeout: callersPatience,
  retry: {
    ...backoff,
    nonRetryableErrorTypes: [storedVendorError, requestRefused, notOurs, credentialsRefused],
  },
};

/** Looks only. Given up soon: the next signal or poll looks again. */
const read: ActivityOptions = {
  ...attempt,
  retry: { ...backoff, maximumAttempts: 4, nonRetryableErrorTypes: [requestRefused, notOurs] },
};

/** Twilio has no idempotency keys: one send, at most one resend, and looks whether it was sent (see the activity). */
const message: ActivityOptions = {
  ...attempt,
  retry: { ...backoff, maximumAttempts: 4, nonRetryableErrorTypes: [requestRefused, credentialsRefused] },
};

/** Nobody waits on the phone for it: a person is told when mail or SMS is back. Repeating it is harmless (see the activity). */
const notice: ActivityOptions = {
  ...attempt,
  scheduleToCloseTimeout: 600_000,
  retry: { ...backoff, initialInterval: 1_000, nonRetryableErrorTypes: [requestRefused] },
};

function activity<Name extends keyof Activities>(name: Name, options: ActivityOptions, summary: string) {
  return proxyActivities<Pick<Activities, Name>>({ ...options, summary })[name];
}

export const requestWalletApproval = activity('requestWalletApproval', opening, 'Ask the Link wallet');
export const readWalletApproval = activity('readWalletApproval', read, 'Read the approval back');
export const cancelWalletApproval = activity('cancelWalletApproval', effect, 'Withdraw the wallet request');
export const createCharge = activity('createCharge', effect, 'Create the charge, inert');
export const confirmCharge = activity('confirmCharge', effect, 'Charge what was approved');
export const readCharge = activity('readCharge', read, 'Read the charge back');
export const cancelCharge = activity('cancelCharge', effect, 'Make sure nothing can be charged');
export const openPaymentPage = activity('openPaymentPage', opening, 'Open the payment page');
export const readPaymentPage = activity('readPaymentPage', read, 'Read the payment page back');
export const closePaymentPage = activity('closePaymentPage', effect, 'Close the payment page');
export const sendPaymentLink = activity('sendPaymentLink', message, 'Text the link');
export const readMessage = activity('readMessage', read, 'Read the text message back');

const readReset = activity('readReset', read, 'Look whether the run was reset');

export const readRefundable = activity(
  'readRefundable',
  { ...read, scheduleToCloseTimeout: 20_000 },
  'Read what may be given back',
);
export const examineRefundRequest = activity(
  'examineRefundRequest',
  { ...read, scheduleToCloseTimeout: 20_000 },
  'Check the request, read what may be given back',
);
export const readRefundRun = activity('readRefundRun', read, "Read the refund's own state");
export const submitRefund = activity('submitRefund', effect, 'Give the money back');
export const readRefund = activity('readRefund', read, 'Read the refund back');
export const findRefund = activity('findRefund', read, 'Look for the refund at Stripe');
export const verifyDecision = activity('verifyDecision', read, "Check a person's decision");

export const notifyApprover = activity('notifyApprover', notice, 'Tell an approver');

export const examineLatePayment = activity('examineLatePayment', read, 'Read the payment and its checkout');
export const findInstruments = activity(
  'findInstruments',
  // All that an account made in two days, a hundred at a time.
  { ...read, startToCloseTimeout: 1_800_000 },
  'Look for what was opened before',
);
export const reportLatePayment = activity('reportLatePayment', effect, 'Give other money a run of its own');
export const restoreCheckout = activity(
  'restoreCheckout',
  // Where other attempts are lost too, the payments of two weeks are looked through.
  { ...read, startToCloseTimeout: 60_000 },
  'Start the lost run again',
);
export const refundLatePayment = activity('refundLatePayment', effect, 'Give the late money back');
export const textLatePayment = activity(
  'textLatePayment',
  { ...message, scheduleToCloseTimeout: 600_000 },
  'Tell the caller',
);

/** A page of a hundred objects, paced; tried until Stripe is back, because nobody waits. */
const sweep: ActivityOptions = {
  ...attempt,
  startToCloseTimeout: 60_000,
  scheduleToCloseTimeout: 3_600_000,
  retry: { ...backoff, nonRetryableErrorTypes: [requestRefused, notOurs, credentialsRefused] },
  // Whatever a caller waits for goes first.
  priority: { priorityKey: 5 },
};

export const reconcilePage = activity('reconcilePage', sweep, 'Compare one page');
export const lookAgain = activity('lookAgain', sweep, 'Look whether it helped');

/** Tried until it is done: the run stays open meanwhile. */
const announcing: ActivityOptions = {
  startToCloseTimeout: 5_000,
  scheduleToCloseTimeout: 24 * 3_600_000,
  retry: { initialInterval: 200, backoffCoefficient: 3, maximumInterval: 600_000 },
};

/**
 * An activity of its own task: what is announced stands in the history before. A child would do as well, but the server starts
 * none of a run that has ended before, so its parent would wait just as long.
 */
export const startWebhookDelivery = activity(
  'startWebhookDelivery',
  announcing,
  "Start telling the tenant's own system",
);

/** As runs from before did it: within the task that ends, which may yet be lost, and end another way. */
export const { startWebhookDelivery: startWebhookDeliveryAtOnce } = proxyLocalActivities<
  Pick<Activities, 'startWebhookDelivery'>
>({
  ...announcing,
  // Longer pauses are timers of the server: the state becomes visible meanwhile.
  localRetryThreshold: 1_000,
  summary: "Start telling the tenant's own system",
});

/** Paced by the activity itself; only where a worker died does Temporal's own backoff count. */
export const deliverTenantWebhook = activity(
  'deliverTenantWebhook',
  {
    ...attempt,
    startToCloseTimeout: 15_000,
    scheduleToCloseTimeout: 24 * 3_600_000,
    retry: { initialInterval: 5_000, backoffCoefficient: 2, maximumInterval: 600_000 },
  },
  "Tell the tenant's own system",
);

/** The typed failure behind a failed activity; undefined for time-outs and when the vendor stayed unavailable. */
export function refusal(error: unknown): ApplicationFailure | undefined {
  if (!(error instanceof ActivityFailure)) throw error;
  const { cause } = error;
  return cause instanceof ApplicationFailure && cause.type !== vendorUnavailable ? cause : undefined;
}

/** The vendor did not take the request as such, or us. */
export function isTurnedAway(failure: ApplicationFailure | undefined): boolean {
  return failure?.type === requestRefused || failure?.type === credentialsRefused;
}

/** Whether ops reset the run: then a refusal at the first try does not prove that nothing was opened. */
export async function mayRepeat(): Promise<boolean> {
  return patched('reset-may-repeat') && wasReset();
}

/** Whether ops reset the run. Unanswered counts as yes. */
export async function wasReset(): Promise<boolean> {
  try {
    return await readReset();
  } catch (error) {
    refusal(error);
    return true;
  }
}

/** How often a step is tried anew after Stripe stored an error for its key. */
const maxBusinessAttempts = 3;

/**
 * Runs an effect that creates something inert. Stripe replays a stored 5xx for the life of a key, so such an answer
 * leads to a new business attempt with a new key; what the first one may have left behind cannot be paid by anyone.
 */
export async function withBusinessAttempts<T>(run: (attempt: number) => Promise<T>): Promise<T> {
  for (let number = 1; ; number++) {
    try {
      return await run(number);
    } catch (error) {
      if (number === maxBusinessAttempts || refusal(error)?.type !== storedVendorError) throw error;
    }
  }
}

/**
 * Shuts something, under a new key after a stored error: what is shut stays shut, and what was paid first is read back. The
 * count goes on over all looks, since an old key brings nothing but the stored error again, for a day.
 */
export function shutting<T, Of extends unknown[]>(
  shut: (attempt: number, ...of: Of) => Promise<T>,
): (...of: Of) => Promise<T> {
  let number = 1;
  return async (...of) => {
    for (const last = number + maxBusinessAttempts - 1; ; number++) {
      try {
        const found = await shut(number, ...of);
        // A refusal is stored as well: what cannot be shut yet, because money is under way, needs a key of its own later.
        number++;
        return found;
      } catch (error) {
        if (refusal(error)?.type !== storedVendorError) throw error;
        // A run that met the error before there was this way on keeps to the commands of its history.
        if (!patched('shut-under-new-key')) throw error;
        if (number === last) {
          number++;
          throw error;
        }
      }
    }
  };
}
