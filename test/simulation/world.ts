import type { Clock } from '../../local/simulators/clock.js';
import { createStandIns, type StandIns } from '../../local/simulators/stand-ins.js';
import {
  type ReconciliationResult,
  reconciliationStart,
  reconciliationWorkflowType,
} from '../../contracts/reconciliation.js';
import { windowStart } from '../../domain/reconcile.js';
import type { Tenant } from '../../domain/tenant.js';
import { ActivityHost } from '../support/simulation/activity-host.js';
import type { WorkflowIsolate } from '../support/simulation/isolate.js';
import {
  type Announcement,
  ApiProcess,
  createProductActivities,
  type ProductParts,
  publicUrl,
  webhookSecret,
} from '../support/simulation/product.js';
import { Random } from '../support/simulation/random.js';
import { type ClientTroubles, createTemporalClient } from '../support/simulation/temporal-client.js';
import { TemporalServer } from '../support/simulation/temporal-server.js';
import {
  createVendorClients,
  twilioAccount,
  type VendorCall,
  type VendorFault,
  VendorNetwork,
} from '../support/simulation/vendor-network.js';
import { VirtualTime } from '../support/simulation/virtual-time.js';
import { testTenants } from '../support/test-tenants.js';
import type { Scenario, WebhookFault } from './scenario.js';
import { Story } from './story.js';

/** When every schedule begins: two hours before the numbers of attempts begin anew. */
export const beginning = Date.UTC(2027, 0, 17, 22);

let network: VendorNetwork | undefined;
const clients = createVendorClients(() => {
  if (!network) throw new Error('no schedule runs');
  return network;
});

/** The workflow code of today, and the one before it. */
export interface WorkflowCode {
  current: WorkflowIsolate;
  previous: WorkflowIsolate;
}

/** Everything around the product in one schedule: time, vendors, Temporal, and the product's processes. */
export class World {
  readonly scenario: Scenario;
  readonly time = new VirtualTime(beginning);
  /** Of the platform and the network; the scenario's own is used up when it is made. */
  readonly random: Random;
  readonly story: Story;
  readonly standIns: StandIns;
  readonly network: VendorNetwork;
  readonly calls: VendorCall[] = [];
  readonly server: TemporalServer;
  readonly tenants: ReadonlyMap<string, Tenant>;
  /** Paid payments of others on our accounts, some with a mark made up, as they were when they came: nobody may touch them. */
  readonly foreign = new Map<string, string>();
  /** Called when something may have changed at a vendor. */
  onVendorChange: () => void = () => undefined;
  onAnnouncement: (told: Announcement) => void = () => undefined;
  readonly #parts: ProductParts;
  readonly #troubles: ClientTroubles;
  #api: ApiProcess | undefined;
  #calm = false;
  #vendorAwayUntil = 0;

  constructor(scenario: Scenario, code: WorkflowCode) {
    this.scenario = scenario;
    const { platform } = scenario;
    const { deploysAt } = platform;
    this.random = new Random(scenario.seed + 1_000_003);
    this.story = new Story(this.time, beginning);
    this.tenants = tenantsFor(scenario);
    const { time, random, story } = this;
    const clock: Clock = {
      now: () => time.now,
      seconds: () => Math.floor(time.now / 1_000),
      at: (at, run) => void time.at(at, run),
      sleep: (ms) => time.sleep(ms),
      close: () => undefined,
    };
    this.standIns = createStandIns({
      clock,
      random: (size) => random.bytes(size),
      post: (url, headers, body) => this.#post(url, headers, body),
      publicUrl: () => 'https://vendors.example.com',
      stripeWebhook: {
        url: `${publicUrl}/webhooks/stripe`,
        connectUrl: `${publicUrl}/webhooks/stripe/connect`,
        secret: webhookSecret,
      },
      twilioAccount,
      touch: () => this.onVendorChange(),
    });
    this.#troubleWebhooks();
    this.network = new VendorNetwork(this, {
      faultOf: (call) => {
        this.calls.push(call);
        return this.#faultOf(call);
      },
      onFault: ({ vendor, method, route }, fault) => {
        story.tell(vendor, `${fault} on ${method} ${route}`, fault);
        story.count(`${fault} on ${method} ${route}`);
      },
      onAnswer: ({ method, route }, status) => {
        if (status !== undefined && status >= 400) story.count(`${status} to ${method} ${route}`);
        this.onVendorChange();
      },
    });
    network = this.network;
    this.#troubles = { awayUntil: 0, lost: platform.lostCalls };
    const client = createTemporalClient({
      time,
      random,
      server: () => this.server,
      troubles: this.#troubles,
    });
    this.#parts = { ...clients, tenants: this.tenants, client };
    const activities = createProductActivities(this.#parts, (told) => this.#announced(told));
    const host = new ActivityHost(time, random, {
      activities,
      client,
      lostResults: () => (this.#calm ? 0 : platform.lostResults),
    });
    const chances = { ...platform };
    this.#chances = chances;
    this.server = new TemporalServer(
      {
        time,
        random,
        isolate: deploysAt === undefined ? code.current : code.previous,
        host,
        chances,
        workerDownMs: platform.workerDownMs,
        // A pass that gets no answer for an hour is given up; the schedule begins another.
        mayFail: (type) => type === reconciliationWorkflowType && !this.#calm,
        count: (what) => story.count(what),
        say: (who, text) => story.tell(who, text),
      },
      platform.workers,
    );
    this.#api = new ApiProcess(this.#parts, platform.announces);
    if (deploysAt !== undefined) {
      time.after(deploysAt, () => {
        if (this.server.all().some(({ isOpen }) => isOpen)) story.count('deploy with open runs');
        story.tell('platform', 'new code is deployed');
        return this.server.deploy(code.current);
      });
    }
  }

  readonly #chances: Scenario['platform'];

  /** The API, or undefined while no process of it runs. */
  get api(): ApiProcess | undefined {
    return this.#api;
  }

  get isCalm(): boolean {
    return this.#calm;
  }

  /** Nothing fails any more. */
  calm(): void {
    this.#calm = true;
    this.#troubles.lost = 0;
    this.#troubles.awayUntil = 0;
    Object.assign(this.#chances, { crash: 0, evict: 0, otherWorker: 0 });
    if (!this.#api) this.#startApi();
    this.story.tell('platform', 'from here on nothing fails');
  }

  /** One pass over everything Stripe and Temporal know, as the schedule makes it every few minutes. */
  async reconcile(graceMs = 0): Promise<void> {
    for (const tenantId of this.tenants.keys()) {
      const input = { v: 1 as const, tenantId, sinceMs: beginning, graceMs };
      await this.#parts.client.workflow.start(
        reconciliationWorkflowType,
        reconciliationStart(input, this.time.now),
      );
    }
  }

  /** As Temporal's schedule starts them: over the window that the last pass has left, unless that one still runs. */
  async reconcileOnSchedule(): Promise<void> {
    for (const tenantId of this.tenants.keys()) {
      const passes = this.server
        .all()
        .filter(({ start }) => start.workflowType === reconciliationWorkflowType)
        .filter(({ start }) => start.workflowId.split('/')[1] === tenantId);
      if (passes.some(({ isOpen }) => isOpen)) continue;
      const last = passes.findLast(({ status }) => status === 'COMPLETED')?.result as
        ReconciliationResult | undefined;
      const sinceMs = windowStart(this.time.now, { ...(last && { resumeAt: last.resumeAt }) });
      const input = { v: 1 as const, tenantId, sinceMs };
      await this.#parts.client.workflow.start(
        reconciliationWorkflowType,
        reconciliationStart(input, this.time.now),
      );
    }
  }

  killApi(downMs: number): void {
    this.story.tell('platform', `the API is killed, for ${downMs} ms`, 'killApi');
    this.#api?.kill();
    this.#api = undefined;
    this.time.after(downMs, () => {
      if (!this.#api) this.#startApi();
    });
  }

  temporalAway(ms: number): void {
    this.story.tell('platform', `Temporal is away for ${ms} ms`, 'temporalAway');
    this.#troubles.awayUntil = this.time.now + ms;
  }

  #startApi(): void {
    this.#api = new ApiProcess(this.#parts, this.scenario.platform.announces);
  }

  async #post(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<boolean> {
    const api = this.#api;
    if (!api) return false;
    await this.time.sleep(this.random.between(1, 20));
    const status = await api.webhook(url, headers, body);
    this.story.count(`webhook answered ${status}`);
    const taken = status >= 200 && status < 300;
    if (taken && !this.#calm && this.random.chance(this.scenario.platform.lostAcks)) {
      this.story.count(url.includes('twilio') ? 'Twilio acknowledgement lost' : 'acknowledgement lost');
      return false;
    }
    return taken;
  }

  #announced(told: Announcement): number {
    if (!this.#calm && this.random.chance(this.scenario.platform.hookDown)) return 503;
    this.onAnnouncement(told);
    return 200;
  }

  #faultOf(call: VendorCall): VendorFault | undefined {
    const { rates, exactly, outages, outageFrom } = this.scenario.vendors;
    if (outageFrom?.call === call.number) this.#vendorAwayUntil = this.time.now + outageFrom.ms;
    if (this.time.now < this.#vendorAwayUntil && call.vendor === 'stripe') return 'lost_before';
    const wanted = exactly.find((one) => one.call === call.number);
    if (wanted) return wanted.fault;
    if (this.#calm) return undefined;
    const since = this.time.now - beginning;
    if (outages.some(({ vendor, from, to }) => vendor === call.vendor && since >= from && since < to))
      return this.random.pick(['lost_before', 'error_500']);
    for (const [fault, rate] of Object.entries(rates)) {
      if (this.random.chance(rate)) return fault as VendorFault;
    }
    return undefined;
  }

  #troubleWebhooks(): void {
    const { world, plumbing } = this.standIns;
    const plan = world.onEvent;
    const { rates, delayMs } = this.scenario.webhooks;
    world.onEvent = (id) => {
      if (!this.#calm) {
        for (const [webhook, rate] of Object.entries(rates) as [WebhookFault, number][]) {
          if (!this.random.chance(rate)) continue;
          const type = world.state.events[id]?.type ?? '';
          plumbing.faults.add({ webhook, type, times: 1, ms: this.random.between(1, delayMs) });
          this.story.tell('stripe', `webhook ${type}: ${webhook}`, `webhook ${webhook}`);
          break;
        }
      }
      plan(id);
    };
  }
}

function tenantsFor({ policy }: Scenario): ReadonlyMap<string, Tenant> {
  return new Map(
    [...testTenants].map(([id, tenant]) => [
      id,
      {
        ...tenant,
        rails: [
          { rail: 'linkWallet', deadline_ms: policy.walletDeadlineMs },
          { rail: 'paymentLink', deadline_ms: policy.linkDeadlineMs },
        ],
        latePayment: policy.latePayment,
        refunds: {
          threshold: { usd: policy.threshold },
          approvalDeadlineMs: policy.approvalDeadlineMs,
          remindAfterMs: policy.approvalDeadlineMs / 4,
          escalateAfterMs: policy.approvalDeadlineMs / 2,
          approvers: [
            { id: 'dana', name: 'Dana', phone: '+15550100198', tier: 1 },
            { id: 'omar', name: 'Omar', phone: '+15550100199', tier: 2 },
          ],
        },
      },
    ]),
  );
}
