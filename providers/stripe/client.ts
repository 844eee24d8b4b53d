import Stripe from 'stripe';

/** The API version the code was written and typed against; the webhook endpoint must be pinned to the same one. */
export const stripeApiVersion = '2026-10-28.endive';

type StripeHttpClient = NonNullable<NonNullable<ConstructorParameters<typeof Stripe>[1]>['httpClient']>;

/**
 * Stripe's SDK repeats a request whose connection was reset once by itself, whatever `maxNetworkRetries` says (stripe-node 23,
 * RequestSender: ECONNRESET and EPIPE). A refusal of such a hidden second try would be taken for one of the first, which may
 * have arrived: so the code that it goes by is taken off, and every try is one that Temporal counts.
 */
function withoutHiddenRepeats(client: StripeHttpClient): StripeHttpClient {
  return {
    getClientName: () => client.getClientName(),
    makeRequest: async (...request) => {
      try {
        return await client.makeRequest(...request);
      } catch (error) {
        const { code } = (error ?? {}) as { code?: unknown };
        if (code !== 'ECONNRESET' && code !== 'EPIPE') throw error;
        throw Object.assign(new Error('the connection was reset'), { code: 'CONNECTION_RESET' });
      }
    },
  };
}

/**
 * A client that leaves retrying to Temporal: the same activity with the same key, visible in the history. Requests end
 * after 8 s so that they fit an activity attempt of 10 s. Source: stripe-node 23 defaults are 80 s and 2 retries.
 */
export function createStripeClient(options: {
  secretKey: string;
  apiBase?: string | undefined;
  /** How requests travel; Node's own HTTP if not given. */
  httpClient?: StripeHttpClient;
}): Stripe {
  const base = options.apiBase === undefined ? undefined : new URL(options.apiBase);
  return new Stripe(options.secretKey, {
    apiVersion: stripeApiVersion,
    timeout: 8_000,
    maxNetworkRetries: 0,
    httpClient: withoutHiddenRepeats(options.httpClient ?? Stripe.createNodeHttpClient()),
    telemetry: false,
    appInfo: { name: 'voice-checkout' },
    ...(base && {
      host: base.hostname,
      protocol: base.protocol === 'http:' ? 'http' : 'https',
      port: base.port || (base.protocol === 'http:' ? '80' : '443'),
    }),
  });
}
