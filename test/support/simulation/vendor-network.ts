import Stripe from 'stripe';
import twilio from 'twilio';
import type { RouteFault } from '../../../local/simulators/faults.js';
import type { VendorAnswer, VendorRequest } from '../../../local/simulators/vendor-server.js';
import type { StandIns } from '../../../local/simulators/stand-ins.js';
import { createStripeClient } from '../../../providers/stripe/client.js';
import { createTwilioClient } from '../../../providers/twilio/client.js';
import type { Random } from './random.js';
import { runningProcess, type VirtualTime } from './virtual-time.js';

/** What can happen to one request on its way to a vendor and back. */
export const vendorFaults = {
  /** The request never arrives. */
  lost_before: { kind: 'before' },
  /** It is done, and the answer is lost. */
  lost_after: { kind: 'after_effect_drop' },
  /** Slower than our client waits: it is done later. */
  slow: { kind: 'slow', ms: 9_000 },
  /** Slow, but in time: two of them are more than one attempt of an activity has. */
  sluggish: { kind: 'slow', ms: 6_000 },
  /** Done when the activity itself was given up. */
  very_slow: { kind: 'slow', ms: 14_000 },
  error_500: { kind: 'status', status: 500 },
  /** Done, answered with 500, and Stripe remembers the 500 for the key. */
  stored_500: { kind: 'status', status: 500, after_effect: true },
  busy_429: { kind: 'status', status: 429, retry_after: 2 },
  conflict_409: { kind: 'status', status: 409 },
  refused_401: { kind: 'status', status: 401 },
} as const satisfies Record<string, Omit<RouteFault, 'route' | 'times'>>;

export type VendorFault = keyof typeof vendorFaults;

export interface VendorCall {
  /** From 1, in the order in which a schedule makes them. */
  number: number;
  vendor: 'stripe' | 'twilio';
  method: string;
  /** Without query; ids of objects as `:id`. */
  route: string;
}

const failure = (code: 'ECONNRESET' | 'ETIMEDOUT') => Object.assign(new Error(code), { code });

/** Between the product's processes and the vendors: takes time, and loses what the schedule wants lost. */
export class VendorNetwork {
  calls = 0;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #standIns: StandIns;
  readonly #faultOf: (call: VendorCall) => VendorFault | undefined;
  readonly #onFault: (call: VendorCall, fault: VendorFault) => void;
  readonly #onAnswer: (call: VendorCall, status: number | undefined) => void;

  constructor(
    world: { time: VirtualTime; random: Random; standIns: StandIns },
    hooks: {
      faultOf: (call: VendorCall) => VendorFault | undefined;
      onFault: (call: VendorCall, fault: VendorFault) => void;
      onAnswer: (call: VendorCall, status: number | undefined) => void;
    },
  ) {
    this.#time = world.time;
    this.#random = world.random;
    this.#standIns = world.standIns;
    this.#faultOf = hooks.faultOf;
    this.#onFault = hooks.onFault;
    this.#onAnswer = hooks.onAnswer;
  }

  /** The answer as a client sees it; a process that died meanwhile never sees one. */
  async ask(vendor: 'stripe' | 'twilio', request: VendorRequest, timeoutMs: number): Promise<VendorAnswer> {
    const process = runningProcess.getStore();
    const [path = ''] = request.path.split('?');
    const { method } = request;
    const call: VendorCall = { number: ++this.calls, vendor, method, route: routeOf(path) };
    return new Promise((resolve, reject) => {
      const limit = this.#time.after(timeoutMs, () => {
        if (process?.alive !== false) reject(failure('ETIMEDOUT'));
      });
      this.#time.after(this.#random.between(2, 30), async () => {
        const fault = this.#faultOf(call);
        if (fault) {
          this.#onFault(call, fault);
          this.#standIns.plumbing.faults.add({
            route: `${method} ${path}`,
            times: 1,
            ...vendorFaults[fault],
          });
        }
        // What a vendor does belongs to no process of ours.
        const answer = runningProcess.exit(() => this.#standIns[vendor](request));
        void answer.then((given) => {
          this.#onAnswer(call, given?.status);
          this.#time.after(this.#random.between(2, 30), () => {
            this.#time.cancel(limit);
            if (process?.alive === false) return;
            if (given) resolve(given);
            else reject(failure('ECONNRESET'));
          });
        });
      });
    });
  }
}

const routeOf = (path: string) =>
  path.replace(/\/(?:[a-z]{2,4}(?:_test)?_[A-Za-z0-9]+|SM[0-9a-f]+)/g, '/:id');

const lowerCase = (headers: object): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));

class StripeAnswer extends Stripe.HttpClientResponse {
  readonly #answer: VendorAnswer;

  constructor(answer: VendorAnswer) {
    super(answer.status, answer.headers);
    this.#answer = answer;
  }

  override getRawResponse(): unknown {
    return this.#answer;
  }

  override async toJSON(): Promise<unknown> {
    return JSON.parse(this.#answer.body);
  }
}

const form = (params: object = {}): string =>
  new URLSearchParams(
    Object.entries(params)
      .filter(([, value]) => value !== undefined)
      .flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, String(one)])),
  ).toString();

type TwilioRequest = Parameters<typeof twilio.RequestClient.prototype.request>[0];

export const twilioAccount = { accountSid: 'AC00000000000000000000000000000000', authToken: 'simulated' };

/** The product's own clients, speaking to whatever network `current` gives: one pair serves all schedules. */
export function createVendorClients(current: () => VendorNetwork): { stripe: Stripe; twilio: twilio.Twilio } {
  const httpClient = {
    getClientName: () => 'simulated',
    makeRequest: async (
      _host: string,
      _port: string,
      path: string,
      method: string,
      headers: object,
      body: string | null,
      _protocol: string,
      timeoutMs: number,
    ) => {
      const request = { method, path, headers: lowerCase(headers), body: body ?? '' };
      return new StripeAnswer(await current().ask('stripe', request, timeoutMs));
    },
  };
  const stripe = createStripeClient({ secretKey: 'sk_test_simulated', httpClient });

  class TwilioNetwork extends twilio.RequestClient {
    override async request<TData>(options: TwilioRequest) {
      const { username = '', password = '', params, data, headers } = options;
      const url = new URL(options.uri);
      if (params !== undefined) url.search = form(params);
      const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
      const request: VendorRequest = {
        method: options.method.toUpperCase(),
        path: url.pathname + url.search,
        headers: { ...lowerCase(headers ?? {}), authorization },
        body: data === undefined ? '' : form(data as object),
      };
      const answer = await current().ask('twilio', request, 8_000);
      return { statusCode: answer.status, body: JSON.parse(answer.body) as TData, headers: answer.headers };
    }
  }
  const client = createTwilioClient(twilioAccount);
  (client as unknown as { _httpClient: twilio.RequestClient })._httpClient = new TwilioNetwork();
  return { stripe, twilio: client };
}
