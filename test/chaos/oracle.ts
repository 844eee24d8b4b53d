import type { Checkout, Refund } from '../support/system-agent.js';
import type { Ledger } from '../support/system-vendors.js';
import type { Heard } from './checkout-story.js';

/** A checkout as the API tells it at the end, and all that was said on the way. */
export interface Told {
  checkout: Checkout;
  heard: readonly Heard[];
  /** The refunds that were let through, as they ended. */
  refunds: readonly Refund[];
}

const confirmed = /confirmed/i;
const notCharged = /nothing was charged/i;

/**
 * What is wrong, by checkout; `''` names what belongs to none. Judges by the vendors' ledger and book alone: the product's
 * answers are what is judged.
 */
export function wrongs(told: readonly Told[], ledger: Ledger): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const wrong = (id: string, text: string): void => {
    found.set(id, [...(found.get(id) ?? []), text]);
  };
  const ownerOf = (metadata: Record<string, string>): string => metadata['vc_checkout'] ?? '';
  const known = new Set(told.map(({ checkout }) => checkout.checkout_id));
  const netOf = bookByPayment(ledger, (text) => wrong('', text));
  const paymentsOf = new Map<string, string[]>();
  for (const charge of ledger.charges) {
    const owner = ownerOf(charge.metadata);
    if (!known.has(owner)) wrong('', `charge ${charge.id} of ${charge.amount} belongs to no checkout`);
    paymentsOf.set(owner, [...(paymentsOf.get(owner) ?? []), charge.payment_intent]);
    const net = netOf.get(charge.payment_intent);
    if (net !== charge.amount - charge.amount_refunded)
      wrong(
        owner,
        `the book says ${net} of ${charge.id}, the charge ${charge.amount - charge.amount_refunded}`,
      );
    if (charge.amount_refunded > charge.amount) wrong(owner, `${charge.id} gave back more than it took`);
  }
  for (const { id, metadata } of ledger.refunds)
    if (!known.has(ownerOf(metadata))) wrong('', `refund ${id} belongs to no checkout`);
  for (const { type, id, metadata } of ledger.live_instruments) {
    // Only we can spend a token, so one that nobody wants any more is no way to pay for its caller.
    if (type === 'shared_payment_token') continue;
    const owner = ownerOf(metadata);
    wrong(known.has(owner) ? owner : '', `${type} ${id} can still be paid`);
  }
  for (const one of told) {
    const { checkout_id: id } = one.checkout;
    const net = (paymentsOf.get(id) ?? []).reduce((sum, payment) => sum + (netOf.get(payment) ?? 0), 0);
    const own = <T extends { metadata: Record<string, string> }>(list: readonly T[]): T[] =>
      list.filter(({ metadata }) => ownerOf(metadata) === id);
    const captured = own(ledger.charges).map(({ amount }) => amount);
    for (const text of judge(one, { net, captured, refunds: own(ledger.refunds) })) wrong(id, text);
  }
  return found;
}

/** Pages whose link was texted more often than the one repetition that a lost answer excuses. */
export function wrongTexts(messages: readonly { body: string }[]): string[] {
  const texted = new Map<string, number>();
  for (const { body } of messages) {
    const [link] = /https?:\/\/\S+\/c\/pay\/\S+/.exec(body) ?? [];
    if (link !== undefined) texted.set(link, (texted.get(link) ?? 0) + 1);
  }
  return [...texted].flatMap(([link, times]) => (times > 2 ? [`${link} was texted ${times} times`] : []));
}

/** What each payment's cardholder is out of, by the book. */
function bookByPayment({ postings }: Ledger, wrong: (text: string) => void): Map<string, number> {
  const net = new Map<string, number>();
  for (const { number, lines } of postings) {
    if (lines.reduce((sum, { amount }) => sum + amount, 0) !== 0) wrong(`posting ${number} is not balanced`);
    for (const { account, amount } of lines) {
      const [, payment] = /^cardholder:(.+)$/.exec(account) ?? [];
      if (payment !== undefined) net.set(payment, (net.get(payment) ?? 0) - amount);
    }
  }
  return net;
}

interface Money {
  /** Captured and not given back. */
  net: number;
  captured: readonly number[];
  refunds: Ledger['refunds'];
}

function judge({ checkout, heard, refunds }: Told, money: Money): string[] {
  const { state, terminal, amount, amount_captured, amount_refunded, late_payment } = checkout;
  const found: string[] = [];
  const expect = (holds: boolean, text: string): void => void (holds || found.push(text));
  expect(terminal, `is ${state} and has not ended`);
  const wentThrough = money.refunds.filter(({ status }) => status === 'succeeded');
  const givenBack = wentThrough.reduce((sum, refund) => sum + refund.amount, 0);
  const asked = refunds.filter((refund) => refund.state === 'refunded');
  if (state === 'paid') {
    const charges = money.captured.join(', ') || 'none';
    expect(
      money.captured.length === 1 && money.captured[0] === amount,
      `is paid ${amount}, charges: ${charges}`,
    );
    expect(amount_captured === amount, `says ${amount_captured} were captured of ${amount}`);
    expect(amount_refunded === givenBack, `says ${amount_refunded} were given back, Stripe ${givenBack}`);
    const sum = asked.reduce((total, refund) => total + refund.amount, 0);
    expect(sum === givenBack, `refunds of ${sum} went through, Stripe gave back ${givenBack}`);
  } else {
    const honoured = late_payment?.state === 'honoured';
    expect(money.net === (honoured ? amount : 0), `is ${state} and ${money.net} were kept`);
    expect(
      money.captured.length === 0 || late_payment !== undefined,
      `is ${state} and ${givenBack} came late, untold`,
    );
    expect(refunds.length === 0, `is ${state} and took requests for refunds`);
  }
  for (const refund of refunds) {
    const { refund_id, approval } = refund;
    expect(refund.terminal, `${refund_id} is ${refund.state} and has not ended`);
    const atStripe = wentThrough.filter(({ metadata }) => metadata['vc_refund'] === refund_id);
    const amounts = atStripe.map((one) => one.amount).join(', ') || 'none';
    const wanted = refund.state === 'refunded' ? String(refund.amount) : 'none';
    expect(
      amounts === wanted,
      `${refund_id} is ${refund.state}, ${refund.amount} asked, at Stripe: ${amounts}`,
    );
    const denied = approval?.decision === 'denied';
    expect(!denied || refund.state === 'denied', `${refund_id} was denied and is ${refund.state}`);
    const held = approval !== undefined && approval.decision === undefined;
    expect(!held || refund.state !== 'refunded', `${refund_id} was given back and nobody had decided`);
  }
  for (const { say, version } of [...heard, checkout]) {
    expect(
      !confirmed.test(say) || state === 'paid',
      `"${say}" was said (version ${version}) and it is ${state}`,
    );
    const untrue = notCharged.test(say) && (state === 'paid' || (money.captured.length > 0 && !late_payment));
    expect(!untrue, `"${say}" was said (version ${version}) and there was a charge`);
  }
  expect(state !== 'paid' || confirmed.test(checkout.say), `is paid and says "${checkout.say}"`);
  expect(
    !terminal || state === 'paid' || notCharged.test(checkout.say),
    `is ${state} and says "${checkout.say}"`,
  );
  return found;
}
