import { until } from './until.js';

export interface Ledger {
  charges: {
    id: string;
    payment_intent: string;
    amount: number;
    currency: string;
    account: string | null;
    metadata: Record<string, string>;
    amount_refunded: number;
  }[];
  refunds: {
    id: string;
    payment_intent: string;
    amount: number;
    status: string;
    account: string | null;
    metadata: Record<string, string>;
  }[];
  live_instruments: { type: string; id: string; account: string | null; metadata: Record<string, string> }[];
}

/** A webhook that a tenant's own system got. */
export interface Received {
  id: string;
  type: string;
  tenant: string;
  verified: boolean;
  attempts: number;
  status: number | null;
  payload: { type: string; timestamp: string; data: Record<string, unknown> };
}

export interface LoggedRequest {
  seq: number;
  at: number;
  method: string;
  path: string;
  route: string | null;
  idempotency_key: string | null;
  status: number | null;
  replayed: boolean;
  account: string | null;
  params: Record<string, string>;
}

export interface Instrument {
  id: string;
  status: string;
  account: string | null;
  metadata: Record<string, string>;
  payment_intent: string | null;
}

export interface Message {
  sid: string;
  to: string;
  body: string;
  status: string;
}

export interface Mail {
  to: string;
  from: string;
  subject: string;
  text: string;
  message_id: string | null;
  /** How often it was sent. */
  copies: number;
}

type Outcome = 'succeeded' | 'declined' | 'processing' | 'authentication_required' | 'insufficient_funds';

/** What callers, banks and the weather do at the stand-ins; and what an auditor reads there. */
export class StandIns {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  ledger(): Promise<Ledger> {
    return this.#read('/ledger');
  }

  async messages(to: string): Promise<Message[]> {
    return (await this.#read<{ messages: Message[] }>(`/messages?to=${encodeURIComponent(to)}`)).messages;
  }

  async mails(to: string): Promise<Mail[]> {
    return (await this.#read<{ mails: Mail[] }>(`/mails?to=${encodeURIComponent(to)}`)).mails;
  }

  /** The card's holder disputes a charge at their bank. */
  dispute(charge: string): Promise<boolean> {
    return this.#do(`/charges/${charge}/dispute`);
  }

  /** The bank's answer to a refund that is under way. False when it is not. */
  settleRefund(id: string, outcome: 'succeeded' | 'failed'): Promise<boolean> {
    return this.#do(`/refunds/${id}/settle`, { outcome });
  }

  /** The bank returns a refund. False when it cannot. */
  failRefund(id: string): Promise<boolean> {
    return this.#do(`/refunds/${id}/fail`);
  }

  /** Requests the vendors saw, oldest first; `route` as in `POST /v1/checkout/sessions`. */
  async requests(about: { checkoutId?: string; object?: string; route?: string }): Promise<LoggedRequest[]> {
    const { requests } = await this.#read<{ requests: LoggedRequest[] }>('/requests');
    const { checkoutId, object, route } = about;
    return requests.filter(
      (request) =>
        (route === undefined || route === `${request.method} ${request.route}`) &&
        (object === undefined || request.path.includes(object)) &&
        (checkoutId === undefined ||
          (request.idempotency_key ?? '').includes(checkoutId) ||
          Object.values(request.params).includes(checkoutId)),
    );
  }

  /** The wallet request of a checkout, as soon as there is one. */
  authorization(checkoutId: string): Promise<Instrument> {
    return this.#instrument('/agent_authorizations', checkoutId);
  }

  /** The newest payment page of a checkout, as soon as there is one. */
  session(checkoutId: string): Promise<Instrument> {
    return this.#instrument('/checkout_sessions', checkoutId);
  }

  /** The caller taps Approve. False when it is too late. */
  async approve(
    checkoutId: string,
    choice: {
      grants?: 'payment' | 'shared_payment_token' | 'nothing';
      outcome?: Outcome;
      bare?: boolean;
    } = {},
  ): Promise<boolean> {
    const { id } = await this.authorization(checkoutId);
    return this.#do(`/agent_authorizations/${id}/approve`, choice);
  }

  /** Every wallet request of a checkout that the caller can see. */
  async authorizations(checkoutId: string): Promise<Instrument[]> {
    const { data } = await this.#read<{ data: Instrument[] }>('/agent_authorizations');
    return data.filter(({ metadata }) => metadata['vc_checkout'] === checkoutId);
  }

  async deny(checkoutId: string): Promise<boolean> {
    const { id } = await this.authorization(checkoutId);
    return this.#do(`/agent_authorizations/${id}/decline`);
  }

  /** The caller submits the page. False when it is too late. */
  async pay(checkoutId: string, outcome: Outcome = 'succeeded'): Promise<boolean> {
    const { id } = await this.session(checkoutId);
    return this.payPage(id, outcome);
  }

  /** As `pay`, on a page of which there are several. */
  payPage(session: string, outcome: Outcome = 'succeeded'): Promise<boolean> {
    return this.#do(`/checkout_sessions/${session}/pay`, { outcome });
  }

  /** The bank's verdict on a payment under way on the checkout's page. */
  async settle(checkoutId: string, outcome: 'succeeded' | 'failed'): Promise<boolean> {
    const { payment_intent } = await this.session(checkoutId);
    return this.settlePayment(payment_intent ?? '', outcome);
  }

  /** As `settle`, of a payment of which there are several. */
  settlePayment(paymentIntent: string, outcome: 'succeeded' | 'failed'): Promise<boolean> {
    return this.#do(`/payment_intents/${paymentIntent}/settle`, { outcome });
  }

  /** Faults on routes and webhooks; those of one route are consumed in the order they were added. */
  async fault(...rules: object[]): Promise<void> {
    for (const rule of rules) {
      if (!(await this.#do('/faults', rule))) throw new Error(`refused fault ${JSON.stringify(rule)}`);
    }
  }

  /** Until every fault on a route has met its request. */
  async untilMet(route: string): Promise<void> {
    await until(`the faults of ${route} to be met`, async () => {
      const { routes } = await this.#read<{ routes: { route: string }[] }>('/faults');
      return routes.every((fault) => fault.route !== route);
    });
  }

  /** Lets go what a fault of the kind `hold` keeps waiting on a route, as that fault names it. */
  async release(route: string): Promise<void> {
    const query = new URLSearchParams({ route });
    const response = await fetch(`${this.url}/_local/faults?${query.toString()}`, { method: 'DELETE' });
    await response.arrayBuffer();
  }

  async clearFaults(): Promise<void> {
    const response = await fetch(`${this.url}/_local/faults`, { method: 'DELETE' });
    await response.arrayBuffer();
  }

  #instrument(list: string, checkoutId: string): Promise<Instrument> {
    return until(`${list} of ${checkoutId}`, async () => {
      const { data } = await this.#read<{ data: Instrument[] }>(list);
      return data.find(({ metadata }) => metadata['vc_checkout'] === checkoutId);
    });
  }

  /** What the tenants' own systems got so far, newest first. */
  async received(): Promise<Received[]> {
    return (await this.#read<{ received: Received[] }>('/received')).received;
  }

  async #read<T>(path: string): Promise<T> {
    const response = await fetch(`${this.url}/_local${path}`);
    return (await response.json()) as T;
  }

  async #do(path: string, body: object = {}): Promise<boolean> {
    const response = await fetch(`${this.url}/_local${path}`, { method: 'POST', body: JSON.stringify(body) });
    await response.arrayBuffer();
    return response.ok;
  }
}
