import { createHmac } from 'node:crypto';
import type Stripe from 'stripe';
import type { z } from 'zod';
import { purchaseHashLength } from '../../contracts/ids.js';
import type { Money } from '../../domain/money.js';
import type { Tenant } from '../../domain/tenant.js';
import { Problem } from '../problem.js';
import type { purchaseSchema, QuoteLine } from './schemas.js';

/** A purchase with the amount the server computed for it. */
export interface PricedPurchase extends Money {
  description: string;
  lines: QuoteLine[];
  /** Names what is bought, whatever it costs: part of the purchase key. */
  item: string;
}

const folded = (text: string) => text.normalize('NFKC').trim().replace(/\s+/g, ' ');

/** Computes the amount: from Stripe's price, or, for `kind: "amount"`, from the caller whose scope is the catalogue. */
export async function pricePurchase(
  purchase: z.output<typeof purchaseSchema>,
  tenant: Tenant,
  stripe: Stripe,
): Promise<PricedPurchase> {
  if (purchase.kind === 'amount') {
    const { amount, currency } = purchase;
    const description = folded(purchase.description);
    const lines = [{ description, quantity: 1, unit_amount: amount, amount }];
    return { amount, currency, description, lines, item: `item:${description.toLowerCase()}` };
  }
  const { price: priceId, quantity } = purchase;
  const options = tenant.stripeAccount === undefined ? {} : { stripeAccount: tenant.stripeAccount };
  const price = await stripe.prices
    .retrieve(priceId, { expand: ['product'] }, options)
    .catch((error: unknown) => {
      const status = error instanceof Error ? (error as { statusCode?: number }).statusCode : undefined;
      if (status === 404)
        throw new Problem('invalid_request', { detail: 'purchase.price is not a price of this account' });
      throw new Problem('unavailable', {
        detail: 'the price could not be read; repeat the same request',
        retry_after: 1,
      });
    });
  // A price per package is not the unit's price times the quantity.
  const perPackage = price.transform_quantity != null;
  if (!price.active || price.unit_amount === null || price.type !== 'one_time' || perPackage) {
    throw new Problem('invalid_request', {
      detail: 'purchase.price must be an active one-time price with a fixed amount',
    });
  }
  const product =
    typeof price.product === 'object' && !('deleted' in price.product) ? price.product.name : priceId;
  const name = folded(product ?? priceId);
  const description = quantity === 1 ? name : `${quantity} × ${name}`;
  const amount = price.unit_amount * quantity;
  const lines = [{ description: name, quantity, unit_amount: price.unit_amount, amount }];
  return { amount, currency: price.currency, description, lines, item: `price:${priceId}` };
}

export interface CustomerIdentity {
  tenantId: string;
  customer: { ref?: string | undefined; email?: string | undefined; phone?: string | undefined };
  callId: string;
}

/** The customer as a keyed hash, so that no phone number can be found by trying; the call while the customer is unknown. */
export function customerKey(key: Buffer, { tenantId, customer, callId }: CustomerIdentity): string {
  const { ref, email, phone } = customer;
  if (ref !== undefined) return `cu_${shortHash(key, [tenantId, 'ref', ref])}`;
  if (email !== undefined) return `cu_${shortHash(key, [tenantId, 'email', email.toLowerCase()])}`;
  if (phone !== undefined) return `cu_${shortHash(key, [tenantId, 'phone', phone])}`;
  return `cu_${shortHash(key, [tenantId, 'call', callId])}`;
}

/** The part of a checkout id that every repetition of the same wish shares: customer and item. */
export function purchaseHash(key: Buffer, customer: string, item: string): string {
  return shortHash(key, [customer, item]).slice(0, purchaseHashLength);
}

/** The id of one price read out for one purchase: repeated wishes get the same. */
export function quoteId(key: Buffer, parts: readonly (string | number)[]): string {
  return `qt_${shortHash(key, parts)}`;
}

/** The id of one refund request: payment, amount, call, and the refund it is meant after. */
export function refundId(key: Buffer, parts: readonly (string | number)[]): string {
  return `rf_${shortHash(key, ['refund', ...parts])}`;
}

/** 120 bits in lowercase letters and digits. */
function shortHash(key: Buffer, parts: readonly (string | number)[]): string {
  const digest = createHmac('sha256', key).update(JSON.stringify(parts)).digest('hex');
  return digest.slice(0, 30);
}
