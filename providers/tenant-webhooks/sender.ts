import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { mayConnect, urlProblem } from './address.js';
import { signatureHeaders } from './signature.js';

/** Where a tenant's own system takes webhooks. */
export interface TenantWebhook {
  url: string;
  /** `whsec_…`: the current one first, beside it the one that is being rotated out. */
  secrets: readonly string[];
}

export interface WebhookAnswer {
  status: number;
  retryAfter?: string | undefined;
}

/** The request had no answer. `message` says why, without the URL. */
export class WebhookUnanswered extends Error {
  override readonly name = 'WebhookUnanswered';
}

export type WebhookSender = (
  webhook: TenantWebhook,
  message: { id: string; body: string },
) => Promise<WebhookAnswer>;

type Lookup = (
  hostname: string,
  options: { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** The whole attempt, from the look-up of the name to the answer's status. */
const timeoutMs = 10_000;
/** Nobody reads what comes with the answer; so much is taken in so that a short one can end in order. */
const maxAnswerBytes = 1_024;

/**
 * Sends signed POSTs, each with a fresh signature. Follows no redirect, uses no proxy, and connects only to addresses that
 * it has checked: the name is looked up once, all its addresses must be allowed, and the socket gets these very addresses.
 */
export function createWebhookSender(options: {
  livemode: boolean;
  lookup?: Lookup;
  timeoutMs?: number;
}): WebhookSender {
  const { livemode, lookup = systemLookup, timeoutMs: patience = timeoutMs } = options;

  const checkedLookup =
    (protocol: string): LookupFunction =>
    (hostname, { all }, callback) =>
      lookup(hostname, { all: true }, (error, addresses) => {
        if (error) return callback(error, []);
        const [first] = addresses;
        if (!first || !addresses.every(({ address }) => mayConnect(address, protocol, livemode))) {
          return callback(new WebhookUnanswered('its name leads to an address that is not public'), []);
        }
        if (all) callback(null, addresses);
        else callback(null, first.address, first.family);
      });

  return ({ url, secrets }, { id, body }) =>
    new Promise((resolve, reject) => {
      // A socket to an address written as digits looks nothing up.
      const problem = urlProblem(url, livemode);
      if (problem !== undefined) return reject(new WebhookUnanswered(`its URL ${problem}`));
      const { protocol } = new URL(url);
      const request = (protocol === 'https:' ? httpsRequest : httpRequest)(url, {
        method: 'POST',
        agent: false,
        lookup: checkedLookup(protocol),
        signal: AbortSignal.timeout(patience),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'voice-checkout',
          ...signatureHeaders(secrets, { id, body, at: new Date() }),
        },
      });
      request.on('error', (error) => reject(unanswered(error)));
      request.on('response', (response) => {
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > maxAnswerBytes) response.destroy();
        });
        response.on('error', () => undefined);
      });
      request.end(body);
    });
}

/** Node's errors carry addresses and names: only their code goes into a history. */
function unanswered(error: NodeJS.ErrnoException): WebhookUnanswered {
  if (error instanceof WebhookUnanswered) return error;
  const timedOut = error.name === 'TimeoutError' || error.code === 'ABORT_ERR';
  return new WebhookUnanswered(timedOut ? 'no answer in time' : `no answer (${error.code ?? error.name})`);
}
