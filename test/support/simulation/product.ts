import type { Client } from '@temporalio/client';
import type { Request, RequestHandler, Response } from 'express';
import { pino } from 'pino';
import type Stripe from 'stripe';
import type { Twilio } from 'twilio';
import { createActivities } from '../../../activities/activities.js';
import type { Principal } from '../../../api/authenticate.js';
import { createCheckoutOperations } from '../../../api/checkouts/operations.js';
import { parse } from '../../../api/parse.js';
import { createQuoteOperation } from '../../../api/quotes/operations.js';
import { QuoteTokens } from '../../../api/quotes/quote-token.js';
import { quoteRequestSchema } from '../../../api/quotes/schemas.js';
import { createDecision } from '../../../api/refunds/decide.js';
import { createRefundOperation } from '../../../api/refunds/operations.js';
import { Problem } from '../../../api/problem.js';
import { WebhookRelay } from '../../../api/webhooks/relay.js';
import { stripeWebhook } from '../../../api/webhooks/stripe.js';
import { twilioStatusWebhook } from '../../../api/webhooks/twilio.js';
import type { Tenant } from '../../../domain/tenant.js';
import { ApprovalLinks } from '../../../providers/approval/approval-link.js';
import { DecisionTokens } from '../../../providers/approval/decision-token.js';
import { RequestSeal } from '../../../providers/approval/request-seal.js';
import { Ownership } from '../../../providers/stripe/ownership.js';
import { statusCallbackUrl } from '../../../providers/twilio/status-callback.js';
import { twilioAccount } from './vendor-network.js';
import { type Process, runningProcess } from './virtual-time.js';

export const deployment = 'simulated';
export const publicUrl = 'https://pay.example.com';
export const webhookSecret = 'whsec_simulated';
export const identityKey = Buffer.alloc(32, 3);

const key = (byte: number) => Buffer.alloc(32, byte);
const ownership = new Ownership(deployment, key(7));
const decisions = new DecisionTokens(key(8));
const seal = new RequestSeal(key(10));
const tokens = new QuoteTokens(key(11));
const log = pino({ level: 'silent' });
const livemode = false;

export interface ProductParts {
  stripe: Stripe;
  twilio: Twilio;
  tenants: ReadonlyMap<string, Tenant>;
  client: Client;
}

/** Told to a tenant's own system. */
export interface Announcement {
  tenantId: string;
  id: string;
  body: string;
}

/** The activities as the worker's composition root makes them. `announced` answers a tenant's webhook with a status. */
export function createProductActivities(parts: ProductParts, announced: (told: Announcement) => number) {
  const { stripe, twilio, tenants } = parts;
  const hooks = new Map(
    [...tenants.keys()].map((id) => [id, { url: `https://${id}.example.com/hook`, secrets: [] }]),
  );
  return createActivities({
    deployment,
    stripe,
    twilio,
    ownership,
    decisions,
    seal,
    approvalLinks: new ApprovalLinks(key(9)),
    approvalUrl: (token) => `${publicUrl}/approvals/${token}`,
    tenant: (id) => tenants.get(id),
    tenantWebhook: (id) => hooks.get(id),
    sendWebhook: async ({ url }, { id, body }) => {
      const tenantId = new URL(url).hostname.split('.')[0] ?? '';
      return { status: announced({ tenantId, id, body }) };
    },
    statusCallbackUrl: (tenantId, checkoutId) =>
      statusCallbackUrl(publicUrl, ownership.mark({ tenantId, checkoutId })),
  });
}

/** One process of the API: the product's own operations and webhook handlers, called without HTTP. */
export class ApiProcess implements Process {
  alive = true;
  readonly #parts: ProductParts;
  readonly #announces: boolean;
  readonly #quote;
  readonly checkouts;
  readonly refund;
  readonly decide;
  readonly #stripe: { own: RequestHandler; connect: RequestHandler };
  readonly #twilio: RequestHandler;
  #atDeath: (() => void)[] = [];

  constructor(parts: ProductParts, announces: boolean) {
    this.#parts = parts;
    this.#announces = announces;
    const { client, stripe, tenants } = parts;
    const dependencies = {
      client,
      stripe,
      tokens,
      identityKey,
      livemode,
      seal,
      decisions,
      announces: () => this.#announces,
    };
    this.#quote = createQuoteOperation(dependencies);
    this.checkouts = createCheckoutOperations(dependencies);
    this.refund = createRefundOperation(dependencies);
    this.decide = createDecision(dependencies);
    const relay = new WebhookRelay(client);
    const tenant = (id: string) => tenants.get(id);
    const webhooks = { stripe, secrets: [webhookSecret], ownership, relay, livemode, tenant, log };
    this.#stripe = { own: stripeWebhook(webhooks, 'own'), connect: stripeWebhook(webhooks, 'connect') };
    this.#twilio = twilioStatusWebhook({ authToken: twilioAccount.authToken, publicUrl, ownership, relay });
  }

  get client(): Client {
    return this.#parts.client;
  }

  /** Reads a price out for a body as it came, which may be anything. */
  async quote(body: unknown, tenant: Tenant) {
    return this.#quote(parse(quoteRequestSchema, body), tenant);
  }

  /** Runs a request in this process; `undefined` when the process dies over it. */
  async serve<T>(request: () => Promise<T>): Promise<T | undefined> {
    if (!this.alive) return undefined;
    const died = new Promise<undefined>((resolve) => {
      this.#atDeath.push(() => resolve(undefined));
    });
    return Promise.race([runningProcess.run(this, request), died]);
  }

  kill(): void {
    this.alive = false;
    for (const run of this.#atDeath.splice(0)) run();
  }

  /** A webhook as it came; the status it is answered with, 0 when the process died over it. */
  async webhook(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<number> {
    const { pathname, search } = new URL(url);
    const handler = pathname.endsWith('/connect')
      ? this.#stripe.connect
      : pathname.endsWith('/stripe')
        ? this.#stripe.own
        : this.#twilio;
    const answer = { status: 200 };
    const response = {
      locals: {},
      status(code: number) {
        answer.status = code;
        return response;
      },
      json: () => response,
    };
    const request = {
      body: Buffer.from(body),
      path: pathname,
      baseUrl: '',
      originalUrl: pathname + search,
      get: (name: string) => headers[name.toLowerCase()],
    };
    const status = await this.serve(async () => {
      try {
        await handler(request as unknown as Request, response as unknown as Response, () => undefined);
        return answer.status;
      } catch (error) {
        if (error instanceof Problem) return error.status;
        throw error;
      }
    });
    return status ?? 0;
  }
}

/** A credential of a tenant's agent or colleague. */
export const principal = (tenant: Tenant, keyId: string): Principal => ({
  tenant,
  keyId,
  subject: keyId,
  scopes: ['checkout', 'amount', 'refund', 'approve', 'ops'],
});
