import { beforeAll, describe, expect, it } from 'vitest';
import { type VendorFault, vendorFaults } from '../support/simulation/vendor-network.js';
import { paths } from './paths.js';
import type { Scenario } from './scenario.js';
import { loadCode, type Outcome, simulate } from './simulate.js';
import type { WorkflowCode } from './world.js';

const kinds = Object.keys(vendorFaults) as VendorFault[];
/** Longer than Stripe keeps a key. */
const outageMs = 26 * 3_600_000;

let code: WorkflowCode;
beforeAll(async () => {
  code = await loadCode();
});

/** Runs a path with something failing; what went wrong, told. */
async function failureOf(
  scenario: Scenario,
  vendors: Partial<Scenario['vendors']>,
): Promise<Outcome | undefined> {
  const outcome = await simulate({ ...scenario, vendors: { ...scenario.vendors, ...vendors } }, code);
  return outcome.violation && outcome;
}

describe('whatever one request to a vendor comes to, no invariant breaks', () => {
  it.for(Object.entries(paths))('%s', { timeout: 300_000 }, async ([, scenario]) => {
    const { vendorCalls, violation, story } = await simulate(scenario, code);
    expect(violation, story).toBeUndefined();
    expect(vendorCalls.length).toBeGreaterThan(1);
    for (const { number, method, route } of vendorCalls) {
      for (const fault of kinds) {
        const failed = await failureOf(scenario, { exactly: [{ call: number, fault }] });
        expect(failed?.story, `${fault} on call ${number}, ${method} ${route}`).toBeUndefined();
      }
    }
  });
});

describe('Stripe is away for longer than it keeps a key', () => {
  it('from any kind of effect on', { timeout: 600_000 }, async () => {
    const met = new Set<string>();
    for (const [name, scenario] of Object.entries(paths)) {
      const { vendorCalls } = await simulate(scenario, code);
      for (const { number, vendor, method, route } of vendorCalls) {
        if (vendor !== 'stripe' || method !== 'POST' || met.has(route)) continue;
        met.add(route);
        const calmAt = scenario.calmAt + outageMs;
        const failed = await failureOf(
          { ...scenario, calmAt },
          { outageFrom: { call: number, ms: outageMs } },
        );
        expect(failed?.story, `${name}: from ${route} on`).toBeUndefined();
      }
    }
    expect([...met].sort()).toEqual([
      '/v1/checkout/sessions',
      '/v1/checkout/sessions/:id/expire',
      '/v1/link/agent_authorizations',
      '/v1/link/agent_authorizations/:id/cancel',
      '/v1/payment_intents',
      '/v1/payment_intents/:id/cancel',
      '/v1/payment_intents/:id/confirm',
      '/v1/refunds',
    ]);
  });
});
