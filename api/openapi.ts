import { createDocument } from 'zod-openapi';
import { z } from 'zod';
import { checkoutEventsSchema } from './checkouts/events.js';
import { checkoutSchema } from './checkouts/resource.js';
import {
  cancelRequestSchema,
  eventsQuerySchema,
  startRequestSchema,
  switchRequestSchema,
  waitQuerySchema,
} from './checkouts/schemas.js';
import { quoteRequestSchema, quoteSchema } from './quotes/schemas.js';
import { decisionRequestSchema, refundRequestSchema, refundSchema } from './refunds/schemas.js';
import {
  checkoutListQuerySchema,
  checkoutListSchema,
  opsCheckoutSchema,
  opsRefundSchema,
  refundListQuerySchema,
  refundListSchema,
  resolveRequestSchema,
  retryNowRequestSchema,
} from './ops/schemas.js';
import { problemSchema } from './schemas.js';

const json = (schema: z.ZodType) => ({ content: { 'application/json': { schema } } });
const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});

const errors = {
  '400': problem('invalid_request'),
  '401': problem('unauthenticated'),
  '403': problem('scope_missing'),
  '422': problem('amount_invalid, phone_invalid, consent_mismatch, card_data_refused, idempotency_conflict'),
  '429': problem('rate_limited'),
  '503': problem('unavailable: the outcome is unknown, the same body is safe'),
} as const;

const notFound = { '404': problem('not_found, also for what belongs to another tenant') } as const;
const id = z.object({ id: z.string().meta({ description: 'checkout_id' }) });
const webhook = {
  '200': {
    description: 'Temporal has it',
    ...json(z.object({ effect: z.enum(['signaled', 'duplicate', 'ignored']) })),
  },
  '413': problem('body_too_large'),
  '503': problem('unavailable: the sender repeats'),
} as const;

const refundIdParam = z.object({ id: z.string().meta({ description: 'refund_id' }) });

const decisionOperation = (summary: string) => ({
  summary,
  requestParams: { path: refundIdParam },
  requestBody: json(decisionRequestSchema),
  responses: {
    '200': { description: 'Decided', ...json(refundSchema) },
    '409': problem('already_decided (with decision, decided_by, decided_at), request_changed'),
    '410': problem('approval_expired'),
    ...notFound,
    ...errors,
    '403': problem('scope_missing, self_approval'),
  },
});

/** OpenAPI 3.1, made from the very schemas that validate requests. */
export function openApiDocument(publicUrl: string) {
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'voice-checkout',
      version: '1',
      description:
        'Payments for voice agents. Every answer carries a sentence to speak; every POST is safe to repeat.',
    },
    servers: [{ url: publicUrl }],
    security: [{ key: [] }],
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    paths: {
      '/v1/quotes': {
        post: {
          summary: 'Read out a price',
          requestBody: json(quoteRequestSchema),
          responses: {
            '201': { description: 'A new quote', ...json(quoteSchema) },
            '200': { description: 'The same purchase again', ...json(quoteSchema) },
            '409': problem('purchase_open, already_paid'),
            ...errors,
          },
        },
      },
      '/v1/checkouts': {
        post: {
          summary: 'Start the payment the caller agreed to',
          requestBody: json(startRequestSchema),
          responses: {
            '202': { description: 'Started', ...json(checkoutSchema) },
            '200': { description: 'Started before: the current state', ...json(checkoutSchema) },
            '409': problem('purchase_open, already_paid, rail_unavailable'),
            '410': problem('quote_expired'),
            ...errors,
          },
        },
      },
      '/v1/checkouts/{id}': {
        get: {
          summary: 'The state now, or as soon as its version is above `since`',
          requestParams: { path: id, query: waitQuerySchema },
          responses: {
            '200': { description: 'The checkout', ...json(checkoutSchema) },
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/checkouts/{id}/cancel': {
        post: {
          summary: 'Stop it',
          requestParams: { path: id },
          requestBody: { ...json(cancelRequestSchema), required: false },
          responses: {
            '200': { description: 'Canceled, or closing', ...json(checkoutSchema) },
            '409': problem('payment_in_flight, already_paid'),
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/checkouts/{id}/rail': {
        post: {
          summary: 'Go on with another way to pay',
          requestParams: { path: id },
          requestBody: json(switchRequestSchema),
          responses: {
            '200': { description: 'Switched', ...json(checkoutSchema) },
            '409': problem('rail_unavailable'),
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/checkouts/{id}/events': {
        get: {
          summary: 'What happened, in order',
          requestParams: { path: id, query: eventsQuerySchema },
          responses: {
            '200': { description: 'Events', ...json(checkoutEventsSchema) },
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/refunds': {
        post: {
          summary: 'Give money back: at once, or after a person has approved it',
          requestBody: json(refundRequestSchema),
          responses: {
            '202': { description: 'Taken', ...json(refundSchema) },
            '200': { description: 'Asked for before: the current state', ...json(refundSchema) },
            '409': problem('exceeds_refundable, not_refundable'),
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/refunds/{id}': {
        get: {
          summary: 'The state now, or as soon as its version is above `since`',
          requestParams: { path: refundIdParam, query: waitQuerySchema },
          responses: { '200': { description: 'The refund', ...json(refundSchema) }, ...notFound, ...errors },
        },
      },
      '/v1/refunds/{id}/approve': { post: decisionOperation('Approve it; the approver is the credential') },
      '/v1/refunds/{id}/deny': { post: decisionOperation('Deny it') },
      '/v1/ops/checkouts': {
        get: {
          summary: 'Checkouts of the tenant, newest first',
          requestParams: { query: checkoutListQuerySchema },
          responses: { '200': { description: 'A page', ...json(checkoutListSchema) }, ...errors },
        },
      },
      '/v1/ops/checkouts/{id}': {
        get: {
          summary: 'A checkout with what it waits for and its ids at Stripe',
          requestParams: { path: id },
          responses: {
            '200': { description: 'The checkout', ...json(opsCheckoutSchema) },
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/ops/checkouts/{id}/retry-now': {
        post: {
          summary: 'Read Stripe now instead of at the next poll',
          requestParams: { path: id },
          requestBody: { ...json(retryNowRequestSchema), required: false },
          responses: {
            '200': { description: 'The state after that reading', ...json(opsCheckoutSchema) },
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/ops/checkouts/{id}/resolve': {
        post: {
          summary: 'End it without a payment, if Stripe, read once more, still proves nothing',
          requestParams: { path: id },
          requestBody: { ...json(resolveRequestSchema), required: false },
          responses: {
            '200': { description: 'Ended, or what Stripe proved', ...json(opsCheckoutSchema) },
            '409': problem('no_attention_needed, money_captured, still_open'),
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/ops/refunds': {
        get: {
          summary: 'Refunds of the tenant, newest first',
          requestParams: { query: refundListQuerySchema },
          responses: { '200': { description: 'A page', ...json(refundListSchema) }, ...errors },
        },
      },
      '/v1/ops/refunds/{id}': {
        get: {
          summary: 'A refund with what it waits for and its ids at Stripe',
          requestParams: { path: refundIdParam },
          responses: {
            '200': { description: 'The refund', ...json(opsRefundSchema) },
            ...notFound,
            ...errors,
          },
        },
      },
      '/v1/ops/refunds/{id}/retry-now': {
        post: {
          summary: 'Read Stripe now instead of at the next poll',
          requestParams: { path: refundIdParam },
          requestBody: { ...json(retryNowRequestSchema), required: false },
          responses: {
            '200': { description: 'The state after that reading', ...json(opsRefundSchema) },
            ...notFound,
            ...errors,
          },
        },
      },
      '/webhooks/stripe': {
        post: {
          summary: "Stripe's webhooks",
          security: [],
          responses: { ...webhook, '400': problem('bad signature') },
        },
      },
      '/webhooks/stripe/connect': {
        post: {
          summary: "Stripe's webhooks of connected accounts",
          security: [],
          responses: { ...webhook, '400': problem('bad signature') },
        },
      },
      '/webhooks/twilio/status': {
        post: {
          summary: "Twilio's status callbacks",
          security: [],
          responses: { ...webhook, '403': problem('signature_invalid') },
        },
      },
    },
  });
}
