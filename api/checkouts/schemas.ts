import { z } from 'zod';
import { amountSchema, contactSchema, currencySchema, railSchema } from '../schemas.js';

export const startRequestSchema = z
  .strictObject({
    quote_token: z.string().min(1).max(4_096),
    consent: z
      .strictObject({
        amount: amountSchema,
        currency: currencySchema,
        confirmed_at: z.iso.datetime({ offset: true }),
        words: z.string().max(500).optional(),
      })
      .meta({ description: 'What the caller said yes to, and when.' }),
    contact: contactSchema.optional(),
    rails: z.array(railSchema).min(1).max(2).optional(),
  })
  .meta({ id: 'CheckoutRequest' });

export const cancelRequestSchema = z
  .strictObject({ reason: z.string().max(200).optional() })
  .meta({ id: 'CancelRequest' });

export const switchRequestSchema = z
  .strictObject({ rail: railSchema, contact: contactSchema.optional() })
  .meta({ id: 'SwitchRequest' });

export const waitQuerySchema = z.strictObject({
  since: z.coerce.number().int().min(0).default(0),
  wait_ms: z.coerce.number().int().min(0).max(25_000).default(0),
});

export const eventsQuerySchema = z.strictObject({ after: z.coerce.number().int().min(0).default(0) });
