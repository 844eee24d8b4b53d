import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { paymentEventReceived } from '../../contracts/payment-event.js';
import { unmatchedPaymentWorkflowType } from '../../contracts/unmatched-payment.js';
import type { LatePaymentState } from '../../domain/late-payment.js';
import { Violation } from '../support/simulation/violation.js';
import type { WorkflowRun } from '../support/simulation/workflow-run.js';
import type { World } from './world.js';

/** I7: what other shops on our accounts took is as it was, and nobody sent anything about it. */
export function foreignUntouched({ standIns, foreign }: World): void {
  const { intents, charges } = standIns.world.state;
  for (const [id, before] of foreign) {
    const givenBack = Object.values(charges).some(
      ({ object }) => object.payment_intent === id && object.amount_refunded > 0,
    );
    const sent = standIns.plumbing.log
      .since(undefined)
      .some(
        ({ method, path, params }) => method === 'POST' && `${path} ${JSON.stringify(params)}`.includes(id),
      );
    if (givenBack || sent || JSON.stringify(intents[id]?.object) !== before)
      throw new Violation('I7', `${id} belongs to another shop, and was touched`);
  }
}

/**
 * I9: a number gets no more links within the tenant's window than it allows; the same one once more, when nobody knew whether
 * it had been sent, is no other link. A number that stands for several callers may be texted by two runs at once, each of
 * which saw the last free place; and a text that Twilio takes long over is listed when the next one has been sent already.
 */
export function linksPerNumber({ standIns, scenario, tenants, story }: World): void {
  const messages = Object.values(standIns.network.state.messages);
  for (const { phone, tenant } of scenario.purchases) {
    if (scenario.purchases.filter((other) => other.phone === phone).length > 1) continue;
    const { max, windowMs } = tenants.get(tenant)!.limits.smsPerNumber;
    const lateListed = [...story.counts].filter(([what]) => /^very_slow on POST .*Messages/.test(what));
    const most = lateListed.reduce((sum, [, times]) => sum + times, max);
    const texts = messages
      .filter(({ to, body }) => to === phone && body.includes('/c/pay/'))
      .sort((a, b) => a.created - b.created);
    const sentAt = texts
      .filter(({ body }, index) => texts.findIndex((other) => other.body === body) === index)
      .map(({ created }) => created);
    for (const [index, at] of sentAt.entries()) {
      const within = sentAt.slice(index).filter((one) => one < at + windowMs - 2_000).length;
      if (within > most) throw new Violation('I9', `${phone} got ${within} links within ${windowMs} ms`);
    }
  }
}

/**
 * I9: each text at most twice, and never more to a number than the tenant allows; one for each payment that went back. A run
 * that ops set back knows nothing of a text that is still under way, so it is one more who sends it.
 */
export function messages(world: World): void {
  const wentBack = Object.values(world.standIns.world.state.refunds).filter(({ object }) =>
    object.metadata?.['vc_refund']?.startsWith('late_'),
  ).length;
  const most = 2 * (Math.max(1, wentBack) + (world.story.counts.get('reset while reaching the caller') ?? 0));
  const texts = new Map<string, number>();
  for (const { to, body } of Object.values(world.standIns.network.state.messages)) {
    const key = `${to} ${body}`;
    texts.set(key, (texts.get(key) ?? 0) + 1);
    if (texts.get(key)! > most) throw new Violation('I9', `${to} got the same text ${texts.get(key)!} times`);
  }
}

/** A charge that the bank refused is not asked for again on the same method. */
function declines(world: World): void {
  const refused = new Map<string, string | null>();
  for (const { path, status, idempotency_key: key } of world.standIns.plumbing.log.since(undefined)) {
    if (!path.endsWith('/confirm')) continue;
    if (refused.has(path) && refused.get(path) !== key)
      throw new Violation('I9', `${path} was sent again after a decline`);
    if (status === 402) refused.set(path, key);
  }
}

/** A signal without a valid form is counted and wakes nothing: a task that took only such does nothing. */
function poison(world: World): void {
  for (const { workflowId, log } of world.server.all()) {
    for (const { jobs, commands } of log) {
      const signals = jobs.flatMap(({ signalWorkflow }) =>
        signalWorkflow?.signalName === paymentEventReceived.name ? (signalWorkflow.input?.[0] ?? []) : [],
      );
      if (signals.length < jobs.length || !signals.every(isPoison)) continue;
      if (signals.some(({ data }) => (data?.length ?? 0) > 1_000_000))
        world.story.count('oversize signal left aside');
      if (commands.length > 0) throw new Violation('I10', `a poison signal moved ${workflowId}`);
    }
  }
}

/** For so long Stripe knows a key. */
const day = 24 * 3_600_000;

/** I14, I8 and I13: a key on every effect, nothing personal in ids and memos, histories of bounded length. */
export function audit(world: World, lost: ReadonlySet<string>): void {
  declines(world);
  poison(world);
  const keys = new Map<string, { what: string; at: number }>();
  for (const call of world.standIns.plumbing.log.since(undefined)) {
    if (call.vendor !== 'stripe' || call.method !== 'POST') continue;
    const key = call.idempotency_key;
    if (key === null) {
      if (call.route === '/v1/payment_intents/:id') continue;
      throw new Violation('I14', `${call.path} was sent without an idempotency key`);
    }
    const what = `${call.path} ${JSON.stringify(call.params)}`;
    const before = keys.get(key);
    if ([...lost].some((id) => key.includes(id))) {
      // Refused, because a run that was lost had used the key: it did nothing.
      if ((call.status ?? 400) >= 400) continue;
      // Or Stripe has forgotten what that run did with it.
      if (before && call.at > before.at + day) keys.delete(key);
    }
    if ((keys.get(key)?.what ?? what) !== what)
      throw new Violation('I14', `the key ${key} was used for two things`);
    keys.set(key, { what, at: call.at });
  }
  for (const run of world.server.all()) {
    // A ledger lives as long as its customer: what bounds it is that it goes on as a new run, at 4,096 events.
    if (run.events > mostEvents(run))
      throw new Violation('I13', `${run.workflowId} has ${run.events} events`);
    const memo = Object.values(run.memo)
      .map(({ data }) => Buffer.from(data ?? []).toString())
      .join();
    if (/\+1555\d{7}/.test(memo + run.workflowId))
      throw new Violation('I8', `a phone number in the memo of ${run.workflowId}`);
  }
}

/** A ledger sees many refunds, and a run for late money as many payments as came. */
function mostEvents({ start, memo }: WorkflowRun): number {
  if (start.workflowType === 'refundLedger') return 5_000;
  if (start.workflowType !== unmatchedPaymentWorkflowType || !memo['state']) return 1_500;
  const { payments } = defaultPayloadConverter.fromPayload<LatePaymentState>(memo['state']);
  return Math.max(1_500, 400 * payments.length);
}

/** I2: what cannot be had leaves no trace at Stripe. */
export function nothingInVain(world: World, inVain: ReadonlySet<string>): void {
  const { sessions, authorizations, intents } = world.standIns.world.state;
  for (const { object } of [sessions, authorizations, intents].flatMap((all) =>
    Object.values<{ object: { id: string; metadata: Record<string, string> | null } }>(all),
  )) {
    if (inVain.has(object.metadata?.['vc_call'] ?? ''))
      throw new Violation('I2', `${object.id} was made for what is not sold`);
  }
}

/** No event of a vendor has this form: text that is no JSON, another version, ids longer than a vendor's. */
function isPoison(signal: Payload): boolean {
  try {
    const event = defaultPayloadConverter.fromPayload<Record<string, unknown> | null>(signal);
    return event?.['v'] !== 1 || [event['id'], event['objectId']].some((id) => String(id).length > 255);
  } catch {
    return true;
  }
}
