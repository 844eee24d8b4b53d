import { type Logger, pino } from 'pino';

export type { Logger };

/** Paths that may carry personal data or secrets in anything that is logged. */
const secretPaths = [
  'authorization',
  'phone',
  'email',
  'token',
  'quote_token',
  'secret',
  'url',
  'body',
  'contact',
  'customer',
].flatMap((name) => [name, `*.${name}`]);

/** JSON lines on standard output; one per request or effect, with ids and without personal data. */
export function createLogger(process: 'api' | 'worker', level: string): Logger {
  return pino({
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secretPaths, censor: '[redacted]' },
    serializers: {
      // Vendor errors may hold whole objects and messages with input: only their kind and place are kept.
      err: (error: unknown) =>
        error instanceof Error
          ? { name: error.name, stack: error.stack?.split('\n').slice(1, 6).join('\n') }
          : {},
    },
  });
}
