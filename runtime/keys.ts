import { hkdfSync } from 'node:crypto';

/** What a derived key is for: one key never serves two purposes. */
export type KeyPurpose = 'ownership' | 'quote' | 'identity' | 'decision' | 'refund-request' | 'approval-link';

/** A 32-byte key for one purpose, derived from the deployment's secret (HKDF-SHA256). */
export function deriveKey(deployment: { id: string; secret: string }, purpose: KeyPurpose): Buffer {
  return Buffer.from(hkdfSync('sha256', deployment.secret, deployment.id, `voice-checkout/${purpose}`, 32));
}
