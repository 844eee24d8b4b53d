import express, { Router, type Request, type Response } from 'express';
import { parseForm } from './form-params.js';
import {
  approveAuthorization,
  declineAuthorization,
  expireAuthorization,
} from './stripe/agent-authorizations.js';
import type { MailState } from './mail/mail-sink.js';
import { expireSession, paySession, settleIntent } from './stripe/checkout-sessions.js';
import { readLedger } from './stripe/ledger.js';
import { failRefund, settleRefund } from './stripe/refunds.js';
import { StripeRefusal, invalidParam, missingObject, wrongState } from './stripe/stripe-refusal.js';
import type { StripeWorld } from './stripe/stripe-world.js';
import type { SmsNetwork } from './twilio/sms-network.js';
import type { VendorPlumbing } from './vendor-plumbing.js';

/** The body as an object, whether it came as JSON or as a form. */
function given(req: Request): Record<string, unknown> {
  const text = typeof req.body === 'string' ? req.body.trim() : '';
  if (!text.startsWith('{')) return Object.fromEntries(parseForm(text));
  return JSON.parse(text) as Record<string, unknown>;
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const idOf = (req: Request): string => String(req.params['id']);

/** `?metadata[order]=7` names objects that carry just that. */
const carries =
  (query: Request['query']) =>
  ({ object }: { object: { metadata: Record<string, string> | null } }): boolean =>
    Object.entries(query).every(([name, value]) => {
      const [, key] = /^metadata\[(.+)\]$/.exec(name) ?? [];
      return key === undefined || object.metadata?.[key] === value;
    });

function found<T>(records: Record<string, T>, id: string): T {
  const record = records[id];
  if (record === undefined) throw missingObject('object', id);
  return record;
}

/** Everything a caller, a bank or a test does that no vendor's API offers. */
export function localRoutes(
  world: StripeWorld,
  network: SmsNetwork,
  mail: MailState,
  plumbing: VendorPlumbing,
): Router {
  const router = Router();
  const { clock, faults, log, touch } = plumbing;
  const { state } = world;
  router.use(express.text({ type: () => true }));

  /** Runs one change and answers the object; a refusal answers as the vendor's error. */
  const act = (path: string, change: (req: Request, body: Record<string, unknown>) => object): void => {
    router.post(path, (req: Request, res: Response) => {
      try {
        res.json(change(req, given(req)));
      } catch (error) {
        if (error instanceof StripeRefusal) res.status(error.status).json({ error: error.body });
        else if (error instanceof SyntaxError) res.status(400).json({ error: { message: error.message } });
        else throw error;
      }
      touch();
    });
  };

  act('/agent_authorizations/:id/approve', (req, body) => {
    const record = found(state.authorizations, idOf(req));
    approveAuthorization(world, record, {
      ...{ grants: textOf(body['grants']), outcome: textOf(body['outcome']) },
      bare: body['bare'] === true,
    });
    return record.object;
  });
  act('/agent_authorizations/:id/decline', (req) => {
    const record = found(state.authorizations, idOf(req));
    declineAuthorization(world, record);
    return record.object;
  });
  act('/agent_authorizations/:id/expire', (req) => {
    const { object } = found(state.authorizations, idOf(req));
    expireAuthorization(object);
    return object;
  });
  act('/checkout_sessions/:id/pay', (req, body) => {
    const record = found(state.sessions, idOf(req));
    paySession(world, record, textOf(body['outcome']) ?? 'succeeded', textOf(body['email']));
    return record.object;
  });
  act('/checkout_sessions/:id/expire', (req) => {
    const record = found(state.sessions, idOf(req));
    if (record.object.status !== 'open')
      throw wrongState('checkout_session_not_open', 'The session is not open.');
    expireSession(world, record);
    return record.object;
  });
  act('/payment_intents/:id/settle', (req, body) => {
    const record = found(state.intents, idOf(req));
    settleIntent(world, record, textOf(body['outcome']) ?? 'succeeded');
    return record.object;
  });
  act('/charges/:id/dispute', (req) => {
    const { object } = found(state.charges, idOf(req));
    object.disputed = true;
    return object;
  });
  act('/refunds/:id/settle', (req, body) => {
    const record = found(state.refunds, idOf(req));
    settleRefund(world, record, textOf(body['outcome']) ?? 'succeeded');
    return record.object;
  });
  act('/refunds/:id/fail', (req) => {
    const record = found(state.refunds, idOf(req));
    failRefund(world, record);
    return record.object;
  });
  act('/messages/inbound', (_req, body) =>
    network.receive(textOf(body['from']) ?? '', textOf(body['body']) ?? ''),
  );

  act('/faults', (_req, body) => {
    const problem = faults.add(body);
    if (problem !== undefined) throw invalidParam('fault', problem);
    return faults.state;
  });
  router.delete('/faults', (req, res) => {
    const which = { ...req.query, ...given(req) };
    faults.remove(textOf(which['route']), textOf(which['webhook']));
    touch();
    res.json(faults.state);
  });
  router.get('/faults', (_req, res) => void res.json(faults.state));

  router.get('/ledger', (_req, res) => void res.json(readLedger(state, clock.seconds())));
  router.get('/requests', (req, res) => void res.json({ requests: log.since(textOf(req.query['since'])) }));
  router.get('/messages', (req, res) => {
    const to = textOf(req.query['to']);
    const messages = Object.values(network.state.messages)
      // A "+" that a caller forgot to encode arrives as a space.
      .filter((sms) => to === undefined || sms.to === to || sms.to === to.replace(/^ /, '+'))
      .map(({ sid, to, from, body, status, error_code, direction, created }) => ({
        ...{ sid, to, from, body, status, error_code, direction },
        created: new Date(created).toISOString(),
      }))
      .reverse();
    res.json({ messages });
  });
  router.get('/mails', (req, res) => {
    const to = textOf(req.query['to'])?.replaceAll(' ', '+').toLowerCase();
    res.json({ mails: mail.mails.filter((one) => to === undefined || one.to === to).reverse() });
  });
  router.get('/agent_authorizations', (req, res) => {
    const email = textOf(req.query['email']);
    const phone = textOf(req.query['phone'])?.replace(/^ /, '+');
    const data = Object.values(state.authorizations)
      .filter(({ object }) => email === undefined || object.customer.email === email)
      .filter(({ object }) => phone === undefined || object.customer.phone === phone)
      .filter(carries(req.query))
      .map(({ account, object }) => ({ ...object, account }))
      .reverse();
    res.json({ data });
  });
  router.get('/checkout_sessions', (req, res) => {
    const data = Object.values(state.sessions)
      .filter(carries(req.query))
      .map(({ account, object }) => ({ ...object, account }));
    res.json({ data: data.reverse() });
  });
  return router;
}
