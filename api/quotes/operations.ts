import type { Client } from '@temporalio/client';
import type Stripe from 'stripe';
import type { z } from 'zod';
import type { CheckoutMemo } from '../../contracts/checkout.js';
import { attemptId, attemptOf, isCheckoutId } from '../../contracts/ids.js';
import { firstAttemptAt, firstAttemptsBefore, periodEnd, readAttempts } from '../../domain/attempts.js';
import { isTerminal } from '../../domain/checkout-state.js';
import { honouredPayment } from '../../domain/late-payment.js';
import { amountProblem, type Money } from '../../domain/money.js';
import { sayQuote } from '../../domain/say.js';
import type { Tenant } from '../../domain/tenant.js';
import { nextAfter, sayFor } from '../checkouts/resource.js';
import { readLatePayments } from '../checkouts/late-payments.js';
import { readCheckout } from '../checkouts/store.js';
import { normalisePhone } from '../contact.js';
import { Recent } from '../idempotency.js';
import { Problem } from '../problem.js';
import { customerKey, pricePurchase, purchaseHash, quoteId } from './purchase.js';
import { quoteLifetimeMs, type QuoteTokens } from './quote-token.js';
import type { QuoteResource, quoteRequestSchema } from './schemas.js';

export interface QuoteDependencies {
  client: Client;
  stripe: Stripe;
  tokens: QuoteTokens;
  /** Key of the hashes that name purchases. */
  identityKey: Buffer;
  livemode: boolean;
}

/** Reads out a price: computes the amount, finds the attempt it belongs to, and signs both. */
export function createQuoteOperation(dependencies: QuoteDependencies) {
  const { client, stripe, tokens, identityKey, livemode } = dependencies;
  const issued = new Recent<true>(20_000, quoteLifetimeMs);

  return async function createQuote(
    request: z.output<typeof quoteRequestSchema>,
    tenant: Tenant,
  ): Promise<{ repeated: boolean; quote: QuoteResource }> {
    const { call, customer } = request;
    const phone = customer.phone === undefined ? undefined : normalisePhone(customer.phone, tenant);
    const purchase = await pricePurchase(request.purchase, tenant, stripe);
    const { amount, currency, description, lines, item } = purchase;
    requireChargeable(purchase, tenant);

    const identity = { tenantId: tenant.id, customer: { ...customer, phone }, callId: call.id };
    const who = customerKey(identityKey, identity);
    const hash = purchaseHash(identityKey, who, item);
    const now = Date.now();
    const found = await findAttempt(client, tenant.id, hash, purchase, request.after, now);
    const { checkoutId, existing, before } = found;
    const locale = request.locale ?? tenant.locale;
    const id = quoteId(identityKey, [checkoutId, amount, currency, description]);
    // Afterwards the same wish would get another number: two quotes for it must not be good at once.
    const expiresAt = new Date(Math.min(now + quoteLifetimeMs, periodEnd(now)));
    const token = await tokens.sign(
      {
        tenant: tenant.id,
        checkout_id: checkoutId,
        quote_id: id,
        amount,
        currency,
        description,
        call_id: call.id,
        customer_key: who,
        locale,
        contact: { ...(phone !== undefined && { phone }), ...(customer.email && { email: customer.email }) },
        ...(request.after !== undefined && { after: request.after }),
        ...(before.length > 0 && { before }),
      },
      expiresAt,
    );
    const repeated = existing !== undefined || issued.get(`${tenant.id} ${id}`) === true;
    issued.set(`${tenant.id} ${id}`, true);
    const sentence = { money: { amount, currency }, description, locale, wording: tenant.wording };
    return {
      repeated,
      quote: {
        quote_id: id,
        quote_token: token,
        checkout_id: checkoutId,
        state: 'quoted',
        terminal: false,
        version: 1,
        livemode,
        amount,
        currency,
        description,
        lines,
        expires_at: expiresAt.toISOString(),
        say: existing ? sayFor(existing.state, existing.checkout, tenant) : sayQuote(sentence),
        next: existing ? nextAfter(existing.state.status) : { action: 'ask' },
        ...(existing && { checkout_state: existing.state.status }),
      },
    };
  };
}

function requireChargeable(money: Money, tenant: Tenant): void {
  const problem = amountProblem(money);
  if (problem !== undefined) throw new Problem('amount_invalid', { detail: problem });
  const { maxAmount } = tenant.limits;
  if (maxAmount === undefined) return;
  const max = maxAmount[money.currency];
  if (max === undefined)
    throw new Problem('amount_invalid', { detail: 'the tenant does not take this currency' });
  if (money.amount > max)
    throw new Problem('amount_invalid', { detail: `above the tenant's limit of ${max}` });
}

interface FoundAttempt {
  checkoutId: string;
  existing?: CheckoutMemo;
  /** The numbers of those that ended without money. */
  before: number[];
}

/**
 * The attempt a new quote belongs to: the open one, or the first free number behind attempts that ended without money.
 * A paid one stands in the way unless the agent says, by `after`, that the caller buys the same thing again. Numbers up to
 * that one are not looked at.
 */
async function findAttempt(
  client: Client,
  tenantId: string,
  hash: string,
  money: Money,
  after: string | undefined,
  now: number,
): Promise<FoundAttempt> {
  const purchase = `co_${hash}`;
  const present = firstAttemptAt(now);
  const paid = after === undefined ? 0 : await requirePaid(client, tenantId, purchase, after);
  const periods = [...firstAttemptsBefore(present), present].filter((first) => first > paid);
  const rows = await Promise.all(
    (paid > 0 ? [paid + 1, ...periods] : periods).map((from) =>
      readAttempts(from, (number) => readCheckout(client, tenantId, attemptId(purchase, number))),
    ),
  );
  const before: number[] = [];
  for (const { number, attempt: existing } of rows.flatMap(({ attempts }) => attempts)) {
    const checkoutId = attemptId(purchase, number);
    if (!isTerminal(existing.state.status)) {
      const { amount, currency } = existing.checkout;
      if (amount === money.amount && currency === money.currency) return { checkoutId, existing, before };
      throw new Problem('purchase_open', { checkout_id: checkoutId });
    }
    if (await isPaid(client, tenantId, existing)) {
      throw new Problem('already_paid', { checkout_id: checkoutId });
    }
    before.push(number);
  }
  const free = rows.at(-1)?.free;
  if (free !== undefined) return { checkoutId: attemptId(purchase, free), before };
  throw new Problem('rate_limited', { detail: 'this purchase was attempted too often', retry_after: 3_600 });
}

/** The number of the checkout that `after` names. Only one that took money is a reason to buy the same thing again. */
async function requirePaid(client: Client, tenantId: string, purchase: string, after: string) {
  const attempt = isCheckoutId(after) ? attemptOf(after) : undefined;
  const named = attempt?.purchase === purchase ? await readCheckout(client, tenantId, after) : undefined;
  if (!attempt || !named || !(await isPaid(client, tenantId, named))) {
    throw new Problem('invalid_request', { detail: '`after` is not a paid checkout of this purchase' });
  }
  return attempt.number;
}

/** Whether money was taken for it: by itself, or by a late payment that was honoured. */
async function isPaid(client: Client, tenantId: string, { checkout, state }: CheckoutMemo): Promise<boolean> {
  if (state.status === 'paid') return true;
  return honouredPayment(await readLatePayments(client, tenantId, checkout.checkoutId)) !== undefined;
}
