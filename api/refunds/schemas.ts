import { z } from 'zod';
import type { RefundStatus } from '../../domain/refund-state.js';
import { callSchema } from '../quotes/schemas.js';
import { amountSchema, nextSchema } from '../schemas.js';

export const refundRequestSchema = z
  .strictObject({
    checkout_id: z.string().max(80),
    amount: amountSchema.optional().meta({ description: 'Minor units. Absent: all that is left.' }),
    reason: z.enum(['requested_by_customer', 'duplicate', 'fraudulent']),
    call: callSchema,
    words: z.string().max(500).optional().meta({ description: 'What the caller said.' }),
    after: z
      .string()
      .max(80)
      .optional()
      .meta({ description: 'An earlier refund: a second identical one is meant.' }),
  })
  .meta({ id: 'RefundRequest' });

export const decisionRequestSchema = z
  .strictObject({
    request_hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be the request_hash of the refund'),
    note: z.string().max(500).optional(),
  })
  .meta({ id: 'DecisionRequest' });

const statuses: Record<RefundStatus, true> = {
  awaiting_approval: true,
  submitting: true,
  submitted: true,
  refunded: true,
  rejected: true,
  failed: true,
  denied: true,
  approval_expired: true,
  needs_attention: true,
};

export const refundStatusSchema = z
  .enum(Object.keys(statuses) as [RefundStatus, ...RefundStatus[]])
  .meta({ id: 'RefundState' });

export const refundSchema = z
  .object({
    refund_id: z.string(),
    checkout_id: z.string(),
    state: refundStatusSchema,
    terminal: z.boolean(),
    version: z.number(),
    livemode: z.boolean(),
    say: z.string(),
    next: nextSchema,
    amount: z.number(),
    currency: z.string(),
    reason: z.string(),
    request_hash: z.string().meta({ description: 'Names exactly this request; a decision must repeat it.' }),
    requested_by: z.string(),
    approval: z
      .object({
        required_because: z.string(),
        expires_at: z.string(),
        decision: z.string().optional(),
        decided_by: z.string().optional(),
        decided_at: z.string().optional(),
        note: z.string().optional(),
      })
      .optional(),
    failure_reason: z.string().optional(),
  })
  .meta({ id: 'Refund' });

export type RefundResource = z.output<typeof refundSchema>;
