import { z } from 'zod';
import { isListable } from '../../contracts/run-query.js';
import { checkoutSchema } from '../checkouts/resource.js';
import { refundSchema, refundStatusSchema } from '../refunds/schemas.js';
import { checkoutStatusSchema, idSchema, railSchema } from '../schemas.js';

const attentionSchema = z
  .string()
  .meta({ description: 'Why nobody can say yet whether money moved.', example: 'outcome_unknown' });
const runUrlSchema = z.string().meta({ description: 'The run in the Temporal UI.' });

const filters = {
  call_id: idSchema
    .refine(isListable, 'a call id with quotes or backslashes cannot be looked for')
    .optional(),
  needs_attention: z.enum(['true', 'false']).optional(),
  cursor: z
    .string()
    .regex(/^[\w-]{1,2000}$/)
    .optional()
    .meta({ description: '`next_cursor` of the page before.' }),
};
export const checkoutListQuerySchema = z.strictObject({
  state: checkoutStatusSchema.optional(),
  ...filters,
});
export const refundListQuerySchema = z.strictObject({ state: refundStatusSchema.optional(), ...filters });

const row = {
  terminal: z.boolean(),
  version: z.number(),
  amount: z.number(),
  currency: z.string(),
  description: z.string(),
  attention: attentionSchema.optional(),
  started_at: z.string(),
  run_url: runUrlSchema.optional(),
};
const page = { next_cursor: z.string().optional().meta({ description: 'Absent on the last page.' }) };

export const checkoutRowSchema = z.object({
  checkout_id: z.string(),
  call_id: z.string(),
  state: checkoutStatusSchema,
  rail: railSchema.optional(),
  reason: z.string().optional(),
  ...row,
  late_payment: z
    .object({ state: z.string(), amount: z.number(), currency: z.string() })
    .optional()
    .meta({ description: 'Money that came after the end and waits for a person.' }),
});

export const checkoutListSchema = z
  .object({ checkouts: z.array(checkoutRowSchema), ...page })
  .meta({ id: 'OpsCheckouts' });

export const refundListSchema = z
  .object({
    refunds: z.array(
      z.object({ refund_id: z.string(), checkout_id: z.string(), state: refundStatusSchema, ...row }),
    ),
    ...page,
  })
  .meta({ id: 'OpsRefunds' });

const details = {
  explain: z.string().meta({ description: 'What it waits for, in plain English.' }),
  attention: attentionSchema.optional(),
  run_url: runUrlSchema.optional(),
};

export const opsCheckoutSchema = checkoutSchema
  .extend({
    call_id: z.string(),
    ...details,
    resolution: z
      .object({ by: z.string(), at: z.string(), note: z.string().optional() })
      .optional()
      .meta({ description: 'Who of ops ended it without a proof.' }),
    declines: z
      .array(z.object({ rail: railSchema, code: z.string(), at: z.string() }))
      .meta({ description: "Stripe's code of the newest refusal on each rail." }),
    stripe: z.object({
      agent_authorization: z.string().optional(),
      checkout_session: z.string().optional(),
      payment_intent: z.string().optional(),
    }),
  })
  .meta({ id: 'OpsCheckout' });

export const opsRefundSchema = refundSchema
  .extend({
    ...details,
    stripe: z.object({ payment_intent: z.string(), refund: z.string().optional() }),
  })
  .meta({ id: 'OpsRefund' });

export const retryNowRequestSchema = z.strictObject({}).meta({ id: 'RetryNowRequest' });

export const resolveRequestSchema = z
  .strictObject({ note: z.string().trim().min(1).max(500).optional() })
  .meta({ id: 'ResolveRequest' });
