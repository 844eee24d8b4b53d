import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { localRoutes } from './local-routes.js';
import { MailSink } from './mail/mail-sink.js';
import { phoneRoutes } from './phone/phone-routes.js';
import { receiverRoutes } from './receiver/webhook-receiver.js';
import { serveOverHttp } from './serve-over-http.js';
import { Snapshot } from './snapshot.js';
import { createStandIns } from './stand-ins.js';
import type { WebhookTarget } from './stripe/webhook-sender.js';
import type { TwilioAccount } from './twilio/sms-network.js';

export const SERVED = ['stripe', 'twilio', 'phone'] as const;
export type Served = (typeof SERVED)[number];

export interface SimulatorOptions {
  /** 0 or none: any free port. Always on the loopback interface. */
  port?: number | undefined;
  /** The one snapshot file; without it nothing survives. */
  dataFile?: string | undefined;
  serve?: readonly Served[] | undefined;
  /** What links in messages and pages begin with; the listening address if not given. */
  publicUrl?: string | undefined;
  /** Of the SMTP sink; 0 or none: any free port. */
  smtpPort?: number | undefined;
  /** What each tenant's webhooks are signed with: `whsec_…`. */
  receiverSecrets?: Readonly<Record<string, string>> | undefined;
  stripeWebhook?: WebhookTarget | undefined;
  twilioAccount?: TwilioAccount | undefined;
}

export interface Simulators {
  url: string;
  /** Where the SMTP sink listens: `smtp://127.0.0.1:…`. */
  smtp: string;
  /** Writes the snapshot and ends every connection and timer. */
  close: () => Promise<void>;
}

/** Starts the local stand-ins for Stripe, Twilio, a caller's phone, e-mail and tenants' webhooks. They move no real money. */
export async function startSimulators(options: SimulatorOptions = {}): Promise<Simulators> {
  const serve = options.serve ?? SERVED;
  const snapshot = new Snapshot(options.dataFile);
  const touch = (): void => snapshot.touch();

  let url = '';
  const app = express();
  app.disable('x-powered-by');
  const server = createServer((req, res) => void app(req, res));
  const { stripeWebhook, twilioAccount } = options;
  const standIns = createStandIns({
    ...{ state: snapshot.state, touch, stripeWebhook, twilioAccount },
    publicUrl: () => options.publicUrl ?? url,
  });
  const { world, network, plumbing } = standIns;
  const { mail, receiver } = snapshot.state;
  const sink = new MailSink(mail, plumbing);

  const form = express.text({ type: () => true, limit: '1mb' });
  app.use('/_local', receiverRoutes(receiver, plumbing, options.receiverSecrets ?? {}));
  app.use('/_local', localRoutes(world, network, mail, plumbing));
  if (serve.includes('stripe')) app.use('/v1', form, serveOverHttp(standIns.stripe));
  if (serve.includes('twilio')) app.use('/2010-04-01', form, serveOverHttp(standIns.twilio));
  if (serve.includes('phone')) app.use(phoneRoutes(world, network, mail, receiver, touch));
  app.use(
    (_req, res) => void res.status(404).json({ error: { message: 'No such route in the local stand-ins.' } }),
  );

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const smtp = `smtp://127.0.0.1:${await sink.listen(options.smtpPort ?? 0)}`;

  return {
    url,
    smtp,
    close: async () => {
      standIns.close();
      server.closeAllConnections();
      await Promise.all([new Promise((resolve) => server.close(resolve)), sink.close()]);
      snapshot.flush();
    },
  };
}
