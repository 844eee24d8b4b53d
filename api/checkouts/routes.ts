import { type Request, Router, type Response } from 'express';
import { type CheckoutMemo, checkoutWorkflowId } from '../../contracts/checkout.js';
import { isCheckoutId } from '../../contracts/ids.js';
import { isTerminal } from '../../domain/checkout-state.js';
import type { Tenant } from '../../domain/tenant.js';
import { principalWith } from '../authenticate.js';
import { parse } from '../parse.js';
import { Problem } from '../problem.js';
import type { RunWatch } from '../run-watch.js';
import { type ShownCheckout, withAftermath } from './aftermath.js';
import { listCheckoutEvents } from './events.js';
import { type CheckoutDependencies, createCheckoutOperations } from './operations.js';
import { renderCheckout } from './resource.js';
import { readCheckout } from './store.js';
import {
  cancelRequestSchema,
  eventsQuerySchema,
  startRequestSchema,
  switchRequestSchema,
  waitQuerySchema,
} from './schemas.js';

/** The id in the path; anything that cannot be one of ours is simply not found. */
export function checkoutIdIn(request: Request): string {
  const { id } = request.params;
  if (typeof id === 'string' && isCheckoutId(id)) return id;
  throw new Problem('not_found');
}

export function checkoutRoutes(dependencies: CheckoutDependencies & { watch: RunWatch }): Router {
  const { client, watch } = dependencies;
  const operations = createCheckoutOperations(dependencies);
  const router = Router();

  async function answer(
    response: Response,
    status: number,
    memo: CheckoutMemo,
    tenant: Tenant,
    repeated = false,
  ) {
    if (repeated) response.set('Idempotent-Replayed', 'true');
    response.status(status).json(renderCheckout(await withAftermath(client, tenant.id, memo), tenant));
  }

  router.post('/', async (request, response) => {
    const { tenant } = principalWith('checkout', response);
    const { repeated, memo } = await operations.startCheckout(
      parse(startRequestSchema, request.body),
      tenant,
    );
    await answer(response, repeated ? 200 : 202, memo, tenant, repeated);
  });

  router.get('/:id', async (request, response) => {
    const { tenant } = principalWith('checkout', response);
    const { since, wait_ms } = parse(waitQuerySchema, request.query);
    const id = checkoutIdIn(request);
    const read = async () => {
      const memo = await readCheckout(client, tenant.id, id);
      return memo && withAftermath(client, tenant.id, memo);
    };
    // What happens after the end stands in other runs, which the poll of this one does not see.
    const isOver = ({ state }: ShownCheckout) => isTerminal(state.status);
    const shown = await watch.waitFor(checkoutWorkflowId(tenant.id, id), read, {
      since,
      isOver,
      waitMs: wait_ms,
      withState: ({ checkout }, state) => withAftermath(client, tenant.id, { checkout, state }),
    });
    if (!shown) throw new Problem('not_found');
    response.json(renderCheckout(shown, tenant));
  });

  router.post('/:id/cancel', async (request, response) => {
    const { tenant } = principalWith('checkout', response);
    const { repeated, memo } = await operations.cancelCheckout(
      checkoutIdIn(request),
      parse(cancelRequestSchema, request.body),
      tenant,
    );
    await answer(response, 200, memo, tenant, repeated);
  });

  router.post('/:id/rail', async (request, response) => {
    const { tenant } = principalWith('checkout', response);
    const body = parse(switchRequestSchema, request.body);
    const { repeated, memo } = await operations.switchRail(checkoutIdIn(request), body, tenant);
    await answer(response, 200, memo, tenant, repeated);
  });

  router.get('/:id/events', async (request, response) => {
    const { tenant } = principalWith('checkout', response);
    const { after } = parse(eventsQuerySchema, request.query);
    const list = await listCheckoutEvents(client, tenant.id, checkoutIdIn(request), after);
    if (!list) throw new Problem('not_found');
    response.json(list);
  });

  return router;
}
