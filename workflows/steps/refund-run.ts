import {
  ApplicationFailure,
  CancellationScope,
  patched,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  TemporalFailure,
  upsertMemo,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import {
  decideRefund,
  explainRefund as explainQuery,
  refundDecided,
  type RefundInput,
  type RefundMemo,
  refundStatus,
} from '../../contracts/refund.js';
import { firstRefundState } from '../../contracts/refund-start.js';
import { refundStateAttribute } from '../../contracts/search-attributes.js';
import { retryRefundNow } from '../../contracts/levers.js';
import { paymentEventReceived } from '../../contracts/payment-event.js';
import { areTwoPeople } from '../../domain/four-eyes.js';
import { type Asked, explainRefund } from '../../domain/explain-refund.js';
import { applyRefundFact, type RefundFact, type RefundState } from '../../domain/refund-state.js';
import type { RefundSubmission } from '../../activities/refunds.js';
import { announceRefund } from './announce.js';
import { findRefund, submitRefund, verifyDecision, wasReset } from './effects.js';
import { EventInbox } from './event-inbox.js';
import { letOpsRetry } from './levers.js';
import type { RefundInHand } from './refund-in-hand.js';

/** Invalid decisions shown by `explain`; after as many, signals are not checked any more: each costs an activity. */
const maxRefusedDecisions = 50;

const compactToken = /^[\w-]{1,2000}\.[\w-]{1,4000}\.[\w-]{1,200}$/;

/** A running refund: its state and the decisions people sent. Registers every handler when made. */
export class RefundRun implements RefundInHand {
  readonly input: RefundInput;
  readonly inbox = new EventInbox(() => this.#showDetails());
  waits = 0;
  state: RefundState;
  /** Nobody decided in time, though it may not be told yet. */
  timeIsUp = false;
  /** The signed approval, once a person has given it: checked again where the money leaves. */
  approval: string | undefined;
  /** Settles when what was announced so far will be told. */
  announced: Promise<unknown> = Promise.resolve();
  readonly #refusedDecisions: string[] = [];
  readonly #asked = new Map<string, Asked>();
  #nextReadAt: number | undefined;

  constructor(input: RefundInput) {
    this.input = input;
    this.state = firstRefundState(input);
    this.approval = input.recover?.signedDecision;
    setHandler(paymentEventReceived, (received) => {
      if (this.inbox.receive(received)) this.inbox.announce();
    });
    setDefaultSignalHandler(() => {
      this.inbox.countInvalid();
    });
    setHandler(refundStatus, () => this.state, { description: 'The state of the refund' });
    setHandler(explainQuery, () => this.#explain(), {
      description: 'What this run waits for, in plain English',
    });
    // Both ways lead through `#decide`: a signal differs only in that nobody waits for the answer.
    setHandler(
      refundDecided,
      async (message: { signedDecision?: unknown } | undefined) => {
        // Anyone with access to Temporal may signal; the API's own way, the update, stays open however many do.
        if (this.#refusedDecisions.length >= maxRefusedDecisions) return this.inbox.countInvalid();
        await this.#decide(message?.signedDecision).catch((error: unknown) => {
          // Nobody waits for the answer, and whoever signaled may do so again: a check that failed fails nothing else.
          if (!(error instanceof TemporalFailure)) throw error;
        });
      },
      { description: 'A decision, signed by the API; an unsigned one changes nothing' },
    );
    setHandler(decideRefund, ({ signedDecision }) => this.#decide(signedDecision), {
      description: 'As the signal refundDecided, with an answer',
      validator: (message: { signedDecision?: unknown } | undefined) => {
        this.#requireUndecided();
        if (typeof message?.signedDecision !== 'string')
          throw refused('decision_invalid', 'not a signed decision');
      },
    });
    letOpsRetry(this, retryRefundNow);
    this.#showDetails();
  }

  get ref(): RefundInHand['ref'] {
    const { tenantId, checkoutId, refundId, paymentIntent } = this.input.request;
    return { tenantId, checkoutId, refundId, paymentIntent };
  }

  get firstAttempt(): number {
    return this.input.recover?.attempt ?? 1;
  }

  submit(attempt: number): Promise<RefundSubmission> {
    const { request, grant, recover } = this.input;
    const { refund } = this.state;
    return submitRefund({
      request,
      grant,
      signedDecision: this.approval,
      attempt,
      ...(recover && { look: true }),
      ...(refund !== undefined && { refund }),
    });
  }

  /**
   * Whether the refund may have been made though this run knows of no approval: it was reset to before it, or goes on for one
   * that was stopped. Then Stripe is asked before anybody is told that nothing came of it.
   */
  async mayBeMade(): Promise<boolean> {
    if (!patched('looked-for-before-a-no')) return false;
    return this.input.recover !== undefined || (await wasReset());
  }

  uncertain(failureReason: string): void {
    this.learn({ type: 'attention_needed', failureReason });
  }

  /** When Stripe is looked at next without being woken, epoch ms; shown by `explain`. */
  get nextReadAt(): number | undefined {
    return this.#nextReadAt;
  }

  set nextReadAt(at: number | undefined) {
    this.#nextReadAt = at;
    this.#showDetails();
  }

  /** Tells the tenant's own system of the state it is in now; the run goes on meanwhile. */
  announce(): void {
    this.announced = Promise.all([this.announced, announceRefund(this.input.request, this.state)]);
  }

  /** Notes how far a message to an approver has come; one that arrived counts, whatever becomes of a reminder. */
  noteAsked(approver: string, how: Asked): void {
    const before = this.#asked.get(approver);
    if (before !== 'email' && before !== 'sms') this.#asked.set(approver, how);
    this.#showDetails();
  }

  /** Takes a fact in; what changed becomes visible outside. True when something did. */
  learn(fact: RefundFact): boolean {
    const before = this.state;
    this.state = applyRefundFact(before, fact, Date.now());
    if (this.state === before) return false;
    upsertMemo({ state: this.state } satisfies Pick<RefundMemo, 'state'>);
    if (this.state.status !== before.status) {
      upsertSearchAttributes([{ key: refundStateAttribute, value: this.state.status }]);
      this.announce();
    }
    this.#showDetails();
    return true;
  }

  /**
   * The first decision that was found valid wins; everything later is told who was first. A cancel from the Temporal UI
   * does not keep anyone from deciding.
   */
  #decide(signedDecision: unknown): Promise<RefundState> {
    return CancellationScope.nonCancellable(() => this.#check(signedDecision));
  }

  async #check(signedDecision: unknown): Promise<RefundState> {
    this.#requireUndecided();
    const { request } = this.input;
    if (typeof signedDecision !== 'string' || !compactToken.test(signedDecision)) {
      throw this.#refuse('decision_invalid', 'not signed');
    }
    const { tenantId, refundId } = request;
    const check = await verifyDecision({ tenantId, refundId, signedDecision });
    if (!check.valid) throw this.#refuse('decision_invalid', 'the signature, its age or the right to decide');
    if (check.requestHash !== request.requestHash)
      throw this.#refuse('request_changed', 'made for another request');
    const requester = { credential: request.requestedBy, subject: request.requestedBySubject };
    const decider = { credential: check.decidedBy, subject: check.decidedBySubject };
    if (!areTwoPeople(requester, decider)) throw this.#refuse('self_approval', 'by who asked for it');
    if (check.decision === 'denied' && (await this.mayBeMade())) {
      const made = await findRefund(this.ref);
      if (made.kind !== 'absent') this.learn({ type: 'submitted', refund: made.refund });
    }
    // Others may have been checked meanwhile; from here to the end nothing can come in between.
    this.#requireUndecided();
    const { decision, decidedBy, decidedAt, note } = check;
    if (decision === 'approved') this.approval = signedDecision;
    this.learn({ type: decision, decision, decidedBy, decidedAt, ...(note !== undefined && { note }) });
    return this.state;
  }

  #requireUndecided(): void {
    const { status, approval } = this.state;
    const waits = status === 'awaiting_approval';
    if (waits && !this.timeIsUp) return;
    if (waits || status === 'approval_expired') throw refused('approval_expired', 'nobody decided in time');
    const { decision, decidedBy, decidedAt } = approval ?? {};
    throw refused('already_decided', 'decided before', { decision, decidedBy, decidedAt });
  }

  #refuse(type: string, what: string): ApplicationFailure {
    if (this.#refusedDecisions.length < maxRefusedDecisions) this.#refusedDecisions.push(what);
    this.#showDetails();
    return refused(type, what);
  }

  /** What ops see in the Temporal UI is what `explain` says. Writes nothing to the history. */
  #showDetails(): void {
    setCurrentDetails(this.#explain());
  }

  #explain(): string {
    const { amount, currency, description, requestedBy } = this.input.request;
    return explainRefund(this.state, {
      money: { amount, currency },
      description,
      requestedBy,
      asked: this.#asked,
      refusedDecisions: this.#refusedDecisions,
      signals: this.inbox.counts,
      nextReadAt: this.#nextReadAt,
    });
  }
}

const refused = (type: string, message: string, ...details: unknown[]) =>
  ApplicationFailure.create({ type, message, nonRetryable: true, details });
