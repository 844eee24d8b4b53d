import { z } from 'zod';
import type { CheckoutStatus } from '../domain/checkout-state.js';

/** Parts that several resources share. The same schemas validate requests and make /openapi.json. */

export const railSchema = z
  .enum(['linkWallet', 'paymentLink'])
  .meta({ id: 'Rail', description: 'A way to pay.' });

export const currencySchema = z
  .string()
  .min(3)
  .max(3)
  .meta({ description: 'Lowercase ISO 4217 code.', example: 'usd' });

export const amountSchema = z.number().meta({ description: 'Integer in minor units.', example: 4900 });

/** Visible ASCII: call ids come from voice platforms and stand in search attributes. */
export const idSchema = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 visible ASCII characters');

export const contactSchema = z
  .strictObject({ phone: z.string().max(40).optional(), email: z.email().max(254).optional() })
  .meta({ id: 'Contact', description: 'How the caller is reached. Phone in E.164.' });

export const nextSchema = z
  .object({ action: z.enum(['wait', 'ask', 'done', 'handoff']), retry_after_ms: z.number().optional() })
  .meta({ id: 'Next', description: 'What the agent should do now.' });

const statuses: Record<CheckoutStatus, true> = {
  starting: true,
  awaiting_wallet: true,
  charging: true,
  sending_link: true,
  awaiting_link: true,
  processing: true,
  closing: true,
  needs_attention: true,
  paid: true,
  declined: true,
  expired: true,
  canceled: true,
  failed: true,
};

export const checkoutStatusSchema = z
  .enum(Object.keys(statuses) as [CheckoutStatus, ...CheckoutStatus[]])
  .meta({ id: 'CheckoutState' });

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    code: z.string(),
    detail: z.string(),
    safe_to_retry: z.boolean(),
    say: z.string(),
    request_id: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    checkout_id: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' });
