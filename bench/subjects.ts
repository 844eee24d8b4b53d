import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WithStartWorkflowOperation } from '@temporalio/client';
import { checkoutTaskQueue, checkoutWorkflowId } from '../contracts/checkout.js';
import { type bare, barePaid, bareStarted } from './bare-workflow.js';
import type { Subject } from './load.js';
import type { BenchSystem } from './system.js';

/** Nothing that is measured takes longer; what does is a fault and ends the run. */
const limitMs = 60_000;
const waitMs = 20_000;

interface Quote {
  quote_token: string;
}

interface Checkout {
  checkout_id: string;
  state: string;
  terminal: boolean;
  version: number;
}

/** A checkout that was answered, and what its caller can do. */
export interface OpenCheckout {
  workflowId: string;
  approve(): Promise<void>;
  decline(): Promise<void>;
  payLink(): Promise<void>;
  /** Resolves once this state is shown by the API's long poll. */
  reaches(state: string): Promise<void>;
}

let callers = 0;

/** The product over HTTP, as a voice agent uses it. */
export function productSubject(system: BenchSystem): Subject & { open(): Promise<OpenCheckout> } {
  const prepare = async () => {
    const number = ++callers;
    const { tenant, key } = system.keys[number % system.keys.length] ?? { tenant: '', key: '' };
    const caller = newCaller(number);
    const agent = <T>(method: string, path: string, body?: object) =>
      request<T>(method, system.apiUrl + path, body, { authorization: `Bearer ${key}` });
    const quote = await agent<Quote>('POST', '/v1/quotes', {
      call: { id: `bench-${number}`, channel: 'voice' },
      customer: caller,
      purchase: { kind: 'amount', amount: 4_900, currency: 'usd', description: 'Growth plan' },
    });
    const open = async (): Promise<OpenCheckout> => {
      const confirmed_at = new Date().toISOString();
      const first = await agent<Checkout>('POST', '/v1/checkouts', {
        quote_token: quote.quote_token,
        consent: { amount: 4_900, currency: 'usd', confirmed_at },
      });
      return openCheckout(system, tenant, caller, first, (since) =>
        agent('GET', `/v1/checkouts/${first.checkout_id}?since=${since}&wait_ms=${waitMs}`),
      );
    };
    return { open };
  };
  return {
    name: 'voice-checkout',
    open: async () => (await prepare()).open(),
    prepare: async () => {
      const { open } = await prepare();
      return {
        start: async () => {
          const checkout = await open();
          return { workflowId: checkout.workflowId, pay: () => timeToPaid(checkout) };
        },
      };
    },
  };
}

/** The agent is already waiting when the caller taps; the clock runs from the tap. */
async function timeToPaid(checkout: OpenCheckout): Promise<number> {
  await checkout.reaches('awaiting_wallet');
  const paid = checkout.reaches('paid');
  const tap = checkout.approve();
  const begun = performance.now();
  await Promise.all([paid, tap]);
  return performance.now() - begun;
}

function openCheckout(
  system: BenchSystem,
  tenant: string,
  caller: Caller,
  first: Checkout,
  poll: (since: number) => Promise<Checkout>,
): OpenCheckout {
  let now = first;
  const local = <T>(method: string, path: string, body?: object) =>
    request<T>(method, `${system.localUrl}/_local${path}`, body, {});
  let found: Promise<string> | undefined;
  /** The wallet's id of the request, found once: looking it up is not part of the tap. */
  const authorization = () => (found ??= authorizationOf(caller, local));
  const decide = async (what: string) =>
    void (await local('POST', `/agent_authorizations/${await authorization()}/${what}`, {}));
  return {
    workflowId: checkoutWorkflowId(tenant, first.checkout_id),
    approve: () => decide('approve'),
    decline: () => decide('decline'),
    payLink: async () => {
      const query = `/messages?to=${encodeURIComponent(caller.phone)}`;
      const { messages } = await local<{ messages: { body: string }[] }>('GET', query);
      const session = /cs_\w+/.exec(messages[0]?.body ?? '')?.[0];
      if (session === undefined) throw new Error('no link was sent');
      await local('POST', `/checkout_sessions/${session}/pay`, { outcome: 'succeeded' });
    },
    reaches: async (state) => {
      const until = performance.now() + limitMs;
      while (now.state !== state) {
        if (now.terminal || performance.now() > until) {
          throw new Error(`${now.checkout_id} is ${now.state} instead of ${state}`);
        }
        now = await poll(now.version);
      }
      if (state === 'awaiting_wallet') await authorization();
    },
  };
}

async function authorizationOf(
  { email }: Caller,
  local: <T>(method: string, path: string) => Promise<T>,
): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const query = `/agent_authorizations?email=${encodeURIComponent(email)}`;
    const { data } = await local<{ data: { id: string }[] }>('GET', query);
    if (data[0]) return data[0].id;
    await sleep(20);
  }
  throw new Error('the wallet was not asked');
}

interface Caller {
  ref: string;
  email: string;
  phone: string;
}

/** A person nobody has called for before. 555-0100 to 555-0199 are kept free for fiction. */
function newCaller(number: number): Caller {
  const name = `bench-${number}-${randomUUID().slice(0, 8)}`;
  const area = [202, 212, 312, 415, 617][number % 5] ?? 202;
  const line = 10 + (Math.floor(number / 5) % 90);
  return { ref: name, email: `${name}@example.com`, phone: `+1${area}55501${line}` };
}

/** The floor on the same server: no HTTP, no vendors, no state to publish. */
export function bareSubject(client: Client): Subject {
  return {
    name: 'bare workflow',
    prepare: async () => ({
      start: async () => {
        const id = randomUUID();
        const start = new WithStartWorkflowOperation<typeof bare>('bare', {
          workflowId: `bare/${id}`,
          taskQueue: checkoutTaskQueue,
          args: [{ id }],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowTaskTimeout: 2_000,
        });
        await client.workflow.executeUpdateWithStart(bareStarted, { startWorkflowOperation: start });
        const handle = await start.workflowHandle();
        return {
          workflowId: handle.workflowId,
          pay: async () => {
            const result = handle.result();
            const begun = performance.now();
            await Promise.all([result, handle.signal(barePaid, { id })]);
            return performance.now() - begun;
          },
        };
      },
    }),
  };
}

/** How often the API said that the outcome is unknown and the same request safe (503): part of what callers feel. */
export const repeats = { count: 0 };

async function request<T>(
  method: string,
  url: string,
  body: object | undefined,
  headers: Record<string, string>,
): Promise<T> {
  const until = performance.now() + limitMs;
  for (;;) {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(limitMs),
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text) as T;
    if (response.status !== 503 || performance.now() > until) {
      throw new Error(
        `${method} ${new URL(url).pathname} answered ${response.status}: ${text.slice(0, 300)}`,
      );
    }
    repeats.count++;
    await sleep(100);
  }
}
