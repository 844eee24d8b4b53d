import { type Response, Router } from 'express';
import type { CheckoutMemo } from '../../contracts/checkout.js';
import type { RefundMemo } from '../../contracts/refund.js';
import { isRefundOver } from '../../domain/refund-state.js';
import { principalWith } from '../authenticate.js';
import { checkoutIdIn } from '../checkouts/routes.js';
import { readCheckout } from '../checkouts/store.js';
import { parse } from '../parse.js';
import { Problem } from '../problem.js';
import { readRefund } from '../refunds/resource.js';
import { refundIdIn } from '../refunds/routes.js';
import { createLevers } from './levers.js';
import { listRuns } from './list.js';
import {
  checkoutRow,
  describeCheckout,
  describeRefund,
  lateRow,
  type OpsView,
  refundAttention,
  runUrl,
} from './resource.js';
import {
  checkoutListQuerySchema,
  refundListQuerySchema,
  resolveRequestSchema,
  retryNowRequestSchema,
} from './schemas.js';

/** What ops see of their tenant's runs, and what they can do with them. */
export function opsRoutes(view: OpsView): Router {
  const { client } = view;
  const levers = createLevers(client);
  const router = Router();
  const principal = (response: Response) => principalWith('ops', response);

  router.get('/checkouts', async (request, response) => {
    const { tenant } = principal(response);
    const { state, call_id, needs_attention, cursor } = parse(checkoutListQuerySchema, request.query);
    const { runs, ...page } = await listRuns<CheckoutMemo>(
      client,
      { kind: 'checkout', tenantId: tenant.id, state, callId: call_id, ...attention(needs_attention) },
      cursor,
    );
    const rows = await Promise.all(
      runs.map(async ({ workflowId, memo: { checkout, state: now }, startedAt }) =>
        checkout && now
          ? checkoutRow(view, { checkout, state: now }, workflowId, startedAt)
          : lateRow(view, tenant.id, workflowId, startedAt),
      ),
    );
    const wanted = rows.filter(
      (row) => row && (state === undefined || row.state === state) && (!call_id || row.call_id === call_id),
    );
    // A checkout has one row, however many runs have looked after its late money.
    const checkouts = [...new Map(wanted.map((row) => [row?.checkout_id, row])).values()];
    response.json({ checkouts, ...page });
  });

  router.get('/refunds', async (request, response) => {
    const { tenant } = principal(response);
    const { state, call_id, needs_attention, cursor } = parse(refundListQuerySchema, request.query);
    const { runs, ...page } = await listRuns<RefundMemo>(
      client,
      { kind: 'refund', tenantId: tenant.id, state, callId: call_id, ...attention(needs_attention) },
      cursor,
    );
    const refunds = runs.flatMap(({ workflowId, memo: { refund, state: now }, startedAt }) =>
      refund && now
        ? {
            refund_id: refund.refundId,
            checkout_id: refund.checkoutId,
            state: now.status,
            terminal: isRefundOver(now.status),
            version: now.version,
            amount: refund.amount,
            currency: refund.currency,
            description: refund.description,
            ...refundAttention(now),
            started_at: startedAt,
            ...runUrl(view, workflowId),
          }
        : [],
    );
    response.json({ refunds, ...page });
  });

  router.get('/checkouts/:id', async (request, response) => {
    const { tenant } = principal(response);
    const memo = await readCheckout(client, tenant.id, checkoutIdIn(request));
    if (!memo) throw new Problem('not_found');
    response.json(await describeCheckout(view, memo, tenant));
  });

  router.get('/refunds/:id', async (request, response) => {
    const { tenant } = principal(response);
    const memo = await readRefund(client, tenant.id, refundIdIn(request));
    if (!memo) throw new Problem('not_found');
    response.json(await describeRefund(view, memo, tenant));
  });

  router.post('/checkouts/:id/retry-now', async (request, response) => {
    const { tenant } = principal(response);
    parse(retryNowRequestSchema, request.body);
    const memo = await levers.retryCheckout(tenant.id, checkoutIdIn(request));
    response.json(await describeCheckout(view, memo, tenant));
  });

  router.post('/refunds/:id/retry-now', async (request, response) => {
    const { tenant } = principal(response);
    parse(retryNowRequestSchema, request.body);
    const memo = await levers.retryRefund(tenant.id, refundIdIn(request));
    response.json(await describeRefund(view, memo, tenant));
  });

  router.post('/checkouts/:id/resolve', async (request, response) => {
    const who = principal(response);
    const { note } = parse(resolveRequestSchema, request.body);
    const { repeated, memo } = await levers.resolve(who, checkoutIdIn(request), note);
    if (repeated) response.set('Idempotent-Replayed', 'true');
    response.json(await describeCheckout(view, memo, who.tenant));
  });

  return router;
}

const attention = (wanted: 'true' | 'false' | undefined) =>
  wanted === undefined ? {} : { needsAttention: wanted === 'true' };
