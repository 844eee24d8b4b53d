import { describe, expect, it } from 'vitest';
import { runScript, userEnvironment, useSystem } from '../support/system.js';

const system = useSystem();
const demo = () => runScript(['local/demo.ts', '--data', system.data], userEnvironment());

describe('npm run demo', () => {
  it('prints both calls as dialogues and ends with 0 when both are paid', async () => {
    const { code, output } = await demo();
    expect(code, output).toBe(0);
    expect(output).toContain('Call 1: the caller approves in the wallet');
    expect(output).toContain('Call 2: the caller ignores the wallet');
    expect(output.match(/\d\.\d s {2}Agent {3}Your payment of \$[\d.]+ is confirmed/g)).toHaveLength(2);
    expect(output).toMatch(/\d\.\d s {2}Caller {2}Yes, please\./);
    expect(output).toContain('the ledger agrees');
  });

  it('ends with another code than 0 when Stripe refuses everything', async () => {
    for (const route of ['POST /v1/link/agent_authorizations', 'POST /v1/checkout/sessions']) {
      await system.standIns.fault({ route, kind: 'status', status: 402, times: 1_000 });
    }
    const { code, output } = await demo();
    await system.standIns.clearFaults();
    expect(code, output).toBe(1);
    expect(output).toMatch(/is failed, not paid/);
    expect(output).toContain('nothing was charged');
    expect(output).not.toContain('is confirmed');
  });
});

describe('a production entry point', () => {
  const live = {
    STRIPE_SECRET_KEY: 'sk_live_do_not_print_1',
    STRIPE_API_BASE: 'http://127.0.0.1:1/do_not_print_2',
    STRIPE_WEBHOOK_SECRET: 'do_not_print_3',
    TWILIO_AUTH_TOKEN: 'do_not_print_4',
    DEPLOYMENT_SECRET: 'do_not_print_5',
  };

  it.each(['workers/main.ts', 'api/main.ts'])(
    '%s refuses a live key beside another base URL, lists all that is wrong and prints no value',
    async (entry) => {
      const { code, output } = await runScript([entry], { ...userEnvironment(), ...live });
      expect(code).toBe(1);
      expect(output).toContain('STRIPE_API_BASE must not be set beside a live STRIPE_SECRET_KEY');
      for (const name of ['TWILIO_ACCOUNT_SID', 'DEPLOYMENT_ID', 'DEPLOYMENT_SECRET', 'TENANTS_FILE']) {
        expect(output).toContain(name);
      }
      if (entry.startsWith('api')) expect(output).toContain('STRIPE_WEBHOOK_SECRET');
      expect(output).not.toContain('do_not_print');
    },
  );
});

describe('npm start', () => {
  it('lists a live key beside everything else that is wrong, ends with 1 and prints no value', async () => {
    const { code, output } = await runScript(
      ['local/start.ts', '--no-demo', '--data', `${system.data}/never`],
      {
        ...userEnvironment(),
        STRIPE_SECRET_KEY: 'rk_live_do_not_print',
        STRIPE_WEBHOOK_SECRET: 'do_not_print',
        TWILIO_API_BASE: 'do_not_print',
        TENANTS_FILE: '/nowhere/do_not_print.json',
      },
    );
    expect(code).toBe(1);
    for (const name of ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'TWILIO_API_BASE', 'TENANTS_FILE']) {
      expect(output).toContain(name);
    }
    expect(output).not.toContain('do_not_print');
  });
});
