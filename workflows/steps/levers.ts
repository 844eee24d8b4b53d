import { ApplicationFailure, condition, type defineUpdate, setHandler } from '@temporalio/workflow';
import { isResolution, resolveCheckout, type ResolveRefusal } from '../../contracts/levers.js';
import type { CheckoutState, Resolution } from '../../domain/checkout-state.js';
import type { WaitingRun } from './await-payment-event.js';

/** A person waits for the answer; Stripe may be away for hours. */
const answerWithinMs = 5_000;

/** What ops said, until the next reading has shown whether it counts. */
export interface Word extends Resolution {
  refused?: ResolveRefusal;
}

/** Lets ops have Stripe read now. */
export function letOpsRetry<State extends { status: string }>(
  run: WaitingRun & { readonly state: State },
  retry: ReturnType<typeof defineUpdate<State, []>>,
): void {
  setHandler(
    retry,
    async () => {
      const { state, waits, nextReadAt } = run;
      const readingNow = nextReadAt === undefined;
      if (readingNow && state.status !== 'needs_attention') return state;
      run.inbox.announce();
      // Until the reading asked for is over: it changed something, or the next wait has begun. One under way is older.
      const until = waits + (readingNow ? 2 : 1);
      await condition(() => run.state !== state || run.waits >= until, answerWithinMs);
      return run.state;
    },
    { description: 'Read Stripe now' },
  );
}

/** Lets ops end what cannot be proved. Who comes while another's word is being looked at shares its outcome. */
export function letOpsResolve(
  run: WaitingRun & { readonly state: CheckoutState; word: Word | undefined },
): void {
  setHandler(
    resolveCheckout,
    async ({ by, note }) => {
      const word = (run.word ??= { by, ...(note !== undefined && { note }) });
      run.inbox.announce();
      await condition(() => run.word !== word, answerWithinMs);
      if (run.word === word) {
        run.word = undefined;
        word.refused = 'stripe_unavailable';
      }
      if (word.refused) throw refusal(word.refused);
      return run.state;
    },
    {
      description: 'End it without a payment, if Stripe still proves nothing',
      validator: (request: unknown) => {
        if (!isResolution(request))
          throw ApplicationFailure.nonRetryable('not a resolution', 'invalid_request');
        if (run.state.status !== 'needs_attention') throw refusal('no_attention_needed');
      },
    },
  );
}

const refusal = (type: ResolveRefusal) =>
  ApplicationFailure.nonRetryable('the word of ops does not count', type);
