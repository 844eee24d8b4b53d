import { z } from 'zod';
import { isLocale } from '../../domain/locale.js';
import { amountSchema, checkoutStatusSchema, currencySchema, idSchema, nextSchema } from '../schemas.js';

const channelSchema = z.enum(['voice', 'chat', 'whatsapp', 'email', 'web']);

export const callSchema = z.strictObject({
  id: idSchema.meta({ description: "The voice platform's id of the call." }),
  channel: channelSchema,
  platform: z.string().max(40).optional(),
});

const descriptionSchema = z
  .string()
  .trim()
  .min(1)
  .max(120)
  // The text is spoken, sent by SMS and shown to people: no control or direction characters.
  .regex(/^[^\p{Cc}\p{Cf}]+$/u, 'must not hold control characters');

export const purchaseSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('amount'),
    amount: amountSchema,
    currency: currencySchema,
    description: descriptionSchema,
  }),
  z.strictObject({
    kind: z.literal('price'),
    price: z.string().regex(/^price_\w{1,100}$/, 'must be the id of a Stripe price'),
    quantity: z.number().int().min(1).max(1_000).default(1),
  }),
]);

export const quoteRequestSchema = z
  .strictObject({
    call: callSchema,
    customer: z
      .strictObject({
        ref: z.string().min(1).max(200).optional(),
        phone: z.string().max(40).optional(),
        email: z.email().max(254).optional(),
      })
      .default({}),
    locale: z
      .string()
      .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'must be a BCP 47 tag')
      .max(35)
      .refine(isLocale, 'must be a locale that amounts can be written in')
      .optional(),
    after: z
      .string()
      .max(80)
      .optional()
      .meta({ description: 'A paid checkout of the same purchase: buy it again.' }),
    purchase: purchaseSchema,
  })
  .meta({ id: 'QuoteRequest' });

const lineSchema = z.object({
  description: z.string(),
  quantity: z.number(),
  unit_amount: z.number(),
  amount: z.number(),
});

export type QuoteLine = z.output<typeof lineSchema>;

export const quoteSchema = z
  .object({
    quote_id: z.string(),
    quote_token: z.string(),
    checkout_id: z.string(),
    state: z.literal('quoted'),
    terminal: z.boolean(),
    version: z.number(),
    livemode: z.boolean(),
    amount: z.number(),
    currency: z.string(),
    description: z.string(),
    lines: z.array(lineSchema),
    expires_at: z.string(),
    say: z.string(),
    next: nextSchema,
    checkout_state: checkoutStatusSchema.optional(),
  })
  .meta({ id: 'Quote' });

export type QuoteResource = z.output<typeof quoteSchema>;
