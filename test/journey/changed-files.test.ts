import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { writeJson } from '../../local/files.js';
import { Agent, newCaller } from '../support/system-agent.js';
import { useSystem } from '../support/system.js';

/** Changes nothing of the sample, but puts it where this test may write. */
const system = useSystem({ tenants: [{}, {}] });
const { agent, standIns } = system;
const approver = new Agent(
  () => system.dev,
  () => system.dev.keys.approver,
);
const soon = { timeout: 10_000, interval: 50 };

interface KeysFile {
  keys: { id: string; tenant: string; name: string }[];
}
interface TenantsFile {
  tenants: { id: string; refunds: { approvers: { id: string }[] } }[];
}

/** Writes the file anew, as an operator does, with one edit. */
function edit<File extends object>(name: string, change: (content: File) => void): void {
  const path = join(system.data, name);
  const content = JSON.parse(readFileSync(path, 'utf8')) as File;
  change(content);
  writeJson(path, content);
}

describe('a right that is taken away in its file', () => {
  it('is gone from the running processes: an approver’s, then a key’s', async () => {
    const caller = newCaller();
    const quote = await agent.quote(caller, 12_000, 'Growth plan');
    const { checkout_id } = (await agent.start(agent.startBody(quote, caller, ['linkWallet']))).body;
    await agent.waitFor(checkout_id, 'awaiting_wallet');
    await standIns.approve(checkout_id);
    await agent.waitFor(checkout_id, 'paid');
    const { body: refund } = await agent.askRefund(checkout_id, 8_000);
    expect(refund.state).toBe('awaiting_approval');
    const link = await standIns.approvalLink(refund.refund_id, 'dana@acme.test');
    expect((await fetch(link)).status).toBe(200);

    edit<TenantsFile>('tenants.json', ({ tenants }) => {
      for (const { refunds } of tenants)
        refunds.approvers = refunds.approvers.filter(({ id }) => id !== 'dana');
    });
    await vi.waitFor(async () => expect((await fetch(link)).status).toBe(404), soon);
    const posted = await fetch(link, { method: 'POST', body: new URLSearchParams({ decision: 'approved' }) });
    expect(posted.status).toBe(404);
    const workerLog = () => readFileSync(join(system.data, 'logs/worker-1.log'), 'utf8');
    await vi.waitFor(() => expect(workerLog()).toContain('a changed file was read'), soon);

    const [, , id] = system.dev.keys.approver.split('_');
    edit<KeysFile>('api-keys.json', (file) => {
      file.keys = file.keys.filter((key) => key.id !== id);
    });
    const headers = { authorization: `Bearer ${system.dev.keys.approver}` };
    const url = `${system.dev.api_url}/v1/refunds/${refund.refund_id}`;
    await vi.waitFor(async () => expect((await fetch(url, { headers })).status).toBe(401), soon);
    expect((await approver.decide(refund, 'approve')).status).toBe(401);
    expect((await agent.waitForRefund(refund.refund_id, 'awaiting_approval')).version).toBe(1);
  });
});
