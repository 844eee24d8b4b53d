import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigurationError } from './config.js';

const file = z.object({
  keys: z.array(
    z.object({
      id: z.string().regex(/^[A-Za-z0-9]{1,40}$/),
      tenant: z.string(),
      name: z.string(),
      subject: z.string().trim().min(1).max(80).optional(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      scopes: z.array(z.enum(['checkout', 'amount', 'refund', 'approve', 'ops'])),
      expires_at: z.iso.datetime({ offset: true }).optional(),
    }),
  ),
});

/** All keys by id. Throws a ConfigurationError that names places and no value. */
export function loadApiKeys(path: string): ReadonlyMap<string, z.output<typeof file>['keys'][number]> {
  try {
    const { keys } = file.parse(JSON.parse(readFileSync(path, 'utf8')));
    return new Map(keys.map((key) => [key.id, key]));
  } catch (error) {
    const places =
      error instanceof z.ZodError ? error.issues.map(({ path: at }) => at.join('.')).join(', ') : '';
    throw new ConfigurationError([`API_KEYS_FILE cannot be read or is not valid ${places}`.trim()]);
  }
}
