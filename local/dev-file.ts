import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isRecord, readJson, writeJson } from './files.js';
import type { TenantKeys } from './secrets.js';

/** Where everything is and how to get in, for checks and for the demo (docs: HTTP contract, local system). */
export interface DevFile {
  api_url: string;
  local_url: string;
  ui_url: string;
  temporal_address: string;
  webhook_secrets: { stripe: string; twilio: string };
  tenant: string;
  keys: TenantKeys;
  other_tenant?: { tenant: string; keys: TenantKeys };
  pids: { start: number; temporal?: number; api?: number; local?: number; workers: number[] };
}

const devPath = (dataFolder: string): string => join(dataFolder, 'dev.json');

export function writeDevFile(dataFolder: string, dev: DevFile): void {
  writeJson(devPath(dataFolder), dev);
}

export function removeDevFile(dataFolder: string): void {
  rmSync(devPath(dataFolder), { force: true });
}

export function readDevFile(dataFolder: string): DevFile | undefined {
  const value = readJson(devPath(dataFolder));
  // Written by ourselves, whole or not at all.
  return isRecord(value) && typeof value['api_url'] === 'string' ? (value as unknown as DevFile) : undefined;
}
