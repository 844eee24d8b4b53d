import { parseArgs } from 'node:util';
import { isCheckoutId, isRefundId, isTenantId } from '../contracts/ids.js';
import { isResolution } from '../contracts/levers.js';
import { isListable } from '../contracts/run-query.js';
import { type Resolution, transitions } from '../domain/checkout-state.js';
import { refundTransitions } from '../domain/refund-state.js';

export const usage = `Shows what waits for ops, and acts on it. Stripe is read before anything is believed.

  npm run ops -- list --tenant <tenant> [--state <state> | --all] [--call <call id>]
  npm run ops -- show --tenant <tenant> --id <co_… or rf_…>
  npm run ops -- retry-now --tenant <tenant> --id <co_… or rf_…>
  npm run ops -- resolve --tenant <tenant> --id <co_…> --by <your name> [--note <text>]

list       runs that need attention, with late money that does, or those in another state, or all; the newest 200 of each kind
show       what a run waits for
retry-now  has Stripe read at once
resolve    ends a checkout in needs_attention without a payment on your word, if Stripe still proves nothing

Without npm: node dist/workers/ops.js. Temporal is found by the TEMPORAL_* variables.
Exit code: 0 done, 1 not possible, 2 not understood.`;

export type Wanted = { tenantId: string } & (
  | { command: 'list'; state: string | undefined; callId: string | undefined }
  | { command: 'show' | 'retry-now'; id: string }
  | { command: 'resolve'; id: string; resolution: Resolution }
);

const text = { type: 'string' } as const;
const options = {
  tenant: text,
  id: text,
  state: text,
  call: text,
  by: text,
  note: text,
  all: { type: 'boolean' },
} as const;

/** What is asked for; undefined when it cannot be understood. */
export function understand(args: readonly string[]): Wanted | undefined {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const { tenant: tenantId = '', id = '', state, call: callId, by = '', note, all } = values;
    const [command, ...more] = positionals;
    if (!isTenantId(tenantId) || more.length > 0) return undefined;
    const known = isCheckoutId(id) || isRefundId(id);
    switch (command) {
      case 'list': {
        if (all && state !== undefined) return undefined;
        const wanted = all ? undefined : (state ?? 'needs_attention');
        const exists = wanted === undefined || wanted in transitions || wanted in refundTransitions;
        const listable = callId === undefined || isListable(callId);
        return exists && listable ? { command, tenantId, state: wanted, callId } : undefined;
      }
      case 'show':
      case 'retry-now':
        return known ? { command, tenantId, id } : undefined;
      case 'resolve': {
        const resolution = { by: `${by.trim()} (command line)`, ...(note !== undefined && { note }) };
        const named = by.trim() !== '' && isResolution(resolution);
        return isCheckoutId(id) && named ? { command, tenantId, id, resolution } : undefined;
      }
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}
