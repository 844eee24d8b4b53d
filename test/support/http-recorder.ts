import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordedRequest {
  method: string;
  /** Without the query. */
  path: string;
  /** `Stripe-Version` as it was sent. */
  version: string;
  /** Parameters of query and body, decoded. */
  params: Record<string, string>;
  status: number;
  /** What the other side said where it refused. */
  refusal?: string;
}

/** Passes requests on to the server that `target` names for them, and remembers each with its answer. */
export async function startRecorder(target: (headers: IncomingHttpHeaders) => string) {
  const requests: RecordedRequest[] = [];
  const forward = async (method: string, url: string, headers: IncomingHttpHeaders, body: string) => {
    const [path = '', query = ''] = url.split('?');
    const answer = await fetch(`${target(headers)}${url}`, {
      method,
      headers: {
        authorization: headers.authorization ?? '',
        'content-type': headers['content-type'] ?? 'application/x-www-form-urlencoded',
      },
      ...(body !== '' && { body }),
    });
    const text = await answer.text();
    const params = [...new URLSearchParams(query), ...new URLSearchParams(body)];
    requests.push({
      method,
      path,
      version: String(headers['stripe-version']),
      params: Object.fromEntries(params),
      status: answer.status,
      ...(!answer.ok && { refusal: (JSON.parse(text) as { error: { message: string } }).error.message }),
    });
    return { status: answer.status, text };
  };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      forward(request.method ?? 'GET', request.url ?? '/', request.headers, body).then(
        ({ status, text }) => response.writeHead(status, { 'content-type': 'application/json' }).end(text),
        () => response.destroy(),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    requests,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
