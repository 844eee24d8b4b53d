import { parseArgs } from 'node:util';
import { SERVED, startSimulators, type Served } from './simulators.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    data: { type: 'string' },
    serve: { type: 'string', default: SERVED.join(',') },
    'smtp-port': { type: 'string', default: '0' },
    'public-url': { type: 'string' },
    'stripe-webhook-url': { type: 'string' },
    'stripe-connect-webhook-url': { type: 'string' },
  },
});

const wanted = values.serve.split(',');
const unknown = wanted.find((name) => !SERVED.some((served) => served === name));
if (unknown !== undefined) throw new Error(`--serve knows ${SERVED.join(', ')}; not "${unknown}"`);

const simulators = await startSimulators({
  port: Number(values.port),
  dataFile: values.data,
  serve: SERVED.filter((name: Served) => wanted.includes(name)),
  publicUrl: values['public-url'],
  smtpPort: Number(values['smtp-port']),
  receiverSecrets: JSON.parse(process.env['RECEIVER_SECRETS'] ?? '{}') as Record<string, string>,
  stripeWebhook: {
    url: values['stripe-webhook-url'],
    connectUrl: values['stripe-connect-webhook-url'],
    secret: process.env['STRIPE_WEBHOOK_SECRET'],
  },
  twilioAccount: {
    accountSid: process.env['TWILIO_ACCOUNT_SID'],
    authToken: process.env['TWILIO_AUTH_TOKEN'],
  },
});

console.error(
  'Local stand-ins for Stripe, Twilio, a phone, e-mail and tenant webhooks (livemode: false). No real money moves.',
);
console.log(JSON.stringify({ listening: simulators.url, smtp: simulators.smtp }));

let stopping = false;
const stop = (): void => {
  if (stopping) return;
  stopping = true;
  void simulators.close().then(() => process.exit(0));
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
// The supervisor is gone: without it nobody would ever end this process.
process.on('disconnect', stop);
