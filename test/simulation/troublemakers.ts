import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import Stripe from 'stripe';
import { attemptPayment } from '../../local/simulators/stripe/charges.js';
import { paySession } from '../../local/simulators/stripe/checkout-sessions.js';
import { eventEnvelope } from '../../local/simulators/stripe/events.js';
import { newIntent } from '../../local/simulators/stripe/payment-intents.js';
import { failRefund } from '../../local/simulators/stripe/refunds.js';
import { checkoutWorkflowId } from '../../contracts/checkout.js';
import { refundLedgerWorkflowId, refundWorkflowId } from '../../contracts/refund.js';
import {
  unmatchedPaymentStart,
  unmatchedPaymentWorkflowId,
  unmatchedPaymentWorkflowType,
} from '../../contracts/unmatched-payment.js';
import type { RefundState } from '../../domain/refund-state.js';
import { publicUrl, webhookSecret } from '../support/simulation/product.js';
import { ServiceRefusal } from '../support/simulation/temporal-server.js';
import type { Agents } from './agents.js';
import type { Oracle } from './oracle.js';
import type { Action } from './scenario.js';
import { beginning, type World } from './world.js';

type Of<Kind extends Action['kind']> = Extract<Action, { kind: Kind }>;

const signer = new Stripe('sk_test_forger', { telemetry: false });
const json = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const unreadable: Payload = {
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from('{nonsense'),
};

/** Those who act beside the product: people with Stripe's dashboard or Temporal's UI, forgers, the platform itself. */
export class Troublemakers {
  readonly #world: World;
  readonly #agents: Agents;
  readonly #oracle: Oracle;

  constructor(world: World, agents: Agents, oracle: Oracle) {
    this.#world = world;
    this.#agents = agents;
    this.#oracle = oracle;
  }

  /** Somebody with the dashboard of the tenant's Stripe account. */
  async byHand({ purchase, what }: Of<'byHand'>): Promise<void> {
    const { standIns, story, tenants, scenario } = this.#world;
    const { world } = standIns;
    const account = tenants.get(scenario.purchases[purchase]!.tenant)?.stripeAccount ?? null;
    const ids = this.#agents.checkouts[purchase]!;
    const charge = Object.values(world.state.charges).find(
      ({ object }) =>
        object.paid &&
        ids.has(object.metadata['vc_checkout'] ?? '') &&
        !this.#isForeign(object.payment_intent),
    )?.object;
    switch (what) {
      case 'refund': {
        if (!charge) return;
        const headers = {
          authorization: 'Bearer sk_test_dashboard',
          'idempotency-key': `dashboard ${story.counts.get('dashboard refund') ?? 0}`,
          ...(account !== null && { 'stripe-account': account }),
        };
        const body = new URLSearchParams({ charge: charge.id, amount: '700' }).toString();
        story.tell('dashboard', `gives 700 of ${charge.id.slice(0, 9)} back`, 'dashboard refund');
        await standIns.stripe({ method: 'POST', path: '/v1/refunds', headers, body });
        return;
      }
      case 'dispute':
        if (!charge) return;
        charge.disputed = true;
        story.tell('bank', `${charge.id.slice(0, 9)} is disputed`, 'dispute');
        return;
      case 'foreign_payment': {
        this.#payElsewhere(account, 3_333, {});
        story.tell('dashboard', 'another shop on the account is paid', 'foreign payment');
        return;
      }
      case 'forged_mark': {
        const mark = this.#markOf(purchase);
        const mac = mark?.['vc_mac'];
        if (!mark || mac === undefined) return;
        const forged = { ...mark, vc_mac: (mac.startsWith('A') ? 'B' : 'A') + mac.slice(1) };
        this.#payElsewhere(account, scenario.purchases[purchase]!.amount, forged);
        story.tell('dashboard', `a payment with a mark made up of ${mark['vc_checkout']}`, 'forged mark');
        return;
      }
      case 'fail_refund': {
        const refund = Object.values(world.state.refunds).find(
          ({ object }) => object.status === 'succeeded' && ids.has(object.metadata?.['vc_checkout'] ?? ''),
        );
        if (!refund) return;
        failRefund(world, refund);
        story.tell('bank', `sends the refund ${refund.object.id.slice(0, 9)} back`, 'refund failed later');
      }
    }
  }

  /** Another shop on the account takes a payment of its own. */
  #payElsewhere(account: string | null, amount: number, metadata: Record<string, string>): void {
    const { standIns, foreign } = this.#world;
    const intent = newIntent(standIns.world, account, {
      amount,
      currency: 'usd',
      metadata,
      description: 'of another shop',
    });
    const { id } = intent.object;
    foreign.set(id, '');
    attemptPayment(standIns.world, intent, 'succeeded');
    foreign.set(id, JSON.stringify(intent.object));
  }

  /** The newest mark that is on something of a purchase at Stripe; of all its attempts, or of its first. */
  #markOf(purchase: number, ofFirst = false): Record<string, string> | undefined {
    const ids = this.#agents.checkouts[purchase]!;
    const [first = ''] = ids;
    const { intents, sessions, authorizations } = this.#world.standIns.world.state;
    const marked = [intents, sessions, authorizations]
      .flatMap((all) =>
        Object.values<{ object: { id: string; metadata: Record<string, string> | null } }>(all),
      )
      .filter(({ object }) => !this.#isForeign(object.id))
      .map(({ object }) => object.metadata ?? {});
    return marked.findLast(({ vc_checkout: id = '' }) => (ofFirst ? id === first : ids.has(id)));
  }

  #isForeign(paymentIntent: unknown): boolean {
    return typeof paymentIntent === 'string' && this.#world.foreign.has(paymentIntent);
  }

  /** Somebody with the dashboard of the tenant's Stripe account who makes once more what a checkout was to be paid by. */
  async stray({ purchase, by, ofFirst, amountOff = 0 }: Of<'stray'>): Promise<void> {
    const { standIns, story, tenants, scenario } = this.#world;
    const { world } = standIns;
    const { tenant, amount: price } = scenario.purchases[purchase]!;
    const account = tenants.get(tenant)?.stripeAccount ?? null;
    const { sessions } = world.state;
    const metadata = this.#markOf(purchase, ofFirst);
    if (!metadata) return;
    const amount = price + amountOff;
    if (by === 'payment') {
      const copied = { amount, currency: 'usd', metadata: {}, description: 'a copy' };
      const intent = newIntent(world, account, copied);
      // Nobody is to take it for a charge of ours, not even for a moment.
      this.#oracle.stray(intent.object.id);
      intent.object.metadata = metadata;
      attemptPayment(world, intent, 'succeeded');
    } else {
      const copies = story.counts.get('stray page') ?? 0;
      const fields: Record<string, string> = {
        mode: 'payment',
        'line_items[0][quantity]': '1',
        'line_items[0][price_data][currency]': 'usd',
        'line_items[0][price_data][unit_amount]': String(amount),
        'line_items[0][price_data][product_data][name]': 'a copy',
        success_url: 'https://example.com/',
      };
      for (const [name, value] of Object.entries(metadata)) {
        fields[`metadata[${name}]`] = value;
        fields[`payment_intent_data[metadata][${name}]`] = value;
      }
      const headers = {
        authorization: 'Bearer sk_test_dashboard',
        'idempotency-key': `copy ${copies}`,
        ...(account !== null && { 'stripe-account': account }),
      };
      const body = new URLSearchParams(fields).toString();
      const answer = await standIns.stripe({ method: 'POST', path: '/v1/checkout/sessions', headers, body });
      const { id } = JSON.parse(answer?.body ?? '') as { id: string };
      const record = sessions[id]!;
      paySession(world, record, 'succeeded');
      const { payment_intent: intent } = record.object;
      if (typeof intent === 'string') this.#oracle.stray(intent);
    }
    story.tell(
      'dashboard',
      `a copy of ${metadata['vc_checkout']?.slice(-8)} is paid: ${amount}`,
      `stray ${by}`,
    );
    this.#world.onVendorChange();
  }

  /** Somebody with Temporal's UI or CLI. */
  async ops({ purchase, what, back }: Of<'ops'>): Promise<void> {
    const { server, story, scenario } = this.#world;
    const { tenant } = scenario.purchases[purchase]!;
    if (what === 'reconcile') {
      story.tell('ops', 'start a pass of reconciliation', 'ops reconcile');
      // Without Temporal there is none.
      return this.#world.reconcile(120_000).catch(() => undefined);
    }
    if (what === 'reconcile_on_schedule') {
      story.tell('temporal', 'starts a pass of reconciliation', 'ops reconcile');
      return this.#world.reconcileOnSchedule().catch(() => undefined);
    }
    if (what === 'lose_refunds' || what === 'lose_everything') return this.#lose(purchase, what);
    if (what === 'terminate_late') return this.#stop(purchase, 'terminate', 'late');
    if (what === 'reset_late') return this.#stop(purchase, 'reset', 'late', back);
    if (what === 'terminate_ledger') return this.#stop(purchase, 'terminate', 'ledger');
    if (what === 'reset_ledger') return this.#stop(purchase, 'reset', 'ledger', back);
    if (what === 'terminate_refund' || what === 'reset_refund') return this.#stopRefund(purchase, what, back);
    if (what === 'forged_late') return this.#callLate(purchase);
    const checkout = [...this.#agents.checkouts[purchase]!].at(-1);
    if (checkout === undefined) return;
    const id = checkoutWorkflowId(tenant, checkout);
    if (!server.current(id)?.isOpen && what !== 'forged_decision') return;
    story.tell('ops', `${what} ${id.slice(-8)}`, `ops ${what}`);
    try {
      switch (what) {
        case 'cancel':
          return server.cancel(id);
        case 'terminate':
          this.#oracle.stopped(checkout);
          return await server.terminate(id);
        case 'lose_history':
          this.#oracle.lost(checkout);
          return await server.lose(id);
        case 'reset':
          if (this.#world.time.now > beginning + 24 * 3_600_000) story.count('reset a day later');
          if (server.current(id)?.isReaching) story.count('reset while reaching the caller');
          this.#oracle.reset(checkout);
          await server.reset(id, back ?? 1);
          return;
        case 'junk_signal':
          server.signal(id, 'paymentEventReceived', [unreadable]);
          server.signal(id, 'paymentEventReceived', [json(null)]);
          server.signal(id, 'paymentEventReceived', [json({ v: 2, id: 7 })]);
          server.signal(id, 'noSuchSignal', []);
          return;
        case 'oversize_signal': {
          const event = { v: 1, id: 'evt_1', kind: 'payment.succeeded', objectId: 'pi_1' };
          const tooMuch = 'x'.repeat(1_000_000);
          server.signal(id, 'paymentEventReceived', [json({ ...event, id: tooMuch })]);
          server.signal(id, 'paymentEventReceived', [json({ ...event, objectId: tooMuch })]);
          return;
        }
        case 'forged_signal':
          for (const kind of ['payment.succeeded', 'authorization.approved', 'message.undelivered'])
            server.signal(id, 'paymentEventReceived', [
              json({ v: 1, id: `evt_${kind}`, kind, objectId: 'forged' }),
            ]);
          return;
        case 'forged_decision':
          for (const [refundId, { memo }] of this.#agents.refunds) {
            const run = server.current(refundWorkflowId(tenant, refundId));
            if (!run?.isOpen || memo.state.status !== 'awaiting_approval') continue;
            server.signal(run.workflowId, 'refundDecided', [json({ signedDecision: 'e30.e30.forged' })]);
            const key = this.#customerOf(id);
            server.signal(refundLedgerWorkflowId(tenant, key), 'refundSettled', [
              json({ refundId, outcome: 'void' }),
            ]);
          }
      }
    } catch (error) {
      if (!(error instanceof ServiceRefusal)) throw error;
    }
  }

  /** Signals with start, as the relay does for money that nobody waits for; the event is made up, the payment is not. */
  #callLate(purchase: number): void {
    const { server, standIns, story, scenario } = this.#world;
    const { tenant } = scenario.purchases[purchase]!;
    const ids = this.#agents.checkouts[purchase]!;
    const paid = Object.values(standIns.world.state.intents).find(
      ({ object }) =>
        object.status === 'succeeded' &&
        ids.has(object.metadata['vc_checkout'] ?? '') &&
        !this.#isForeign(object.id),
    )?.object;
    const checkoutId = paid?.metadata['vc_checkout'];
    if (!paid || checkoutId === undefined) return;
    const { workflowId, args, workflowTaskTimeout, memo } = unmatchedPaymentStart(tenant, checkoutId);
    const event = { v: 1, id: 'evt_late', kind: 'payment.succeeded', objectId: paid.id };
    story.tell('ops', `signal ${paid.id.slice(0, 9)} as late money`, 'ops forged_late');
    server.signalWithStart(
      {
        workflowId,
        workflowType: unmatchedPaymentWorkflowType,
        args: args.map(json),
        memo: { state: json(memo.state) },
        reuse: 'ALLOW_DUPLICATE',
        conflict: 'USE_EXISTING',
        taskTimeoutMs: workflowTaskTimeout,
        startDelayMs: 0,
      },
      'paymentEventReceived',
      [json(event)],
    );
  }

  async #stopRefund(
    purchase: number,
    what: 'terminate_refund' | 'reset_refund',
    back: number | undefined,
  ): Promise<void> {
    const { server, story, scenario, time } = this.#world;
    const { tenant } = scenario.purchases[purchase]!;
    const mine = [...this.#agents.refunds].filter(([, refund]) => refund.purchase === purchase);
    const id = mine
      .map(([refundId]) => refundWorkflowId(tenant, refundId))
      .findLast((one) => server.current(one)?.isOpen);
    const state = id && server.current(id)?.memo['state'];
    if (!id || !state) return;
    const { status } = defaultPayloadConverter.fromPayload<RefundState>(state);
    story.tell('ops', `${what} ${id.slice(-6)}, ${status}`, `ops ${what} ${status}`);
    story.count(`ops ${what}`);
    if (what === 'terminate_refund') return server.terminate(id);
    if (time.now > beginning + 24 * 3_600_000) story.count('refund reset a day later');
    await server.reset(id, back ?? 1);
  }

  /** Ends, or sends back, the run for a purchase's late money or its customer's ledger. */
  async #stop(purchase: number, act: 'terminate' | 'reset', aim: 'late' | 'ledger', back = 1): Promise<void> {
    const { server, story, scenario } = this.#world;
    const { tenant } = scenario.purchases[purchase]!;
    const ids = [...this.#agents.checkouts[purchase]!].map((checkout) =>
      aim === 'late'
        ? unmatchedPaymentWorkflowId(tenant, checkout)
        : refundLedgerWorkflowId(tenant, this.#customerOf(checkoutWorkflowId(tenant, checkout))),
    );
    const id = ids.findLast((one) => server.current(one)?.isOpen);
    if (id === undefined) return;
    story.tell('ops', `${act} ${id}`, `ops ${act}`);
    story.count(`ops ${act} of ${server.current(id)!.start.workflowType}`);
    // What one shows the next one goes on from; the code before its patches did not show its refunds.
    const isKept = act === 'terminate' && scenario.platform.deploysAt === undefined;
    if (aim === 'ledger' && !isKept) this.#oracle.refunds.bookLost();
    if (aim === 'late' && act === 'reset') this.#oracle.lateReset(id.split('/').at(-1) ?? '');
    await (act === 'terminate' ? server.terminate(id) : server.reset(id, back));
  }

  /** Temporal forgets a purchase's refunds and their ledger, or whatever it had. */
  async #lose(purchase: number, what: 'lose_refunds' | 'lose_everything'): Promise<void> {
    const { server, story, scenario } = this.#world;
    const { tenant } = scenario.purchases[purchase]!;
    const all = what === 'lose_everything';
    story.tell('ops', what, 'ops lose_history');
    story.count(`ops ${what}`);
    this.#oracle.refunds.bookLost();
    const lost: string[] = all ? [...server.runs.keys()] : [];
    for (const [refundId, refund] of this.#agents.refunds) {
      if (!all && refund.purchase !== purchase) continue;
      this.#oracle.refunds.lost(refundId);
      if (!all) lost.push(refundWorkflowId(tenant, refundId));
    }
    for (const [index, ids] of this.#agents.checkouts.entries()) {
      for (const checkout of ids) {
        const id = checkoutWorkflowId(scenario.purchases[index]!.tenant, checkout);
        if (all) this.#oracle.forgotten(checkout);
        else if (index === purchase) lost.push(refundLedgerWorkflowId(tenant, this.#customerOf(id)));
      }
    }
    for (const id of lost) await server.lose(id);
  }

  #customerOf(workflowId: string): string {
    const payload = this.#world.server.current(workflowId)?.memo['checkout'];
    return payload ? defaultPayloadConverter.fromPayload<{ customerKey: string }>(payload).customerKey : '';
  }

  async platform({ what, ms = 1_000 }: Of<'platform'>): Promise<void> {
    if (what === 'kill_worker') await this.#world.server.killWorker();
    else if (what === 'kill_api') this.#world.killApi(ms);
    else this.#world.temporalAway(ms);
  }

  /** A real event of Stripe's, changed or late, or none at all. */
  async forgeWebhook({ purchase, what }: Of<'forgedWebhook'>): Promise<void> {
    const { standIns, time, story, api } = this.#world;
    const ids = this.#agents.checkouts[purchase]!;
    const events = Object.values(standIns.world.state.events);
    const event = events.findLast(({ object }) => {
      const { metadata } = object as { metadata?: Record<string, string> };
      return ids.has(metadata?.['vc_checkout'] ?? '');
    });
    if (!event || !api) return;
    const body = { ...eventEnvelope(event) } as Record<string, unknown>;
    if (what === 'other_account') Object.assign(body, { id: `${event.id}x`, account: 'acct_evil' });
    if (what === 'livemode') Object.assign(body, { id: `${event.id}y`, livemode: true });
    const payload = JSON.stringify(body);
    const timestamp = Math.floor(time.now / 1_000) - (what === 'old' ? 301 : 0);
    const signature = signer.webhooks.generateTestHeaderString({ payload, secret: webhookSecret, timestamp });
    const own = event.account === null && what !== 'other_account';
    const url = `${publicUrl}/webhooks/stripe${own ? '' : '/connect'}`;
    for (let copy = 1; what === 'storm' && copy < 100; copy++)
      await api.webhook(url, { 'stripe-signature': signature }, payload);
    const status = await api.webhook(
      url,
      what === 'unsigned' ? {} : { 'stripe-signature': signature },
      payload,
    );
    story.tell('internet', `a webhook ${what}: ${event.type}, answered ${status}`, `forged webhook ${what}`);
  }
}

/** Epoch ms of a moment of a schedule. */
export const momentOf = (at: number) => beginning + at;
