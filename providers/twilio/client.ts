import twilio from 'twilio';

type RequestOptions<TData> = Parameters<typeof twilio.RequestClient.prototype.request<TData>>[0];

/** Sends Twilio's requests to another base URL. The SDK has no option for that: it builds host names from the product. */
class RebasedRequestClient extends twilio.RequestClient {
  readonly #base: URL;

  constructor(base: URL, options: { timeout: number }) {
    super(options);
    this.#base = base;
  }

  override request<TData>(options: RequestOptions<TData>) {
    const uri = new URL(options.uri);
    uri.protocol = this.#base.protocol;
    uri.host = this.#base.host;
    return super.request<TData>({ ...options, uri: uri.href });
  }
}

/** A client without retries of its own (a repeated send is a second text message) and with time-outs that fit an activity. */
export function createTwilioClient(options: {
  accountSid: string;
  authToken: string;
  apiBase?: string | undefined;
}): twilio.Twilio {
  const settings = { timeout: 8_000 };
  return twilio(options.accountSid, options.authToken, {
    autoRetry: false,
    httpClient:
      options.apiBase === undefined
        ? new twilio.RequestClient(settings)
        : new RebasedRequestClient(new URL(options.apiBase), settings),
  });
}
