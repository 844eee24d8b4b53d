import { Router } from 'express';
import { principalWith } from '../authenticate.js';
import { parse } from '../parse.js';
import { createQuoteOperation, type QuoteDependencies } from './operations.js';
import { quoteRequestSchema } from './schemas.js';

export function quoteRoutes(dependencies: QuoteDependencies): Router {
  const createQuote = createQuoteOperation(dependencies);
  const router = Router();
  router.post('/', async (request, response) => {
    const { tenant } = principalWith('checkout', response);
    const body = parse(quoteRequestSchema, request.body);
    // Who names an amount is trusted with the catalogue: a scope of its own.
    if (body.purchase.kind === 'amount') principalWith('amount', response);
    const { repeated, quote } = await createQuote(body, tenant);
    if (repeated) response.set('Idempotent-Replayed', 'true');
    response.status(repeated ? 200 : 201).json(quote);
  });
  return router;
}
