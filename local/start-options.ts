import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface StartOptions {
  demo: boolean;
  workers: number;
  dataFolder: string;
  remote: boolean;
  help: boolean;
}

export const startUsage = `npm start [-- options]

Starts a real Temporal server, the worker, the API and local stand-ins for Stripe and Twilio, then plays two calls.

  --no-demo       do not play the calls
  --workers <n>   number of worker processes (default 1)
  --data <dir>    folder of all state and logs (default .data)
  --remote        allow a TEMPORAL_ADDRESS on another machine
  --help          this text

Environment: STRIPE_SECRET_KEY (sk_test_…) and STRIPE_WEBHOOK_SECRET for Stripe's test mode, TWILIO_ACCOUNT_SID and
TWILIO_AUTH_TOKEN for real SMS, SMTP_URL and MAIL_FROM for real e-mail, TENANTS_FILE, TENANT_WEBHOOKS_FILE, PUBLIC_URL,
STRIPE_API_BASE, TWILIO_API_BASE, TEMPORAL_CLI, TEMPORAL_ADDRESS, RECONCILE_EVERY_MS, LOG_LEVEL.`;

/** The caller asked for something that does not exist: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

export function parseStartOptions(args: readonly string[]): StartOptions {
  const values = parse(() =>
    parseArgs({
      args: [...args],
      options: {
        'no-demo': { type: 'boolean', default: false },
        workers: { type: 'string', default: '1' },
        data: { type: 'string', default: '.data' },
        remote: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  ).values;
  const workers = Number(values.workers);
  if (!/^\d+$/.test(values.workers) || workers > 16)
    throw new UsageError('--workers takes a number from 0 to 16');
  return {
    demo: !values['no-demo'],
    workers,
    dataFolder: dataFolderOf(values.data),
    remote: values.remote,
    help: values.help,
  };
}

export const demoUsage = `npm run demo [-- options]

Plays two calls against the running system (see npm start), or starts one for it. Exit code 0 only if both are paid
and the ledger agrees.

  --data <dir>    folder of the running system (default .data)
  --help          this text`;

export function parseDemoOptions(args: readonly string[]): { dataFolder: string; help: boolean } {
  const { values } = parse(() =>
    parseArgs({
      args: [...args],
      options: {
        data: { type: 'string', default: '.data' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
  return { dataFolder: dataFolderOf(values.data), help: values.help };
}

function dataFolderOf(text: string): string {
  if (text.trim() === '') throw new UsageError('--data takes a folder');
  return resolve(text);
}

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
