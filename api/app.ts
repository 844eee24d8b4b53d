import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import type Stripe from 'stripe';
import { containsCardNumber } from '../domain/card-data.js';
import type { Tenant } from '../domain/tenant.js';
import type { ApprovalLinks } from '../providers/approval/approval-link.js';
import type { RequestSeal } from '../providers/approval/request-seal.js';
import type { DecisionTokens } from '../providers/approval/decision-token.js';
import type { Ownership } from '../providers/stripe/ownership.js';
import type { Logger } from '../runtime/logger.js';
import { type ApiKey, authenticate, type Principal } from './authenticate.js';
import { checkoutRoutes } from './checkouts/routes.js';
import { approvalRoutes } from './approvals/routes.js';
import { docsPage } from './docs-page.js';
import { refuseReusedKeys } from './idempotency.js';
import { keepJsonText, refuseHalfCharacters } from './json-text.js';
import { opsRoutes } from './ops/routes.js';
import { openApiDocument } from './openapi.js';
import { Problem, sendProblem } from './problem.js';
import { quoteRoutes } from './quotes/routes.js';
import type { QuoteTokens } from './quotes/quote-token.js';
import { decodedUrl, refuseCardData } from './refuse-card-data.js';
import { refundRoutes } from './refunds/routes.js';
import type { RunWatch } from './run-watch.js';
import { WebhookRelay } from './webhooks/relay.js';
import { stripeWebhook } from './webhooks/stripe.js';
import { twilioStatusWebhook } from './webhooks/twilio.js';

export interface AppDependencies {
  client: Client;
  stripe: Stripe;
  /** As the files say at that moment. */
  tenants: Pick<ReadonlyMap<string, Tenant>, 'get'>;
  keys: Pick<ReadonlyMap<string, ApiKey>, 'get'>;
  tokens: QuoteTokens;
  identityKey: Buffer;
  ownership: Ownership;
  watch: RunWatch;
  decisions: DecisionTokens;
  approvalLinks: ApprovalLinks;
  seal: RequestSeal;
  stripeWebhookSecrets: readonly string[];
  twilioAuthToken: string;
  publicUrl: string;
  /** Where the Temporal UI is; absent: ops get no links to it. */
  temporalUiUrl?: string | undefined;
  /** Whether the tenant's own system takes webhooks. */
  announces: (tenantId: string) => boolean;
  livemode: boolean;
  log: Logger;
}

/** Requests of one key per second; a waiting request counts once. */
const requestsPerSecond = 300;
const maxBody = 64 * 1024;
const maxWebhookBody = 256 * 1024;

interface Locals {
  requestId: string;
  principal?: Principal;
  effect?: string;
}

/** The whole HTTP surface: `docs/architecture.md` names the way of one request. */
export function createApp(dependencies: AppDependencies): Express {
  const { client, tenants, keys, log, ownership, publicUrl } = dependencies;
  const tenant = (id: string) => tenants.get(id);
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use(helmet({ contentSecurityPolicy: { directives: { 'upgrade-insecure-requests': null } } }));
  app.use(identifyRequest, logRequest(log));

  app.get('/healthz', (_request, response) => void response.json({ ok: true }));
  app.get('/readyz', async (_request, response) => {
    const reached = client.withDeadline(Date.now() + 1_000, () => client.workflowService.getSystemInfo({}));
    await reached.catch(() => {
      throw new Problem('unavailable', { detail: 'Temporal does not answer' });
    });
    response.json({ ok: true });
  });
  const openApi = openApiDocument(publicUrl);
  app.get('/openapi.json', (_request, response) => void response.json(openApi));
  app.get('/docs', (_request, response) => void response.type('html').send(docsPage(openApi)));

  const relay = new WebhookRelay(client);
  const webhooks = { ...dependencies, secrets: dependencies.stripeWebhookSecrets, relay, tenant };
  const raw = express.raw({ type: () => true, limit: maxWebhookBody, inflate: false });
  app.post('/webhooks/stripe', raw, stripeWebhook(webhooks, 'own'));
  app.post('/webhooks/stripe/connect', raw, stripeWebhook(webhooks, 'connect'));
  app.post(
    '/webhooks/twilio/status',
    raw,
    twilioStatusWebhook({ authToken: dependencies.twilioAuthToken, publicUrl, ownership, relay }),
  );

  const v1 = express.Router();
  v1.use(authenticate(keys, tenant), limitRate(), requireJson);
  v1.use(express.json({ limit: maxBody, inflate: false, type: () => true, verify: keepJsonText }));
  v1.use(refuseHalfCharacters, refuseCardData, refuseReusedKeys());
  v1.use('/quotes', quoteRoutes(dependencies));
  v1.use('/checkouts', checkoutRoutes(dependencies));
  v1.use('/refunds', refundRoutes(dependencies));
  v1.use('/ops', opsRoutes(dependencies));
  app.use('/v1', v1);
  app.use('/approvals', approvalRoutes({ ...dependencies, tenant }));

  app.use(() => {
    throw new Problem('not_found');
  });
  app.use(answerErrors(log));
  return app;
}

/**
 * Takes the client's request id if it is harmless, else makes one; always returns it. A card number in it is neither echoed
 * nor logged; `refuseCardData` looks at the header itself.
 */
const identifyRequest: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id');
  const harmless = given !== undefined && /^[\w.-]{1,128}$/.test(given) && !containsCardNumber(given);
  const requestId = harmless ? given : randomUUID();
  (response.locals as Locals).requestId = requestId;
  response.set('X-Request-Id', requestId);
  next();
};

/** One line per request, with ids and without personal data. */
function logRequest(log: Logger): RequestHandler {
  return (request, response, next) => {
    const started = performance.now();
    response.on('finish', () => {
      const { requestId, principal, effect } = response.locals as Locals;
      log.info(
        {
          request: requestId,
          method: request.method,
          path: loggedPath(request.originalUrl),
          status: response.statusCode,
          ms: Math.round(performance.now() - started),
          ...(principal && { tenant: principal.tenant.id, key: principal.keyId }),
          ...(effect && { effect }),
        },
        'request',
      );
    });
    next();
  };
}

/** The path without its query, or nothing of it when somebody put a card number there. */
function loggedPath(url: string): string {
  const [path = ''] = url.split('?');
  // The rest of such a path is a link that lets its holder decide.
  if (path.toLowerCase().startsWith('/approvals/')) return '/approvals/:token';
  return containsCardNumber(decodedUrl(path)) ? '[refused]' : path.slice(0, 120);
}

function limitRate(): RequestHandler {
  return rateLimit({
    windowMs: 1_000,
    limit: requestsPerSecond,
    standardHeaders: false,
    legacyHeaders: false,
    keyGenerator: (_request, response) => (response.locals as Locals).principal?.keyId ?? '',
    handler: () => {
      throw new Problem('rate_limited', { retry_after: 1 });
    },
  });
}

/** A body must be uncompressed JSON; a POST without one is fine where nothing is required. */
const requireJson: RequestHandler = (request, _response, next) => {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.get('content-length') ?? 0) > 0;
  if (hasBody && !request.is(['application/json', 'application/*+json']))
    throw new Problem('unsupported_media_type');
  next();
};

/** Known problems as they are; body parser faults as what they mean; everything else is a bug: logged, not told. */
function answerErrors(log: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    const { requestId } = response.locals as Locals;
    const problem = error instanceof Problem ? error : parserProblem(error);
    if (!problem) log.error({ request: requestId, err: error }, 'request failed');
    sendProblem(
      response,
      problem ?? new Problem('unavailable', { detail: 'an unexpected error' }),
      requestId,
    );
  };
}

function parserProblem(error: unknown): Problem | undefined {
  switch ((error as { type?: unknown } | undefined)?.type) {
    case 'entity.too.large':
      return new Problem('body_too_large');
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new Problem('unsupported_media_type');
    case 'entity.parse.failed':
    case 'entity.verify.failed':
    case 'request.aborted':
    case 'request.size.invalid':
      return new Problem('invalid_request', { detail: 'the body is not valid JSON' });
    default:
      return error instanceof URIError
        ? new Problem('invalid_request', { detail: 'the path is not valid' })
        : undefined;
  }
}
