import Stripe from 'stripe';
import twilio from 'twilio';
import type { Clock } from '../../local/simulators/clock.js';
import type { VendorAnswer, VendorRequest, VendorServer } from '../../local/simulators/vendor-server.js';

const failure = (code: 'ECONNRESET' | 'ETIMEDOUT') => Object.assign(new Error(code), { code });

/** What a client sees of a vendor: its answer, a reset where there is none, or its own time-out, on the vendor's clock. */
async function ask(
  server: VendorServer,
  clock: Clock,
  request: VendorRequest,
  timeoutMs: number,
): Promise<VendorAnswer> {
  const late = clock.sleep(timeoutMs).then(() => {
    throw failure('ETIMEDOUT');
  });
  const answer = await Promise.race([server(request), late]);
  if (answer === undefined) throw failure('ECONNRESET');
  return answer;
}

const lowerCase = (headers: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)] as const),
  );

class StripeAnswer extends Stripe.HttpClientResponse {
  constructor(readonly answer: VendorAnswer) {
    super(answer.status, answer.headers);
  }

  override getRawResponse(): unknown {
    return this.answer;
  }

  override async toJSON(): Promise<unknown> {
    return JSON.parse(this.answer.body);
  }
}

type StripeHttpClient = NonNullable<NonNullable<ConstructorParameters<typeof Stripe>[1]>['httpClient']>;

/** `new Stripe(key, { httpClient: inProcessStripe(…) })` speaks to the stand-in in this process. */
export function inProcessStripe(server: VendorServer, clock: Clock): StripeHttpClient {
  return {
    getClientName: () => 'in-process',
    makeRequest: async (_host, _port, path, method, headers, body, _protocol, timeoutMs) => {
      const request = { method, path, headers: lowerCase(headers), body: body ?? '' };
      return new StripeAnswer(await ask(server, clock, request, timeoutMs));
    },
  };
}

type RequestOptions<TData> = Parameters<typeof twilio.RequestClient.prototype.request<TData>>[0];

const form = (params: object = {}): string =>
  new URLSearchParams(
    Object.entries(params)
      .filter(([, value]) => value !== undefined)
      .flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, String(one)])),
  ).toString();

/** `twilio(sid, token, { httpClient: new InProcessTwilio(…) })` speaks to the stand-in in this process. */
export class InProcessTwilio extends twilio.RequestClient {
  constructor(
    readonly server: VendorServer,
    readonly clock: Clock,
    readonly timeoutMs = 8_000,
  ) {
    super();
  }

  override async request<TData>(options: RequestOptions<TData>) {
    const { username = '', password = '', params, data, headers } = options;
    const url = new URL(options.uri);
    if (params !== undefined) url.search = form(params);
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const request: VendorRequest = {
      method: options.method.toUpperCase(),
      path: url.pathname + url.search,
      headers: { ...lowerCase(headers ?? {}), authorization },
      body: data === undefined ? '' : form(data as object),
    };
    const answer = await ask(this.server, this.clock, request, this.timeoutMs);
    return {
      statusCode: answer.status,
      body: JSON.parse(answer.body) as TData,
      headers: answer.headers,
    };
  }
}
