import {
  ApplicationFailure,
  CancellationScope,
  condition,
  patched,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import {
  cancelCheckout,
  type CheckoutInput,
  type CheckoutMemo,
  checkoutStarted,
  explain,
  status,
  switchRail,
} from '../../contracts/checkout.js';
import { retryNow } from '../../contracts/levers.js';
import { type PaymentEvent, paymentEventReceived, tellsOfMoney } from '../../contracts/payment-event.js';
import { checkoutStateAttribute, railAttribute } from '../../contracts/search-attributes.js';
import {
  allowedActions,
  applyFacts,
  type CheckoutFact,
  type CheckoutState,
  type CheckoutStatus,
  isTerminal,
  type Reason,
  startingState,
} from '../../domain/checkout-state.js';
import { explainCheckout } from '../../domain/explain.js';
import type { Rail, RailStep } from '../../domain/rails.js';
import { EventInbox } from './event-inbox.js';
import { letOpsResolve, letOpsRetry, type Word } from './levers.js';

/** A running checkout: its state, what it was asked to do, and what the relay told it. Registers every handler when made. */
export class CheckoutRun {
  readonly input: CheckoutInput;
  state: CheckoutState;
  /** Set when the agent, or ops, wants the open rail to end. */
  stop: Extract<Reason, 'canceled' | 'switched'> | undefined;
  /** The wallet request a webhook named last: a reason to read it, not a proof. */
  reportedAuthorization: string | undefined;
  /** Set while ops say that nothing was paid. */
  word: Word | undefined;
  /** What could not be done because Stripe knows its key: a run of which nothing is left opened something under it. */
  keyTaken: RailStep | 'charge' | undefined;
  /** Business attempts that such runs may have made: keys begin after them. */
  attemptsBefore = 0;
  /** Stripe's ids of what was found of such runs. */
  readonly foundBefore = new Set<string>();
  readonly inbox = new EventInbox(() => this.#showDetails());
  waits = 0;
  readonly #plan: RailStep[];
  /** The rail that somebody asked for last, which opens once the one before it is shut. */
  #switchedTo: Rail | undefined;
  #nextReadAt: number | undefined;
  readonly #undelivered = new Set<string>();
  readonly #reportedPayments = new Map<string, PaymentEvent>();

  constructor(input: CheckoutInput) {
    this.input = input;
    this.#plan = input.plan.map((step) => ({ ...step }));
    this.state = startingState(
      input.plan.map(({ rail }) => rail),
      Date.now(),
      input.recover?.version,
    );
    for (const paymentIntent of input.recover?.reported ?? []) this.noteOtherPayment(paymentIntent);
    this.reportedAuthorization = input.recover?.namedAuthorization;
    this.#registerHandlers();
    this.#showDetails();
  }

  /** When a rail is opened at the latest, if all goes as planned: epoch ms. A reset by ops does not move it. */
  latestOpening(rail: Rail): number {
    const others = this.input.plan.filter((step) => step.rail !== rail);
    return others.reduce((at, { deadlineMs }) => at + deadlineMs, workflowInfo().startTime.getTime());
  }

  /** What objects that money comes by are marked with. */
  get owner() {
    const { tenantId, checkoutId, customerKey, quoteId, callId } = this.input;
    return { tenantId, checkoutId, origin: { customerKey, quoteId, callId } };
  }

  /** When Stripe is looked at next without being woken, epoch ms; shown by `explain`. */
  get nextReadAt(): number | undefined {
    return this.#nextReadAt;
  }

  set nextReadAt(at: number | undefined) {
    this.#nextReadAt = at;
    this.#showDetails();
  }

  /** Takes facts in; what changed becomes visible outside, at once. */
  learn(...facts: CheckoutFact[]): void {
    const before = this.state;
    this.state = applyFacts(before, facts, Date.now());
    if (this.state === before) return;
    upsertMemo({ state: this.state } satisfies Pick<CheckoutMemo, 'state'>);
    if (this.state.status !== before.status || this.state.rail !== before.rail) {
      upsertSearchAttributes([
        { key: checkoutStateAttribute, value: this.state.status },
        ...(this.state.rail ? [{ key: railAttribute, value: this.state.rail }] : []),
      ]);
    }
    this.#showDetails();
  }

  /** The next rail to try, or undefined when none is left or the caller wants no more. */
  nextRail(): RailStep | undefined {
    if (this.stop === 'canceled') return undefined;
    this.stop = undefined;
    return this.#plan.shift();
  }

  /** The rail is tried once more. */
  putBack(step: RailStep): void {
    this.#plan.unshift(step);
  }

  /** No rail after this one: the call it was meant for is long over. */
  dropPlan(): void {
    this.#plan.length = 0;
  }

  /** Whether somebody claimed that this message did not arrive: a reason to read it, not a proof. */
  reportedUndelivered(message: string): boolean {
    return this.#undelivered.has(message);
  }

  /** A payment that this run, or the one before it, came upon and need not be paid by. */
  noteOtherPayment(paymentIntent: string): void {
    const event = {
      v: 1,
      id: `found:${paymentIntent}`,
      kind: 'payment.succeeded',
      objectId: paymentIntent,
    } as const;
    this.#reportedPayments.set(paymentIntent, event);
  }

  /** Payments that were reported while this run was open and are not what it was paid with: somebody must look into them. */
  get otherPayments(): PaymentEvent[] {
    const { status, instrument } = this.state;
    const { paymentIntent, session, authorization } = (status === 'paid' && instrument) || {};
    const own = [paymentIntent, session, authorization];
    return [...this.#reportedPayments.values()].filter(({ objectId }) => !own.includes(objectId));
  }

  #registerHandlers(): void {
    setHandler(paymentEventReceived, (event) => this.#receive(event), {
      description: 'A webhook about this checkout',
    });
    setDefaultSignalHandler(() => {
      this.inbox.countInvalid();
    });
    setHandler(status, () => this.state, { description: 'The state of the checkout' });
    setHandler(explain, () => this.#explain(), { description: 'What this run waits for, in plain English' });
    setHandler(
      checkoutStarted,
      async ({ requestId }) => {
        await condition(() => this.state.status !== 'starting');
        const { amount, currency, requestId: startedBy } = this.input;
        return { startedBy, requestId, amount, currency, state: this.state };
      },
      {
        validator: (request: { requestId?: unknown } | undefined) => {
          if (typeof request?.requestId === 'string') return;
          throw ApplicationFailure.nonRetryable('a request id is needed', 'invalid_request');
        },
      },
    );
    setHandler(
      cancelCheckout,
      async () => {
        this.#requestCancel();
        await condition(() => this.state.status === 'closing' || isTerminal(this.state.status));
        return this.state;
      },
      {
        description: 'Stop the checkout unless money is already moving',
        validator: (_request) => this.#requireAllowed('cancel', 'payment_in_flight'),
      },
    );
    setHandler(
      switchRail,
      async ({ rail, contact }) => {
        const step = this.#plan.find((left) => left.rail === rail);
        if (step) {
          this.#plan.splice(this.#plan.indexOf(step), 1);
          if (contact) {
            Object.assign(this.input.contact, contact);
            if (step.skip === 'unreachable') delete step.skip;
          }
          this.#plan.unshift(step);
        }
        this.stop = 'switched';
        this.#switchedTo = rail;
        const { rail: from } = this.state;
        const underWay: readonly CheckoutStatus[] = ['awaiting_wallet', 'awaiting_link', 'closing'];
        await condition(() => this.state.rail !== from || !underWay.includes(this.state.status));
        return this.state;
      },
      {
        description: 'End the open rail and go on with another',
        // Typed by hand into the Temporal UI, the argument may be anything.
        validator: (
          request: { rail?: unknown; contact?: { phone?: unknown; email?: unknown } } | undefined,
        ) => {
          const { rail, status } = this.state;
          const isNext =
            status === 'closing' && this.stop !== 'canceled' && request?.rail === this.#switchedTo;
          if ((isNext || request?.rail === rail) && this.#reaches(request?.contact))
            throw ApplicationFailure.nonRetryable('this rail is open', 'rail_open');
          this.#requireAllowed(`rail:${String(request?.rail)}`, 'rail_unavailable');
          const skip = this.#plan.find(({ rail }) => rail === request?.rail)?.skip;
          // A link goes by SMS, the wallet is asked by either.
          const { phone, email } = request?.contact ?? {};
          const reachable = phone !== undefined || (request?.rail === 'linkWallet' && email !== undefined);
          if (skip === undefined || (skip === 'unreachable' && reachable)) return;
          throw ApplicationFailure.nonRetryable(`this rail cannot be used: ${skip}`, 'rail_unavailable');
        },
      },
    );
    letOpsRetry(this, retryNow);
    letOpsResolve(this);
    // A cancel from the Temporal UI means what cancelCheckout means; the instrument is shut before the run ends.
    void CancellationScope.current().cancelRequested.catch(() => this.#requestCancel());
  }

  #requestCancel(): void {
    this.stop = 'canceled';
  }

  /** Whether the caller is reached by just this. */
  #reaches({ phone, email }: { phone?: unknown; email?: unknown } = {}): boolean {
    const { contact } = this.input;
    return (
      (phone === undefined || phone === contact.phone) && (email === undefined || email === contact.email)
    );
  }

  #requireAllowed(action: string, type: string): void {
    const canceling = this.stop === 'canceled';
    if (canceling ? action === 'cancel' : allowedActions(this.state).includes(action)) return;
    throw ApplicationFailure.nonRetryable(`not possible in state ${this.state.status}`, type);
  }

  #receive(received: unknown): void {
    const event = this.inbox.receive(received);
    if (!event) return;
    if (event.kind === 'payment.succeeded' || this.#comesAfterTheEnd(event))
      this.#reportedPayments.set(event.objectId, event);
    if (event.kind === 'message.undelivered') this.#undelivered.add(event.objectId);
    if (event.kind.startsWith('authorization.')) this.reportedAuthorization = event.objectId;
    if (this.#concernsOpenRail(event)) this.inbox.announce();
  }

  /** News of money while the end is being announced: nothing here reads Stripe any more. */
  #comesAfterTheEnd(event: PaymentEvent): boolean {
    return isTerminal(this.state.status) && tellsOfMoney(event) && patched('news-after-the-end');
  }

  /** Events of a rail that was proved shut before the next one opened change nothing any more. */
  #concernsOpenRail({ kind }: PaymentEvent): boolean {
    if (this.state.rail === 'paymentLink' && kind.startsWith('authorization.'))
      // The wallet may be asked after the link, and while its answer is not known it is not the open rail.
      return this.state.status === 'needs_attention' && patched('wallet-after-the-link');
    if (this.state.rail === 'linkWallet' && this.state.status !== 'closing')
      return !kind.startsWith('message.');
    return true;
  }

  /** What ops see in the Temporal UI is what `explain` says. Writes nothing to the history. */
  #showDetails(): void {
    setCurrentDetails(this.#explain());
  }

  #explain(): string {
    const { amount, currency, description } = this.input;
    return explainCheckout(this.state, {
      money: { amount, currency },
      description,
      signals: this.inbox.counts,
      nextReadAt: this.#nextReadAt,
      otherPayments: this.otherPayments.map(({ objectId }) => objectId),
    });
  }
}
