import { startSimulators } from '../../local/simulators/simulators.js';

export const twilioAccount = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'twilio_test_token' };

/** One line of the stand-ins' request log. */
export interface SeenRequest {
  vendor: 'stripe' | 'twilio';
  method: string;
  path: string;
  idempotency_key: string | null;
  status: number | null;
  replayed: boolean;
  account: string | null;
  params: Record<string, string>;
}

export interface SeenMessage {
  sid: string;
  to: string;
  body: string;
  status: string;
}

interface Ledger {
  charges: { payment_intent: string; amount: number; account: string | null }[];
  live_instruments: { type: string; id: string }[];
}

/** The stand-ins and what a test does with them: faults, the caller's hand, the books. */
export async function startStandIns() {
  const { url, close } = await startSimulators({ twilioAccount });
  async function local<T>(method: string, path: string, body?: object): Promise<T> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`${url}/_local${path}`, init);
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
    return (await response.json()) as T;
  }
  return {
    url,
    close,
    act: (path: string, body: object = {}) => local<Record<string, unknown>>('POST', path, body),
    fault: (rule: object) => local('POST', '/faults', rule),
    /** The vendor acts, and its answer to one activity is lost. */
    loseAnswers: (route: string) => local('POST', '/faults', { route, kind: 'after_effect_drop', times: 1 }),
    ledger: () => local<Ledger>('GET', '/ledger'),
    messages: async (to: string) =>
      (await local<{ messages: SeenMessage[] }>('GET', `/messages?to=${encodeURIComponent(to)}`)).messages,
    requests: async () => (await local<{ requests: SeenRequest[] }>('GET', '/requests')).requests,
  };
}

export type StandIns = Awaited<ReturnType<typeof startStandIns>>;
