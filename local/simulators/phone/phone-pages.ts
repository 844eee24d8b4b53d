import type { MailRecord } from '../mail/mail-sink.js';
import type { ReceivedWebhook } from '../receiver/webhook-receiver.js';
import type { AgentAuthorization } from '../stripe/stripe-state.js';
import type { SmsRecord } from '../twilio/twilio-state.js';
import { html, linkified, type Html } from './html.js';
import { moneyText } from './money-text.js';
import { page } from './page.js';

/** One caller as the stand-ins know them (a phone number or an e-mail address), or a person's inbox. */
export interface Caller {
  path: string;
  icon: '☎' | '@' | '✉';
  who: string;
  waiting: number;
  last: string;
}

export function callersPage(callers: readonly Caller[], version: string): string {
  const entries = callers.map(
    ({ path, icon, who, waiting, last }) =>
      html`<a class="card entry row" href="${path}">
        <span class="badge round" aria-hidden="true">${icon}</span>
        <span class="grow"><strong>${who}</strong><span class="soft one-line">${last}</span></span>
        ${waiting > 0 ? html`<span class="pill wait">${waiting} to approve</span>` : null}
      </a>`,
  );
  const empty = html`<section class="card center">
    <h1>No calls yet</h1>
    <p class="soft">As soon as an agent asks a caller to pay, the caller's phone appears here.</p>
  </section>`;
  const content = html`<header>
      <h1>Callers' phones</h1>
      <p class="soft">
        Pick one to see what the caller sees, or see <a href="/received">what the tenants' systems got</a>.
      </p>
    </header>
    ${entries.length === 0 ? empty : entries}`;
  return page("Callers' phones", content, { path: '/phone-version', version });
}

const timeText = (ms: number): string =>
  new Date(ms).toLocaleTimeString('en-US', { hour: 'numeric', minute: '2-digit' });

const STATUS: Record<string, [string, string]> = {
  pending: ['Waiting for you', 'wait'],
  approved: ['Approved', 'good'],
  declined: ['Declined', 'bad'],
  canceled: ['Withdrawn', ''],
  expired: ['Expired', ''],
};

function walletCard(authorization: AgentAuthorization, who: string, merchant: string, nowS: number): Html {
  const { id, status, expires_at, customer } = authorization;
  const amount = moneyText(authorization.amount, authorization.currency);
  const [label, tone] = STATUS[status] ?? [status, ''];
  const head = html`<div class="row">
    <span class="badge" aria-hidden="true">${merchant.slice(0, 1).toUpperCase()}</span>
    <div class="grow">
      <p><strong>${merchant}</strong></p>
      <p class="soft">${status === 'pending' ? 'asks you to pay' : amount}</p>
    </div>
    <span class="pill ${tone}">${label}</span>
  </div>`;
  const name = `request-${id}`;
  if (status !== 'pending') return html`<article class="card">${head}</article>`;
  const minutes = Math.max(1, Math.ceil((expires_at - nowS) / 60));
  const action = `/phone/${encodeURIComponent(who)}/${id}`;
  return html`<article class="card" aria-labelledby="${name}">
    ${head}
    <p class="amount" id="${name}">${amount}</p>
    <p class="quote">${authorization.agent_intent}</p>
    <form method="post" action="${action}" class="pair">
      <button class="plain" name="decision" value="decline">Decline</button>
      <button name="decision" value="approve">Approve</button>
    </form>
    <p class="soft center">
      ${customer.email === null ? 'Paid with your Link wallet' : `Link wallet of ${customer.email}`} · open
      for ${minutes} min
    </p>
  </article>`;
}

function bubble(sms: SmsRecord): Html {
  if (sms.direction === 'inbound') {
    return html`<div><p class="bubble mine">${sms.body}</p></div>`;
  }
  const sender = sms.from ?? 'Messaging service';
  if (sms.status === 'undelivered') {
    return html`<p class="note bad">A message from ${sender} did not arrive (error ${sms.error_code}).</p>`;
  }
  return html`<div>
    <p class="bubble">${linkified(sms.body)}</p>
    <p class="meta">
      ${sender} · ${timeText(sms.sent ?? sms.created)}${sms.status === 'delivered' ? '' : ' · arriving'}
    </p>
  </div>`;
}

/** What came to one e-mail address, newest first; of a mail only its text is shown. */
export function mailPage(
  address: string,
  mails: readonly MailRecord[],
  path: string,
  version: string,
): string {
  const cards = mails.map(
    (mail) =>
      html`<article class="card">
        <div>
          <h1>${mail.subject}</h1>
          <p class="soft">
            ${mail.from} ·
            ${timeText(Date.parse(mail.received))}${mail.copies > 1 ? ` · ${mail.copies} copies` : ''}
          </p>
        </div>
        <p class="text">${linkified(mail.text)}</p>
      </article>`,
  );
  const content = html`${heading('✉', address)}
  ${cards.length === 0 ? html`<p class="card center soft">No mail.</p>` : cards}`;
  return page(`Mail of ${address}`, content, { path: `${path}/version`, version });
}

/** The tenants' webhooks, latest first. */
export function receivedPage(received: readonly ReceivedWebhook[], version: string): string {
  const cards = received.map(
    ({ id, type, tenant, timestamp, verified, payload, attempts, status }) =>
      html`<article class="card">
        <div class="row">
          <div class="grow">
            <p><strong>${type || 'No type'}</strong></p>
            <p class="soft">
              ${tenant} · ${timestamp === null ? 'no time' : timeText(timestamp * 1000)} ·
              ${attempts === 1 ? '1 attempt' : `${attempts} attempts`} · answered ${status ?? 'nothing'}
            </p>
            <p class="soft one-line">${id}</p>
          </div>
          <span class="pill ${verified ? 'good' : 'bad'}">${verified ? '✓ verified' : '✗ not verified'}</span>
        </div>
        <p class="text quote">${JSON.stringify(payload, null, 2)}</p>
      </article>`,
  );
  const content = html`${heading('⇢', 'Received webhooks')}
  ${cards.length === 0 ? html`<p class="card center soft">Nothing yet.</p>` : cards}`;
  return page('Received webhooks', content, { path: '/received/version', version });
}

const heading = (icon: string, title: string): Html =>
  html`<header class="row">
    <span class="badge round" aria-hidden="true">${icon}</span>
    <div class="grow">
      <h1>${title}</h1>
      <p class="soft"><a href="/phone">All phones</a></p>
    </div>
  </header>`;

/** The caller's phone: what waits for approval, then the inbox. */
export function phonePage(
  who: string,
  authorizations: readonly AgentAuthorization[],
  messages: readonly SmsRecord[],
  options: { merchant: string; nowS: number; version: string; problem: string | undefined },
): string {
  const { merchant, nowS, version, problem } = options;
  const cards = authorizations.map((authorization) => walletCard(authorization, who, merchant, nowS));
  const action = `/phone/${encodeURIComponent(who)}`;
  const inbox = html`<h2>Messages</h2>
    <section class="thread" aria-label="Messages" aria-live="polite">
      ${messages.length === 0 ? html`<p class="card center soft">No messages.</p>` : messages.map(bubble)}
    </section>
    <form method="post" action="${action}/reply" class="reply">
      <label
        ><span class="hidden">Reply</span
        ><input name="body" placeholder="Reply, for example STOP" required autocomplete="off"
      /></label>
      <button class="plain">Send</button>
    </form>`;
  const content = html`${heading(who.includes('@') ? '@' : '☎', who)}
    ${problem === undefined ? null : html`<p class="note bad" role="alert">${problem}</p>`}
    <h2>Wallet</h2>
    ${cards.length === 0 ? html`<p class="card center soft">Nothing to approve.</p>` : cards}
    ${who.includes('@') ? null : inbox}`;
  return page(`Phone ${who}`, content, { path: `${action}/version`, version });
}
