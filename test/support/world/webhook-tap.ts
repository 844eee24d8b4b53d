import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.js';

export interface TappedWebhook {
  path: string;
  headers: Record<string, string>;
  body: string;
  /** What the app answered; undefined while it is held back. */
  status?: number;
  effect?: string;
}

/** Stands between the vendors' stand-ins and the app: sees every webhook, and can hold them back to reorder them. */
export class WebhookTap {
  readonly seen: TappedWebhook[] = [];
  url = '';
  #target = '';
  #held: TappedWebhook[] | undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers)
            .filter(([name]) => /signature|content-type/.test(name))
            .map(([name, value]) => [name, String(value)]),
        );
        const webhook = { path: request.url ?? '', headers, body: Buffer.concat(parts).toString() };
        this.seen.push(webhook);
        if (this.#held) {
          this.#held.push(webhook);
          response.writeHead(200).end();
          return;
        }
        void this.forward(webhook).then(
          (status) => response.writeHead(status).end(),
          () => response.destroy(),
        );
      });
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Where the app listens. */
  set target(url: string) {
    this.#target = url;
  }

  /** Sends one webhook on to the app, as often as a test likes. */
  async forward(webhook: TappedWebhook): Promise<number> {
    const { path, headers, body } = webhook;
    const response = await fetch(`${this.#target}${path}`, { method: 'POST', headers, body });
    const answer = (await response.json().catch(() => ({}))) as { effect?: string };
    webhook.status = response.status;
    if (answer.effect !== undefined) webhook.effect = answer.effect;
    return response.status;
  }

  /** From now on the senders are told that all is well, and nothing reaches the app. */
  hold(): void {
    this.#held = [];
  }

  /** An event of a type about a checkout, as soon as it is held back. */
  heldBack(type: string, checkoutId: string): Promise<TappedWebhook> {
    return until(`${type} of ${checkoutId}`, () =>
      this.#held?.find(({ body }) => body.includes(`"${type}"`) && body.includes(checkoutId)),
    );
  }

  /** What was held back; later webhooks go through again. */
  release(): TappedWebhook[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    return held;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
