import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { searchAttributeNames } from '../../contracts/search-attributes.js';
import { errorText } from '../terminal.js';
import { registerSearchAttributes } from './search-attributes.js';

/**
 * Once per cluster and namespace, before the first worker: `npx tsx local/temporal/register-search-attributes.ts`.
 * Address, namespace, TLS and API key come from the TEMPORAL_* variables or the profile of the Temporal CLI.
 */
try {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await Connection.connect({ ...connectionOptions, connectTimeout: 10_000 });
  try {
    await registerSearchAttributes(connection, namespace);
    process.stdout.write(
      `namespace ${namespace}: ${searchAttributeNames.join(', ')} are registered as Keyword\n`,
    );
  } finally {
    await connection.close();
  }
} catch (error) {
  process.stderr.write(`search attributes were not registered: ${errorText(error)}\n`);
  process.exitCode = 1;
}
