import { createHash } from 'node:crypto';
import express, { Router, type Request, type Response } from 'express';
import { parseForm, type FormParams } from '../form-params.js';
import type { MailRecord, MailState } from '../mail/mail-sink.js';
import type { ReceiverState } from '../receiver/webhook-receiver.js';
import { approveAuthorization, declineAuthorization } from '../stripe/agent-authorizations.js';
import { paySession } from '../stripe/checkout-sessions.js';
import { StripeRefusal } from '../stripe/stripe-refusal.js';
import type { AgentAuthorization, SessionRecord } from '../stripe/stripe-state.js';
import type { StripeWorld } from '../stripe/stripe-world.js';
import type { SmsNetwork } from '../twilio/sms-network.js';
import type { SmsRecord } from '../twilio/twilio-state.js';
import { PAGE_HEADERS, page } from './page.js';
import { html } from './html.js';
import { outcomeOfCard, payPage, type PayNotice } from './pay-page.js';
import { callersPage, mailPage, phonePage, receivedPage, type Caller } from './phone-pages.js';

const SHOWN = 20;
/** Where a session names no merchant. */
const MERCHANT = 'Acme';

const paramOf = (req: Request, name: string): string => String(req.params[name]);
const formOf = (req: Request): FormParams => parseForm(typeof req.body === 'string' ? req.body : '');
const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

/** People's side: wallet approvals, the SMS and mail inboxes, the hosted payment page, and what tenants received. */
export function phoneRoutes(
  world: StripeWorld,
  network: SmsNetwork,
  mail: MailState,
  receiver: ReceiverState,
  touch: () => void,
): Router {
  const router = Router();
  router.use(express.text({ type: () => true }));
  const send = (res: Response, text: string, status = 200): void =>
    void res.status(status).set(PAGE_HEADERS).type('html').send(text);
  const missing = (res: Response): void => {
    send(
      res,
      page(
        'Not found',
        html`<section class="card center">
          <h1>There is nothing here</h1>
          <p class="soft">The address may be old or mistyped.</p>
        </section>`,
      ),
      404,
    );
  };

  /** Requests to this number; those made by e-mail name no number, so every phone shows them. */
  const authorizationsOf = (who: string): AgentAuthorization[] =>
    Object.values(world.state.authorizations)
      .map((record) => record.object)
      .filter(
        ({ customer }) =>
          customer.phone === who ||
          (customer.email !== null && (!who.includes('@') || customer.email === who)),
      )
      .reverse()
      .sort((a, b) => Number(b.status === 'pending') - Number(a.status === 'pending'))
      .slice(0, SHOWN);
  const messagesOf = (who: string): SmsRecord[] =>
    Object.values(network.state.messages)
      .filter((sms) => (sms.direction === 'inbound' ? sms.from === who : sms.to === who))
      .slice(-SHOWN);
  const phoneVersion = (who: string): string =>
    digest([authorizationsOf(who).map((a) => a.id + a.status), messagesOf(who).map((m) => m.sid + m.status)]);

  const callers = (): Caller[] => {
    const seen = new Map<string, Caller & { at: number }>();
    const note = (who: string, at: number, waiting: number, last: string, folder = '/phone'): void => {
      const path = `${folder}/${encodeURIComponent(who)}`;
      const known = seen.get(path);
      const newest = known !== undefined && known.at > at ? { at: known.at, last: known.last } : { at, last };
      const icon = folder !== '/phone' ? '✉' : who.includes('@') ? '@' : '☎';
      seen.set(path, { path, icon, who, waiting: (known?.waiting ?? 0) + waiting, ...newest });
    };
    for (const { to, received, subject } of mail.mails)
      note(to, Date.parse(received), 0, subject, '/phone/mail');
    for (const { object } of Object.values(world.state.authorizations)) {
      const { customer, created, status } = object;
      note(
        customer.phone ?? customer.email ?? '',
        created * 1000,
        status === 'pending' ? 1 : 0,
        `Wallet request ${status}`,
      );
    }
    for (const sms of Object.values(network.state.messages)) {
      const who = sms.direction === 'inbound' ? sms.from : sms.to;
      if (who) note(who, sms.created, 0, sms.body);
    }
    return [...seen.values()].sort((a, b) => b.at - a.at).slice(0, 100);
  };

  router.get(['/', '/phone'], (_req, res) => send(res, callersPage(callers(), digest(callers()))));
  router.get('/phone-version', (_req, res) => void res.type('text').send(digest(callers())));
  router.get(
    '/phone/:who/version',
    (req, res) => void res.type('text').send(phoneVersion(paramOf(req, 'who'))),
  );
  const mailsOf = (address: string): MailRecord[] =>
    mail.mails.filter(({ to }) => to === address.toLowerCase()).reverse();
  const mailVersion = (address: string): string => digest(mailsOf(address).map((m) => m.id + m.copies));
  router.get('/phone/mail/:address', ({ params: { address } }, res) => {
    const path = `/phone/mail/${encodeURIComponent(address)}`;
    send(res, mailPage(address, mailsOf(address).slice(0, SHOWN), path, mailVersion(address)));
  });
  router.get(
    '/phone/mail/:address/version',
    (req, res) => void res.type('text').send(mailVersion(req.params.address)),
  );
  const receivedVersion = (): string => digest(receiver.received.map((r) => [r.id, r.attempts]));
  router.get('/received', (_req, res) =>
    send(res, receivedPage(receiver.received.slice(-100).reverse(), receivedVersion())),
  );
  router.get('/received/version', (_req, res) => void res.type('text').send(receivedVersion()));

  const showPhone = (res: Response, who: string, problem?: string): void => {
    const options = { merchant: MERCHANT, nowS: world.clock.seconds(), version: phoneVersion(who), problem };
    send(res, phonePage(who, authorizationsOf(who), messagesOf(who), options));
  };
  router.get('/phone/:who', (req, res) => showPhone(res, paramOf(req, 'who')));
  router.post('/phone/:who/reply', (req, res) => {
    const who = paramOf(req, 'who');
    const body = formOf(req).get('body')?.trim();
    if (body) network.receive(who, body);
    touch();
    res.redirect(303, `/phone/${encodeURIComponent(who)}`);
  });
  router.post('/phone/:who/:id', (req, res) => {
    const record = world.state.authorizations[paramOf(req, 'id')];
    if (record === undefined) return missing(res);
    try {
      if (formOf(req).get('decision') === 'approve') approveAuthorization(world, record);
      else declineAuthorization(world, record);
    } catch (error) {
      if (!(error instanceof StripeRefusal)) throw error;
      return showPhone(res, paramOf(req, 'who'), 'This request was no longer open.');
    }
    touch();
    res.redirect(303, `/phone/${encodeURIComponent(paramOf(req, 'who'))}`);
  });

  const showPay = async (res: Response, record: SessionRecord, notice: PayNotice = {}): Promise<void> => {
    const returnUrl = record.object.status === 'complete' ? await reachableReturn(record) : undefined;
    send(res, payPage(record, record.merchant ?? MERCHANT, notice, returnUrl));
  };
  router.get('/c/pay/:id', async (req, res) => {
    const record = world.state.sessions[paramOf(req, 'id')];
    if (record === undefined) return missing(res);
    await showPay(res, record);
  });
  router.post('/c/pay/:id', async (req, res) => {
    const record = world.state.sessions[paramOf(req, 'id')];
    if (record === undefined) return missing(res);
    const form = formOf(req);
    const email = form.get('email') || undefined;
    const outcome =
      form.get('method') === 'bank' ? 'processing' : outcomeOfCard(form.get('card_number') ?? '');
    if (record.object.status === 'open') {
      if (outcome === undefined) {
        return showPay(res, record, {
          email,
          problem: 'Only test cards work here. Please never type a real card number.',
        });
      }
      paySession(world, record, outcome, email);
      touch();
      if (record.object.status === 'open')
        return showPay(res, record, { email, problem: declineText(world, record) });
    }
    res.redirect(303, `/c/pay/${record.object.id}`);
  });
  return router;
}

function declineText(world: StripeWorld, record: SessionRecord): string {
  const id = record.object.payment_intent;
  const error = typeof id === 'string' ? world.state.intents[id]?.object.last_payment_error : undefined;
  return `${error?.message ?? 'Your card was declined.'} Nothing was charged. Please try another card.`;
}

/** The merchant's page, unless it is on this machine and does not answer: a dead link is worse than none. */
async function reachableReturn(record: SessionRecord): Promise<string | undefined> {
  const { success_url, id } = record.object;
  if (success_url === null) return undefined;
  const url = success_url.replace('{CHECKOUT_SESSION_ID}', id);
  if (!/^https?:\/\/(127\.|localhost|\[::1\])/.test(url)) return /^https?:/.test(url) ? url : undefined;
  try {
    await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(400) });
    return url;
  } catch {
    return undefined;
  }
}
