/** One row of the catalogue of races (52 of them), and which happenings of a schedule reach it. */
export interface Row {
  row: number;
  event: string;
  /** Any of these happened. */
  reachedBy: readonly string[];
}

const row = (number: number, event: string, ...reachedBy: string[]): Row => ({
  row: number,
  event,
  reachedBy,
});

const authorizations = '/v1/link/agent_authorizations';
const texts = 'POST /2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json';

export const catalogue: readonly Row[] = [
  row(1, 'the start is repeated', 'start repeated'),
  row(2, 'the start is repeated when the quote is long over', 'start refused: quote_expired'),
  row(3, 'two calls buy the same thing', 'joined an open checkout'),
  row(4, 'approved just before the cancel', `400 to POST ${authorizations}/:id/cancel`),
  row(
    5,
    'the cancel of the wallet request is lost',
    `lost_after on POST ${authorizations}/:id/cancel`,
    `lost_before on POST ${authorizations}/:id/cancel`,
  ),
  row(
    6,
    'wallet declined, absent, or over its limit',
    'wallet declined',
    'ended linkWallet: over_limit',
    'ended linkWallet: unreachable',
  ),
  row(7, 'an approval without a payment', 'wallet shared_payment_token', 'wallet nothing'),
  row(8, 'the page is paid when the deadline is over', '400 to POST /v1/checkout/sessions/:id/expire'),
  row(
    9,
    'paid although the caller cancels',
    'cancel refused: already_paid',
    'cancel refused: payment_in_flight',
  ),
  row(10, 'money for a run that is gone', 'run unmatchedPayment'),
  row(11, 'a webhook before the id is known', 'signal during opening'),
  row(12, 'a webhook is lost for good', 'webhook lose'),
  row(13, 'webhooks late and out of order', 'webhook delay', 'webhook reorder'),
  row(14, 'webhooks twice', 'webhook duplicate', 'signalsDeduplicated'),
  row(15, 'a storm of one webhook', 'forged webhook storm'),
  row(16, 'Temporal is away when a webhook comes', 'webhook answered 503'),
  row(17, 'the API dies between the signal and its 2xx', 'acknowledgement lost', 'webhook answered 0'),
  row(18, 'Stripe does it, and the answer is lost', 'lost_after', 'slow', 'stored_500'),
  row(19, 'a worker dies between the effect and the report', 'result lost with its worker'),
  row(20, 'no answer for longer than a key lives', 'timeout SCHEDULE_TO_CLOSE', 'reset a day later'),
  row(21, 'two workers run one activity', 'late answer of an attempt'),
  row(22, 'reset, terminate, cancel by ops', 'ops reset', 'ops cancel', 'ops terminate'),
  row(23, 'Temporal lost its history', 'ops lose_history'),
  row(24, 'new code with open runs', 'deploy with open runs'),
  row(25, 'poison signals', 'ops junk_signal'),
  row(
    26,
    'too large a signal, too large a request',
    'oversize signal left aside',
    'oversize refused: invalid_request',
  ),
  row(27, "the bank wants the caller's screen", 'ended linkWallet: needs_authentication'),
  row(28, 'declines on the page', 'page declined', 'page lost_card', 'page insufficient_funds'),
  row(29, 'a bank debit for days', 'told processing'),
  row(
    30,
    'another amount than the one agreed to',
    'quote refused: purchase_open',
    'start refused: purchase_open',
  ),
  row(31, 'an invoice, paid already or not: refused, not sold yet', 'invoice refused: invalid_request'),
  row(32, 'a refund asked for twice', 'refund repeated'),
  row(33, 'two refunds exceed the payment', 'refund refused: exceeds_refundable'),
  row(34, 'a refund while disputed', 'dispute'),
  row(35, 'a refund that fails later', 'refund failed later'),
  row(
    36,
    'decided twice, or late',
    'key:boss refused: already_decided',
    'person:dana refused: already_decided',
    'person:omar refused: approval_expired',
    'person:dana refused: approval_expired',
  ),
  row(
    37,
    'decided by who asked, or has no right',
    'key:agent refused: self_approval',
    'key:boss refused: self_approval',
    'person:nobody refused: unavailable',
  ),
  row(
    38,
    'another request than the one approved',
    'person:dana refused: request_changed',
    'key:boss refused: request_changed',
    'person:omar refused: request_changed',
  ),
  row(39, 'a decision typed into Temporal', 'ops forged_decision'),
  row(
    40,
    'nobody knows whether the text was sent',
    `lost_after on ${texts}`,
    `stored_500 on ${texts}`,
    `slow on ${texts}`,
  ),
  row(41, 'a text that cannot be delivered', 'ended paymentLink: undeliverable'),
  row(42, 'reports about a text come twice', 'Twilio acknowledgement lost'),
  row(43, 'the caller hangs up', 'hung up before consent', 'wallet ignored'),
  row(44, 'the link reaches somebody else, who pays', 'page paid by somebody else'),
  row(45, 'a clock that is wrong', 'forged webhook old'),
  row(46, 'an event of another account', 'forged webhook other_account'),
  row(47, 'a live event at a test deployment', 'forged webhook livemode'),
  row(48, 'an amount that cannot be', 'quote refused: amount_invalid'),
  row(49, 'Stripe is busy', 'busy_429', 'conflict_409'),
  row(50, 'a key that is refused for a while', 'refused_401'),
  row(
    51,
    'a subscription changes twice: refused, not sold yet',
    'subscription_change refused: invalid_request',
  ),
  row(
    52,
    'a ledger continues as new between requests and signals',
    'refundLedger asked while it went on',
    'refundLedger request after it went on',
    'refundLedger signal after it went on',
  ),
];

/** How often each row was reached. */
export function rowsReached(counts: ReadonlyMap<string, number>): Map<number, number> {
  return new Map(
    catalogue.map(({ row: number, reachedBy }) => [
      number,
      reachedBy.reduce((sum, what) => sum + (counts.get(what) ?? 0), 0),
    ]),
  );
}

/** The table for people. */
export function coverageTable(counts: ReadonlyMap<string, number>): string {
  const reached = rowsReached(counts);
  return [...catalogue]
    .sort((a, b) => a.row - b.row)
    .map(
      ({ row: number, event }) =>
        `${String(number).padStart(4)}  ${String(reached.get(number)).padStart(9)}  ${event}`,
    )
    .join('\n');
}
