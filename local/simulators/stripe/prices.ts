import Stripe from 'stripe';
import { listParam } from '../form-params.js';
import { absent } from './absent.js';
import { invalidParam, missingObject } from './stripe-refusal.js';
import type { StripeCall, StripeRoute, StripeWorld } from './stripe-world.js';

const CREATED = Date.UTC(2026, 0, 1) / 1000;

/** A small catalogue, the same in every account. */
const CATALOGUE: readonly {
  id: string;
  name: string;
  amount: number;
  currency: string;
  active: boolean;
  /** Units that one amount pays for. */
  perPackage?: number;
}[] = [
  { id: 'price_growth', name: 'Growth plan', amount: 4_900, currency: 'usd', active: true },
  { id: 'price_setup', name: 'Onboarding session', amount: 12_500, currency: 'usd', active: true },
  { id: 'price_yen', name: 'Workshop', amount: 5_000, currency: 'jpy', active: true },
  { id: 'price_package', name: 'Seats', amount: 1_000, currency: 'usd', active: true, perPackage: 5 },
  { id: 'price_inactive', name: 'Retired plan', amount: 2_500, currency: 'usd', active: false },
];

function readPrice(_world: StripeWorld, call: StripeCall): Stripe.Price {
  const sample = CATALOGUE.find((entry) => entry.id === call.id);
  if (sample === undefined) throw missingObject('price', call.id, 'price');
  const product: Stripe.Product = {
    id: sample.id.replace('price_', 'prod_'),
    object: 'product',
    active: true,
    created: CREATED,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: {},
    name: sample.name,
    type: 'service',
    updated: CREATED,
    ...absent('description package_dimensions shippable tax_details url'),
  };
  const expand = listParam(call.params, 'expand');
  const unknown = expand.find((path) => path !== 'product');
  if (unknown !== undefined) throw invalidParam('expand', `This property cannot be expanded (${unknown}).`);
  return {
    id: sample.id,
    object: 'price',
    active: sample.active,
    billing_scheme: 'per_unit',
    created: CREATED,
    currency: sample.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product: expand.length > 0 ? product : product.id,
    recurring: null,
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity:
      sample.perPackage === undefined ? null : { divide_by: sample.perPackage, round: 'up' },
    type: 'one_time',
    unit_amount: sample.amount,
    unit_amount_decimal: Stripe.Decimal.from(sample.amount),
  };
}

export const priceRoutes: StripeRoute[] = [
  { method: 'GET', path: '/v1/prices/:id', params: ['expand[#]'], handle: readPrice },
];
