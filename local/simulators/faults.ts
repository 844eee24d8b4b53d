import type { Clock } from './clock.js';

/** A fault on a vendor's route; `times` counts down. */
export interface RouteFault {
  route: string;
  /** `hold`: it waits until the rules of its route are removed. */
  kind: 'before' | 'after_effect_drop' | 'slow' | 'hold' | 'status';
  times: number;
  status?: number;
  ms?: number;
  /** Seconds, sent as Retry-After. */
  retry_after?: number;
  /** With a 5xx: the effect happens and the error is what the idempotency key remembers. */
  after_effect?: boolean;
}

/** A fault on the way of an event to us. */
export interface WebhookFault {
  webhook: 'duplicate' | 'reorder' | 'delay' | 'lose' | 'bad_signature';
  times: number;
  type?: string;
  ms?: number;
}

export interface FaultState {
  routes: RouteFault[];
  webhooks: WebhookFault[];
}

export const emptyFaultState = (): FaultState => ({ routes: [], webhooks: [] });

const KINDS: readonly string[] = ['before', 'after_effect_drop', 'slow', 'hold', 'status'];
const WEBHOOK_KINDS: readonly string[] = ['duplicate', 'reorder', 'delay', 'lose', 'bad_signature'];

/** `:name` matches one segment, `*` anything. */
function pathMatcher(pattern: string, open: boolean): RegExp {
  const source = pattern
    .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll(/:[a-z_]+/gi, '[^/]+?');
  return new RegExp(open ? `^${source}(/|$)` : `^${source}$`);
}

function take<T extends { times: number }>(rules: T[], matches: (rule: T) => boolean): T | undefined {
  const rule = rules.find(matches);
  if (rule !== undefined) {
    rule.times -= 1;
    if (rule.times <= 0) rules.splice(rules.indexOf(rule), 1);
  }
  return rule;
}

export class Faults {
  /** Requests that are held. */
  #held: { route: string; letGo: () => void }[] = [];

  constructor(
    readonly state: FaultState,
    /** `POST /v1/refunds`, …: a rule naming one of them means exactly it, any other rule is a prefix. */
    readonly knownRoutes: readonly string[],
  ) {}

  /** Adds one rule, or says what is wrong with it. */
  add(rule: object): string | undefined {
    const given: Partial<RouteFault> & Partial<WebhookFault> = { ...rule };
    const times = given.times ?? 1;
    if (!Number.isInteger(times) || times < 1) return 'times must be a positive integer';
    if (given.webhook !== undefined) {
      if (!WEBHOOK_KINDS.includes(given.webhook)) return `webhook must be one of ${WEBHOOK_KINDS.join(', ')}`;
      this.state.webhooks.push({ ...given, webhook: given.webhook, times });
      return undefined;
    }
    // `SMTP` is the one route without a path: a message after its DATA.
    if (typeof given.route !== 'string' || (given.route !== 'SMTP' && !given.route.includes('/'))) {
      return 'give {route, kind, times} or {webhook, times}';
    }
    if (given.kind === undefined || !KINDS.includes(given.kind))
      return `kind must be one of ${KINDS.join(', ')}`;
    if (given.kind === 'status' && !Number.isInteger(given.status)) return 'kind status needs a status';
    if (given.kind === 'slow' && !Number.isInteger(given.ms)) return 'kind slow needs ms';
    this.state.routes.push({ ...given, route: given.route, kind: given.kind, times });
    return undefined;
  }

  /** Removes the rules for one route or webhook kind, without either all, and lets go what they hold. */
  remove(route: string | undefined, webhook: string | undefined): void {
    const all = route === undefined && webhook === undefined;
    this.state.routes = this.state.routes.filter((r) => !all && r.route !== route);
    this.state.webhooks = this.state.webhooks.filter((w) => !all && w.webhook !== webhook);
    const goes = (one: { route: string }) => all || one.route === route;
    for (const { letGo } of this.#held.filter(goes)) letGo();
    this.#held = this.#held.filter((one) => !goes(one));
  }

  /** Keeps a request waiting as its fault says. */
  async pause(fault: RouteFault | undefined, clock: Clock): Promise<void> {
    if (fault?.kind === 'slow') await clock.sleep(fault.ms ?? 0);
    if (fault?.kind === 'hold') {
      await new Promise<void>((letGo) => this.#held.push({ route: fault.route, letGo }));
    }
  }

  takeRoute(method: string, path: string): RouteFault | undefined {
    return take(this.state.routes, (r) => this.#matches(r.route, method, path));
  }

  takeWebhook(type: string): WebhookFault | undefined {
    return take(this.state.webhooks, (w) => w.type === undefined || w.type === type);
  }

  #matches(route: string, method: string, path: string): boolean {
    const [first = '', second] = route.trim().split(/\s+/);
    const pattern = second ?? first;
    if (second !== undefined && first !== '*' && first.toUpperCase() !== method) return false;
    const exact = pathMatcher(pattern, false);
    // Else a fault on creating a session would also hit expiring one.
    const namesRoute = this.knownRoutes.some((known) => exact.test(known.slice(known.indexOf('/'))));
    return (namesRoute ? exact : pathMatcher(pattern, true)).test(path);
  }
}
