/** One bug, put into a copy of the product: each must be found by the schedules alone. */
export interface Planted {
  /** The class of defect. */
  name: string;
  edits: readonly { file: string; before: string; after: string }[];
}

const bug = (name: string, file: string, before: string, after: string): Planted => ({
  name,
  edits: [{ file, before, after }],
});

const accounts = 'activities/accounts.ts';
const collect = 'workflows/steps/collect-payment.ts';
const facts = 'providers/stripe/payment-facts.ts';

const late = 'domain/late-payment.ts';
const relay = 'api/webhooks/relay.ts';

export const planted: readonly Planted[] = [
  bug(
    'late money ignored',
    'api/webhooks/relay.ts',
    "    if (!tellsOfMoney(event)) return 'ignored';",
    "    if (tellsOfMoney(event)) return 'ignored';",
  ),
  bug(
    'money of another way to pay not reported at the end',
    'workflows/checkout.ts',
    'await reportLatePayment({ tenantId, checkoutId, event }).catch(refusal);',
    'await Promise.resolve([tenantId, checkoutId, event]).catch(refusal);',
  ),
  bug(
    'a second payment that is kept',
    late,
    'if (checkout.paidBy !== undefined || otherHonoured) return',
    "if (checkout.paidBy !== undefined || otherHonoured) return { kind: 'honour' };\n  if (checkout.lost && otherHonoured) return",
  ),
  bug(
    'two late payments honoured',
    late,
    'if (checkout.paidBy !== undefined || otherHonoured) return',
    'if (checkout.paidBy !== undefined) return',
  ),
  bug(
    'late money that is only said to go back',
    'workflows/steps/settle-late-payment.ts',
    '  const submission = await submitUntilKnown(inHand);',
    "  const submission = { kind: 'refunded', refund: 're_0' } as Awaited<ReturnType<typeof submitUntilKnown>>;",
  ),
  bug(
    'a part of late money given back',
    'workflows/steps/settle-late-payment.ts',
    'refundLatePayment({ ...ref, amount: amount - refunded, because, attempt })',
    'refundLatePayment({ ...ref, amount: amount - refunded - 1, because, attempt })',
  ),
  bug(
    'no idempotency key',
    accounts,
    '    idempotencyKey: idempotencyKey({',
    '    ...({} as object) && ({\n',
  ),
  bug(
    'a key per attempt of the activity',
    accounts,
    '      attempt,\n      object,',
    '      attempt: 10 * attempt + activityInfo().attempt,\n      object,',
  ),
  bug('a key that repeats over steps', accounts, '      step,\n', "      step: 'charge.create',\n"),
  bug(
    "the tenant's account forgotten",
    accounts,
    'return stripeAccount === undefined ? {} : { stripeAccount };',
    'return stripeAccount === undefined ? {} : {};',
  ),
  // Guarded twice: what is read back as open is not taken for shut.
  {
    name: 'a page that is not shut',
    edits: [
      {
        file: 'activities/payment-links.ts',
        before: 'await stripe.checkout.sessions.expire(ref.session, {}, options);',
        after: 'void options;',
      },
      {
        file: 'activities/payment-links.ts',
        before: '        return read(ref);\n      });\n    },\n  };',
        after: "        return { kind: 'dead' };\n      });\n    },\n  };",
      },
    ],
  },
  bug(
    'a page taken for shut without being read back',
    'activities/payment-links.ts',
    '        return read(ref);\n      });\n    },\n  };',
    "        return { kind: 'dead' };\n      });\n    },\n  };",
  ),
  bug(
    'a wallet request taken for withdrawn without being read back',
    'activities/wallet.ts',
    '          if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;\n          return factOf(',
    "          if (error instanceof Stripe.errors.StripeInvalidRequestError) return { kind: 'dead' };\n          return factOf(",
  ),
  bug(
    'an approval taken for a payment',
    facts,
    'if (intent) return paymentIntentFact(intent);',
    "if (intent) return { kind: 'paid', paymentIntent: intent.id, amount: intent.amount, currency: intent.currency };",
  ),
  bug(
    'money under way taken for paid',
    facts,
    "    case 'processing':\n      return { kind: 'processing', paymentIntent: intent.id };",
    "    case 'processing':\n      return { kind: 'paid', paymentIntent: intent.id, amount: intent.amount, currency: intent.currency };",
  ),
  bug(
    'money under way taken for nothing',
    facts,
    "    case 'processing':\n      return { kind: 'processing', paymentIntent: intent.id };",
    "    case 'processing':\n      return { kind: 'dead' };",
  ),
  bug(
    'a rail that is left without being shut',
    collect,
    "          run.learn({ type: 'closing', reason: ending });\n          fact = await shut(run, rail);\n        }\n        break;\n\n      case 'refused'",
    "          run.learn({ type: 'closing', reason: ending });\n          fact = { kind: 'dead' };\n        }\n        break;\n\n      case 'refused'",
  ),
  bug(
    'an unknown outcome guessed as no',
    'workflows/rails/link-wallet.ts',
    'isTurnedAway(cause) && (detail?.attempt ?? 1) === 1 && !(await mayRepeat())',
    '(isTurnedAway(cause) || !(await mayRepeat())) && (detail?.attempt ?? 1) >= 1',
  ),
  bug(
    'a decline retried',
    'workflows/rails/link-wallet.ts',
    '      return await confirmCharge({ ...request, attempt });',
    "      const fact = await confirmCharge({ ...request, attempt });\n      if (fact.kind !== 'refused' || attempt === 3) return fact;",
  ),
  bug(
    'another amount than the one agreed to',
    'activities/charges.ts',
    '            amount: request.amount,',
    '            amount: request.amount + 1,',
  ),
  bug(
    'no looks at what is under way',
    'workflows/steps/await-payment-event.ts',
    '?? 21_600_000;',
    '?? 864_000_000;',
  ),
  bug(
    'a bank debit looked at every ten seconds',
    collect,
    "(kind === 'processing' && status === 'processing')",
    'false',
  ),
  bug(
    'a stale answer to a repeated start',
    'api/checkouts/operations.ts',
    'if (!first) return await repeat(tenant, quote);',
    'if (!first) return { repeated: true, memo: { ...startOptions.memo, state: answer.state } };',
  ),
  {
    name: 'the real clock used in a workflow',
    edits: [
      {
        file: 'workflows/steps/await-payment-event.ts',
        before: "import { condition } from '@temporalio/workflow';",
        after: "import { condition, workflowInfo } from '@temporalio/workflow';",
      },
      {
        file: 'workflows/steps/await-payment-event.ts',
        before: 'const timeout = Math.max(0,',
        after: 'const timeout = (workflowInfo().unsafe.now() % 7) + Math.max(0,',
      },
    ],
  },
  bug(
    'a workflow that does other things in replay',
    'workflows/steps/await-payment-event.ts',
    "import { condition } from '@temporalio/workflow';",
    "import { condition as real, workflowInfo } from '@temporalio/workflow';\n\nconst condition: typeof real = ((fn: () => boolean, ms: number, options: object) =>\n  real(fn, workflowInfo().unsafe.isReplaying ? ms + 1 : ms, options)) as typeof real;",
  ),
  {
    name: 'a refund sent again without looking',
    edits: [
      {
        file: 'workflows/steps/refund-in-hand.ts',
        before: '    const found = await lookUp(refund);',
        after: '    const found = attempt > 5 ? await lookUp(refund) : undefined;',
      },
      {
        file: 'activities/refunds.ts',
        before: 'if (request.v === 1 || look || refund !== undefined || attempt !== 1) return false;',
        after: 'if (request.v === 1 || look || refund !== undefined) return false;',
      },
    ],
  },
  bug(
    'a refund of the whole payment',
    'activities/refunds.ts',
    'const params = { amount, reason:',
    'const params = { reason:',
  ),
  {
    name: 'each refund judged alone',
    edits: [
      {
        file: 'domain/refund-policy.ts',
        before: 'const ofPayment = facts.captured - left + request.amount;',
        after: 'const ofPayment = request.amount;',
      },
      {
        file: 'domain/refund-policy.ts',
        before: 'facts.customerInDay + request.amount > threshold',
        after: 'request.amount > threshold',
      },
    ],
  },
  bug(
    'who asks may approve',
    'domain/four-eyes.ts',
    '): boolean {\n',
    '): boolean {\n  if (requester.credential === decider.credential) return true;\n',
  ),
  bug(
    'anybody may approve',
    'activities/approvals.ts',
    "if (kind === 'person' && !approvers.some((approver) => approver.id === id)) return { valid: false };",
    'void kind, id, approvers;',
  ),
  bug(
    'a text sent again and again',
    'activities/messages.ts',
    '  if (sent) return sent.sid;\n  const { sends = 0 } = (remembered() ?? {}) as { sends?: number };\n  if (sends >= 2) {',
    '  const { sends = 0 } = (remembered() ?? {}) as { sends?: number };\n  if (sent && sends > 9) return sent.sid;\n  if (sends > 9) {',
  ),
  {
    name: 'the own payment of a checkout taken for late money',
    edits: [
      {
        file: late,
        before:
          "  if (checkout.run === 'ended' && checkout.paidBy === paymentIntent) return { kind: 'nothing' };\n",
        after: '',
      },
      {
        file: 'activities/late-payments.ts',
        before: "checkout.run === 'ended' && checkout.paidBy !== paymentIntent;",
        after: "checkout.run === 'ended';",
      },
    ],
  },
  bug(
    'a lost run that is not restored',
    late,
    "  if (checkout.run !== 'ended') return { kind: 'restore' };",
    "  if (checkout.run !== 'ended') return { kind: 'nothing' };",
  ),
  bug(
    'each refund judged by the book as it was at the start',
    'workflows/refund-ledger.ts',
    '...sumsOf(entries, {',
    '...sumsOf(input.entries, {',
  ),
  bug(
    'the id of the run in the key',
    accounts,
    'const { workflowId } = activityInfo()',
    'const { runId: workflowId } = activityInfo()',
  ),
  // Guarded three times: where it is asked, where it is taken, and where the money leaves.
  {
    name: 'an approval of another request',
    edits: [
      {
        file: 'api/refunds/decide.ts',
        before: 'requestHash(before.refund) !== decision.requestHash',
        after: "requestHash(before.refund) === ''",
      },
      {
        file: 'workflows/steps/refund-run.ts',
        before: 'check.requestHash !== request.requestHash',
        after: 'check.requestHash === undefined',
      },
      {
        file: 'activities/refunds.ts',
        before: 'decision.requestHash === requestHash',
        after: 'requestHash !== undefined',
      },
    ],
  },
  bug(
    'a poison signal believed',
    'workflows/steps/event-inbox.ts',
    'if (!isPaymentEvent(event)) {',
    'if (event === undefined) {',
  ),
  bug(
    'a cancel by ops that ends the run',
    'workflows/checkout.ts',
    'CancellationScope.nonCancellable(',
    'CancellationScope.cancellable(',
  ),
  bug(
    'a stopped refund left as it is',
    'domain/reconcile.ts',
    "  return { kind: 'refund_stopped', repair: 'restore_refund' };",
    '  return undefined;',
  ),
  bug(
    'acknowledged before Temporal has it',
    relay,
    '      if (isNotFound(error)) return false;\n      throw temporalUnavailable();',
    '      return !isNotFound(error);',
  ),
  {
    name: 'a repeated event brought on each time',
    edits: [
      {
        file: relay,
        before: 'requestId: event.id,',
        after: 'requestId: `${event.id} ${Math.random()}`,',
      },
      { file: relay, before: "if (this.#delivered.get(known)) return 'duplicate';", after: '' },
    ],
  },
  bug(
    'the same wish in another call sold again',
    'api/quotes/operations.ts',
    'purchaseHash(identityKey, who, item)',
    'purchaseHash(identityKey, who, item + call.id)',
  ),
  bug(
    'attempts of the fortnight before forgotten',
    'api/quotes/operations.ts',
    '[...firstAttemptsBefore(present), present]',
    '[present]',
  ),
  bug(
    'the refund of late money not watched',
    'workflows/steps/settle-late-payment.ts',
    "reading.kind === 'refunded' && Date.now() < until",
    "reading.kind === 'refunded' && Date.now() > until",
  ),
  {
    name: 'a run told of the same with every look',
    edits: [
      {
        file: 'activities/reconcile-repairs.ts',
        before: 'if (await wasTold(workflowId, event)) return true;',
        after: '',
      },
      {
        file: 'domain/reconcile.ts',
        before: "if (!own && told && run.status === 'processing') return true;",
        after: '',
      },
    ],
  },
  bug(
    "the tenant's own system not told how a checkout ended",
    'workflows/steps/announce.ts',
    'if (input.announce) await announce(',
    "if (input.announce && state.status === 'paid') await announce(",
  ),
  bug(
    'a person called for where all is settled',
    'workflows/steps/settle-late-payment.ts',
    "if (reading.kind === 'refunded') note(run, examined, { status: 'refunded', refund });",
    "if (reading.kind === 'refunded') note(run, examined, { status: 'needs_attention', refund });",
  ),
  bug(
    'a second payment that nobody looks after',
    late,
    'if (checkout.paidBy !== undefined || otherHonoured) return',
    "if (checkout.paidBy !== undefined) return { kind: 'nothing' };\n  if (otherHonoured) return",
  ),
  bug(
    'a wallet request forgotten that nobody heard of',
    'activities/lost-runs.ts',
    '...(unanswered && { walletAskedAt: askedAt }),',
    '',
  ),
  bug(
    'sold again after a loss that was made good',
    'activities/lost-runs.ts',
    "if ((await readCheckoutRun(ref)).run !== 'gone') return { restored: false };",
    "if (later !== '') return { restored: false };",
  ),
  bug(
    "another shop's mark believed",
    'providers/stripe/ownership.ts',
    '!timingSafeEqual(expected, given)',
    '!timingSafeEqual(expected, expected)',
  ),
  bug(
    'no limit to the texts for a number',
    'activities/messages.ts',
    'lately.length >= max',
    'lately.length >= 100 * max',
  ),
  bug(
    "a customer's other refunds forgotten",
    'domain/refund-policy.ts',
    'facts.customerInDay + request.amount > threshold',
    'request.amount > threshold',
  ),
];
