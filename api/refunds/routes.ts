import { type Request, Router } from 'express';
import { isRefundId } from '../../contracts/ids.js';
import { refundWorkflowId } from '../../contracts/refund.js';
import { principalWith } from '../authenticate.js';
import { waitQuerySchema } from '../checkouts/schemas.js';
import { parse } from '../parse.js';
import { Problem } from '../problem.js';
import type { RunWatch } from '../run-watch.js';
import { createDecision, type DecisionDependencies } from './decide.js';
import { createRefundOperation, type RefundDependencies } from './operations.js';
import { readRefund, renderRefund } from './resource.js';
import { decisionRequestSchema, refundRequestSchema } from './schemas.js';

/** The id in the path; anything that cannot be one of ours is simply not found. */
export function refundIdIn(request: Request): string {
  const { id } = request.params;
  if (typeof id === 'string' && isRefundId(id)) return id;
  throw new Problem('not_found');
}

export function refundRoutes(
  dependencies: RefundDependencies & DecisionDependencies & { watch: RunWatch },
): Router {
  const { client, watch } = dependencies;
  const createRefund = createRefundOperation(dependencies);
  const decide = createDecision(dependencies);
  const router = Router();

  router.post('/', async (request, response) => {
    const principal = principalWith('refund', response);
    const { repeated, memo } = await createRefund(parse(refundRequestSchema, request.body), principal);
    if (repeated) response.set('Idempotent-Replayed', 'true');
    response.status(repeated ? 200 : 202).json(renderRefund(memo, principal.tenant));
  });

  router.get('/:id', async (request, response) => {
    const { tenant } = principalWith(['refund', 'approve', 'ops'], response);
    const { since, wait_ms } = parse(waitQuerySchema, request.query);
    const id = refundIdIn(request);
    const memo = await watch.waitFor(
      refundWorkflowId(tenant.id, id),
      () => readRefund(client, tenant.id, id),
      {
        since,
        isOver: () => false,
        waitMs: wait_ms,
        withState: (memo, state) => ({ ...memo, state }),
      },
    );
    if (!memo) throw new Problem('not_found');
    response.json(renderRefund(memo, tenant));
  });

  for (const [path, decision] of [
    ['approve', 'approved'],
    ['deny', 'denied'],
  ] as const) {
    router.post(`/:id/${path}`, async (request, response) => {
      const { tenant, keyId, subject } = principalWith('approve', response);
      const { request_hash: requestHash, note } = parse(decisionRequestSchema, request.body);
      const { repeated, memo } = await decide({
        tenantId: tenant.id,
        refundId: refundIdIn(request),
        requestHash,
        decision,
        decidedBy: `key:${keyId}`,
        decidedBySubject: subject,
        ...(note !== undefined && { note }),
      });
      if (repeated) response.set('Idempotent-Replayed', 'true');
      response.json(renderRefund(memo, tenant));
    });
  }
  return router;
}
