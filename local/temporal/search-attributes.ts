import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { searchAttributeNames } from '../../contracts/search-attributes.js';

const keyword = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;

/**
 * Registers the search attributes of the workflows (all Keyword) and reads them back. Adding is idempotent, but a name
 * that exists with another type is accepted and left as it is: only the list tells.
 */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const listed = async (): Promise<Record<string, unknown>> =>
    (await connection.operatorService.listSearchAttributes({ namespace })).customAttributes ?? {};
  const before = await listed();
  const missing = searchAttributeNames.filter((name) => before[name] === undefined);
  if (missing.length > 0) {
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, keyword]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  }
  const after = await listed();
  const wrong = searchAttributeNames.filter((name) => after[name] !== keyword);
  if (wrong.length > 0) {
    throw new Error(
      `search attributes of namespace ${namespace} that are not of type Keyword: ${wrong.join(', ')}`,
    );
  }
}

/** As above for a server that has just begun to listen: its namespace appears a moment later. */
export async function registerSearchAttributesOnStart(
  connection: Connection,
  namespace: string,
  timeoutMs: number,
): Promise<void> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await connection.withDeadline(Date.now() + 3_000, () =>
        registerSearchAttributes(connection, namespace),
      );
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(100);
    }
  }
}
