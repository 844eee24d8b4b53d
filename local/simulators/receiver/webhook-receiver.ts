import express, { Router, type Request } from 'express';
import { Webhook } from 'standardwebhooks';
import { hangUp } from '../serve-over-http.js';
import type { VendorPlumbing } from '../vendor-plumbing.js';

/** One webhook as the tenant's own system saw it. */
export interface ReceivedWebhook {
  /** Its `webhook-id`: the same in every attempt. */
  id: string;
  type: string;
  tenant: string;
  /** `webhook-timestamp` of the last attempt, Unix seconds. */
  timestamp: number | null;
  /** Every attempt was signed rightly and in time. */
  verified: boolean;
  /** Parsed, of the first attempt; the text itself where it is no JSON. */
  payload: unknown;
  /** All that arrived, also those that a fault refused. */
  attempts: number;
  /** The last answer; null where a fault dropped it. */
  status: number | null;
}

export interface ReceiverState {
  /** In the order of their last attempts. */
  received: ReceivedWebhook[];
}

export const emptyReceiverState = (): ReceiverState => ({ received: [] });
export const RECEIVER_ROUTE = 'POST /_local/receiver/:tenant';

const KEPT = 1_000;

function verified(webhook: Webhook | undefined, req: Request, body: string): boolean {
  try {
    const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
    const headers = Object.fromEntries(names.map((name) => [name, req.get(name) ?? '']));
    webhook?.verify(body, headers, { jsonParse: false });
    return webhook !== undefined;
  } catch {
    return false;
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function typeOf(payload: unknown): string {
  const type =
    typeof payload === 'object' && payload !== null && 'type' in payload ? payload.type : undefined;
  return typeof type === 'string' ? type : '';
}

/** The tenants' own systems: they take any webhook and remember whether its signature held. */
export function receiverRoutes(
  state: ReceiverState,
  { clock, faults, touch }: VendorPlumbing,
  secrets: Readonly<Record<string, string>>,
): Router {
  const webhooks = new Map(Object.entries(secrets).map(([tenant, secret]) => [tenant, new Webhook(secret)]));
  const router = Router();
  router.post('/receiver/:tenant', express.text({ type: () => true, limit: '1mb' }), async (req, res) => {
    const fault = faults.takeRoute(req.method, req.baseUrl + req.path);
    if (fault !== undefined) touch();
    if (fault?.kind === 'before') return hangUp(res);
    await faults.pause(fault, clock);
    const id = req.get('webhook-id');
    if (!id) return void res.status(400).json({ error: { message: 'webhook-id is missing.' } });
    const { tenant } = req.params;
    const body = typeof req.body === 'string' ? req.body : '';
    const good = verified(webhooks.get(tenant), req, body);
    const known = state.received.find((other) => other.id === id && other.tenant === tenant);
    const payload = known === undefined ? parsed(body) : known.payload;
    const seconds = Number(req.get('webhook-timestamp') ?? NaN);
    const status = fault?.kind === 'status' ? (fault.status ?? 500) : 204;
    const dropped = fault?.kind === 'after_effect_drop';
    if (known !== undefined) state.received.splice(state.received.indexOf(known), 1);
    state.received.push({
      ...{ id, tenant, payload, type: typeOf(payload) },
      timestamp: Number.isInteger(seconds) ? seconds : null,
      verified: good && known?.verified !== false,
      attempts: (known?.attempts ?? 0) + 1,
      status: dropped ? null : status,
    });
    state.received.splice(0, state.received.length - KEPT);
    touch();
    if (dropped) return hangUp(res);
    if (fault?.retry_after !== undefined) res.set('retry-after', String(fault.retry_after));
    res.status(status).end();
  });
  router.get('/received', (req, res) => {
    const { tenant } = req.query;
    const received = state.received.filter((one) => tenant === undefined || one.tenant === tenant).reverse();
    res.json({ received });
  });
  return router;
}
