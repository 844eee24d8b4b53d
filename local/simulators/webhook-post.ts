/** Brings one webhook to us. False where no 2xx came within the time. Never throws. */
export type WebhookPost = (
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  withinMs: number,
) => Promise<boolean>;

/** Posts over the network until `closing` is aborted. */
export function postOverHttp(closing: AbortSignal): WebhookPost {
  return async (url, headers, body, withinMs) => {
    try {
      const response = await fetch(url, {
        ...{ method: 'POST', headers, body, redirect: 'manual' },
        signal: AbortSignal.any([closing, AbortSignal.timeout(withinMs)]),
      });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  };
}
