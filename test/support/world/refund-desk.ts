import { randomUUID } from 'node:crypto';
import { decideRefund, refundDecided } from '../../../contracts/refund.js';
import type { RefundResource } from '../../../api/refunds/schemas.js';
import type { SignedDecision } from '../../../providers/approval/decision-token.js';
import type { Answer, Caller } from './caller.js';
import type { TenantEntry } from './tenants.js';
import { until } from './until.js';
import type { Role } from './world.js';

export type Refund = RefundResource;

export interface RefundWish {
  /** Absent: all that is left. */
  amount?: number;
  reason?: string;
  callId?: string;
  words?: string;
  after?: string;
  role?: Role;
}

export interface DecisionWish {
  role?: Role;
  /** Whose key it is; the refund's own tenant if not given. */
  tenant?: string;
  hash?: string;
  note?: string;
}

const minute = 60_000;
const deadlines = [
  { rail: 'linkWallet', deadline_ms: minute },
  { rail: 'paymentLink', deadline_ms: 30 * minute },
] as const;

/** A tenant with the usual rails, a threshold of $50.00, and Dana and Omar as approvers, for what a test does not name. */
export function refundTenant(
  id: string,
  refunds: TenantEntry['refunds'] = {},
  more: Partial<TenantEntry> = {},
): TenantEntry {
  return {
    id,
    rails: [...deadlines],
    limits: { wallet_max_amount: { usd: 100_000, jpy: 100_000, kwd: 1_000_000, eur: 100_000 } },
    refunds: {
      threshold: { usd: 5_000 },
      approvers: [
        { id: 'dana', name: 'Dana', email: `dana@${id}.test`, tier: 1 },
        { id: 'omar', name: 'Omar', phone: '+15550100199', tier: 2 },
      ],
      ...refunds,
    },
    ...more,
  };
}

/** Pays for a caller, asks for the money back, and decides, by HTTP as everybody else does. */
export class RefundDesk {
  readonly caller: Caller;

  constructor(caller: Caller) {
    this.caller = caller;
  }

  get world() {
    return this.caller.world;
  }

  get tenant() {
    return this.caller.tenant;
  }

  /** A checkout that is paid. */
  async paid(amount = 4_900, currency = 'usd', description: string = randomUUID()): Promise<string> {
    const checkoutId = await this.caller.begin({ amount, currency, description });
    if (!(await this.world.standIns.approve(checkoutId))) throw new Error('could not be approved');
    await this.caller.reach(checkoutId, 'paid');
    return checkoutId;
  }

  ask(checkoutId: string, wish: RefundWish = {}): Promise<Answer<Refund>> {
    const { callId = this.caller.callId, reason = 'requested_by_customer', role, ...rest } = wish;
    const body = { checkout_id: checkoutId, reason, call: { id: callId, channel: 'voice' }, ...rest };
    return this.caller.request('POST', '/refunds', body, this.world.keyOf(this.tenant, role));
  }

  /** Asks, each time on another call, so that the same amount may come twice. */
  askAnew(checkoutId: string, wish: RefundWish = {}): Promise<Answer<Refund>> {
    return this.ask(checkoutId, { callId: `call_${randomUUID()}`, ...wish });
  }

  /** As `askAnew`; where the outcome is unknown the same is asked again, as the contract says. */
  async askUntilKnown(checkoutId: string, wish: RefundWish = {}): Promise<Answer<Refund>> {
    const same = { callId: `call_${randomUUID()}`, ...wish };
    return until('the outcome is known', async () => {
      const answer = await this.ask(checkoutId, same);
      return answer.status !== 503 && answer;
    });
  }

  /** Asks, and is told 202. */
  async request(checkoutId: string, wish: RefundWish = {}): Promise<Refund> {
    const { status, body } = await this.askAnew(checkoutId, wish);
    if (status !== 202) throw new Error(`refund refused: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** A refund of a fresh payment that waits for a person. */
  async held(wish: RefundWish = {}): Promise<Refund> {
    const { amount = 8_000 } = wish;
    return this.request(await this.paid(amount), { amount, ...wish });
  }

  get(refundId: string, wait: { since?: number; wait_ms?: number } = {}): Promise<Answer<Refund>> {
    const { since = 0, wait_ms = 0 } = wait;
    return this.caller.request('GET', `/refunds/${refundId}?since=${since}&wait_ms=${wait_ms}`);
  }

  /** Waits, by `since`, for a state. */
  async reach(refundId: string, wanted: Refund['state'], timeoutMs = 15_000): Promise<Refund> {
    const end = Date.now() + timeoutMs;
    for (let since = 0; ;) {
      const wait_ms = Math.min(25_000, Math.max(0, end - Date.now()));
      const { body } = await this.get(refundId, { since, wait_ms });
      if (body.state === wanted) return body;
      if (Date.now() >= end) throw new Error(`wanted ${wanted}, got ${JSON.stringify(body)}`);
      since = body.version;
    }
  }

  /** Decides with an approver's key. */
  decide(refund: Refund, verdict: 'approve' | 'deny', wish: DecisionWish = {}): Promise<Answer<Refund>> {
    const { role = 'approver', tenant = this.tenant, hash = refund.request_hash, note } = wish;
    const body = { request_hash: hash, ...(note !== undefined && { note }) };
    const key = this.world.keyOf(tenant, role);
    return this.caller.request('POST', `/refunds/${refund.refund_id}/${verdict}`, body, key);
  }

  run(refund: Pick<Refund, 'refund_id'>) {
    return this.world.refundOf(this.tenant, refund.refund_id);
  }

  explain(refund: Pick<Refund, 'refund_id'>): Promise<string> {
    return this.run(refund).query<string>('explain');
  }

  /** Waits until `explain` says something. */
  explains(refund: Pick<Refund, 'refund_id'>, text: string): Promise<string> {
    return until(`explain says ${JSON.stringify(text)}`, async () => {
      const told = await this.explain(refund);
      return told.includes(text) && told;
    });
  }

  /** A decision as the API would sign it, but for the changes. */
  sign(refund: Refund, changes: Partial<SignedDecision> = {}): Promise<string> {
    return this.world.decisions.sign({
      tenantId: this.tenant,
      refundId: refund.refund_id,
      requestHash: refund.request_hash,
      decision: 'approved',
      decidedBy: 'person:dana',
      ...changes,
    });
  }

  /** As `temporal workflow signal` would. */
  async signal(refund: Refund, ...argument: unknown[]): Promise<void> {
    await this.run(refund).signal(refundDecided.name, ...argument);
  }

  /** As `temporal workflow update` would. */
  async update(refund: Refund, signedDecision: unknown): Promise<unknown> {
    return this.run(refund).executeUpdate(decideRefund.name, { args: [{ signedDecision }] });
  }

  /** The path of a person's link to a request. */
  link(
    refund: Refund,
    approver = 'dana',
    changes: { expiresAt?: number; requestHash?: string } = {},
  ): string {
    const expiresAt = changes.expiresAt ?? Date.parse(refund.approval?.expires_at ?? '');
    const token = this.world.approvalLinks.sign(
      { tenantId: this.tenant, refundId: refund.refund_id, approver, expiresAt },
      changes.requestHash ?? refund.request_hash,
    );
    return `/approvals/${token}`;
  }

  /** What a browser without script does with the approver's page. */
  async page(
    path: string,
    form?: Record<string, string>,
    headers: Record<string, string> = {},
    method = form ? 'POST' : 'GET',
  ): Promise<{ status: number; headers: Headers; html: string }> {
    const response = await fetch(`${this.world.url}${path}`, {
      method,
      redirect: 'manual',
      headers,
      ...(form && { body: new URLSearchParams(form) }),
    });
    return { status: response.status, headers: response.headers, html: await response.text() };
  }

  /** The stand-in's refunds of a checkout: what really happened. */
  async atStripe(checkoutId: string) {
    const { charges, refunds } = await this.world.standIns.ledger();
    const charge = charges.find(({ metadata }) => metadata['vc_checkout'] === checkoutId);
    if (!charge) throw new Error(`no charge of ${checkoutId}`);
    const ofCharge = refunds.filter(({ payment_intent }) => payment_intent === charge.payment_intent);
    return {
      charge,
      refunds: ofCharge,
      amounts: ofCharge.map(({ amount }) => amount).sort((a, b) => a - b),
      refunded: charge.amount_refunded,
    };
  }

  /** The checkout, once it shows this much as given back. */
  refundedShown(checkoutId: string, amount: number) {
    return until(`amount_refunded ${amount} of ${checkoutId}`, async () => {
      const { body } = await this.caller.get(checkoutId);
      return body.amount_refunded === amount && body;
    });
  }
}
