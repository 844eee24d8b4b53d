import type { z } from 'zod';
import { Problem } from './problem.js';

/** The value a schema accepts, or an `invalid_request` problem that names every wrong field and echoes none. */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw new Problem('invalid_request', {
    detail: 'see errors',
    errors: result.error.issues.map(({ path, message, code }) => ({
      path: path.join('.'),
      // zod names unknown keys in its message; they are the client's text, so only the fact is told.
      message: code === 'unrecognized_keys' ? 'has a field that is not known' : message,
    })),
  });
}
