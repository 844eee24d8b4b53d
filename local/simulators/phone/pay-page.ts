import type { SessionRecord } from '../stripe/stripe-state.js';
import { html, type Html } from './html.js';
import { moneyText } from './money-text.js';
import { page } from './page.js';

/** Test cards and the outcome each brings. Any other number is refused, so that nobody types a real one. */
const CARDS: Record<string, string> = {
  '4242424242424242': 'succeeded',
  '5555555555554444': 'succeeded',
  '4000000000000002': 'declined',
  '4000000000009995': 'insufficient_funds',
  '4000000000000069': 'expired_card',
  '4000000000000341': 'processing',
};

export function outcomeOfCard(number: string): string | undefined {
  return CARDS[number.replaceAll(/[\s-]/g, '')];
}

export interface PayNotice {
  problem?: string | undefined;
  email?: string | undefined;
}

/** The hosted payment page in each state of its session. */
export function payPage(
  record: SessionRecord,
  merchant: string,
  notice: PayNotice,
  returnUrl?: string,
): string {
  const { object: session } = record;
  const amount = moneyText(session.amount_total ?? 0, session.currency ?? 'usd');
  const head = html`<header class="row">
    <span class="badge" aria-hidden="true">${merchant.slice(0, 1).toUpperCase()}</span>
    <div class="grow">
      <p><strong>${merchant}</strong></p>
      <p class="soft">Secure checkout</p>
    </div>
  </header>`;
  if (session.status === 'open') {
    return page(`Pay ${merchant}`, html`${head}${payForm(record, amount, notice)}`);
  }
  if (session.status !== 'complete') {
    return page(
      'Link expired',
      html`${head}
        <section class="card center">
          <div class="done off" aria-hidden="true">–</div>
          <h1>This payment link has expired</h1>
          <p class="soft">Nothing was charged. Ask ${merchant} for a new link if you still want to pay.</p>
        </section>`,
    );
  }
  const paid = session.payment_status === 'paid';
  return page(
    paid ? 'Payment complete' : 'Payment processing',
    html`${head}
      <section class="card center">
        <div class="done ${paid ? '' : 'wait'}" aria-hidden="true">${paid ? '✓' : '…'}</div>
        <h1>${paid ? 'Payment complete' : 'Payment is processing'}</h1>
        <p class="soft">
          ${paid ? 'Thank you. You can go back to your call now.' : 'Your bank will confirm it. There is nothing more to do.'}
        </p>
        <dl>
          <dt>Amount</dt>
          <dd><strong>${amount}</strong></dd>
          <dt>For</dt>
          <dd>${record.description}</dd>
          <dt>Paid to</dt>
          <dd>${merchant}</dd>
          ${
            session.customer_details?.email
              ? html`<dt>E-mail</dt>
                  <dd>${session.customer_details.email}</dd>`
              : null
          }
        </dl>
        ${returnUrl === undefined ? null : html`<a class="button plain" href="${returnUrl}">Return to ${merchant}</a>`}
      </section>`,
  );
}

function payForm(record: SessionRecord, amount: string, notice: PayNotice): Html {
  const { object: session } = record;
  const email = notice.email ?? session.customer_email ?? '';
  return html`<section class="card">
    <div>
      <p class="soft">${record.description}</p>
      <h1 class="amount">${amount}</h1>
    </div>
    ${notice.problem === undefined ? null : html`<p class="note bad" role="alert">${notice.problem}</p>`}
    <form method="post" action="/c/pay/${session.id}" autocomplete="on">
      <label
        >E-mail
        <input type="email" name="email" value="${email}" autocomplete="email" placeholder="you@example.com"
      /></label>
      <label
        >Card number
        <input
          name="card_number"
          inputmode="numeric"
          autocomplete="off"
          required
          maxlength="23"
          value="4242 4242 4242 4242"
          aria-describedby="test-cards"
      /></label>
      <div class="pair">
        <label
          >Expiry <input name="expiry" inputmode="numeric" autocomplete="off" value="12 / 34" maxlength="7"
        /></label>
        <label
          >CVC <input name="cvc" inputmode="numeric" autocomplete="off" value="123" maxlength="4"
        /></label>
      </div>
      <p class="soft" id="test-cards">
        A test card is filled in. To see a decline, use
        <span class="whole">4000 0000 0000 0002</span>; for a slow payment,
        <span class="whole">4000 0000 0000 0341</span>.
      </p>
      <button class="pay" name="method" value="card">Pay ${amount}</button>
      <p class="or">or</p>
      <button class="plain" name="method" value="bank">Pay by bank debit</button>
    </form>
    ${session.cancel_url === null ? null : html`<p class="center soft"><a href="${session.cancel_url}">Cancel and go back</a></p>`}
  </section>`;
}
