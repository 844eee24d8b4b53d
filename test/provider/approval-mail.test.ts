import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { withVendorFailures } from '../../activities/failures.js';
import { failureTypes } from '../../contracts/failures.js';
import { startSimulators, type Simulators } from '../../local/simulators/simulators.js';
import { createMailer, type Mail } from '../../providers/mail/mailer.js';

let simulators: Simulators;
beforeAll(async () => {
  simulators = await startSimulators();
});
afterAll(() => simulators.close());

interface Kept extends Pick<Mail, 'subject' | 'text'> {
  from: string;
  message_id: string;
  copies: number;
}

const kept = async (to: string): Promise<Kept[]> => {
  const response = await fetch(`${simulators.url}/_local/mails?to=${to}`);
  return ((await response.json()) as { mails: Kept[] }).mails;
};
const fault = async (rule: object) => {
  const body = JSON.stringify({ route: 'SMTP', ...rule });
  expect((await fetch(`${simulators.url}/_local/faults`, { method: 'POST', body })).status).toBe(200);
};
const mail = (to: string): Mail => ({
  to,
  subject: 'Acme: refund of $80.00 needs your decision',
  text: 'Growth plan – 80 €\n\nhttps://api.example.com/approvals/x\n',
  messageId: `<rf_1.ask.${to.split('@')[0] ?? ''}@test.voice-checkout>`,
});
const send = (one: Mail) => createMailer(simulators.smtp, 'refunds@example.com').send(one);
/** As an activity sends it: what is thrown says whether repeating helps. */
const failureOf = async (one: Mail): Promise<ApplicationFailure> => {
  const failed = await new MockActivityEnvironment()
    .run(() => withVendorFailures(() => send(one)))
    .catch((error: unknown) => error);
  if (failed instanceof ApplicationFailure) return failed;
  throw new Error(`not a typed failure: ${String(failed)}`);
};

describe('an e-mail to an approver', () => {
  test('arrives as it was written, from the deployment’s address', async () => {
    await send(mail('ann@acme.test'));
    const [seen] = await kept('ann@acme.test');
    expect(seen).toMatchObject({
      from: 'refunds@example.com',
      subject: 'Acme: refund of $80.00 needs your decision',
      message_id: '<rf_1.ask.ann@test.voice-checkout>',
    });
    expect(seen?.text).toContain('Growth plan – 80 €');
    expect(seen?.text).toContain('https://api.example.com/approvals/x');
  });

  test('has the same Message-ID however often it is sent, so that one copy is shown', async () => {
    await send(mail('bob@acme.test'));
    await fault({ kind: 'after_effect_drop' });
    await expect(send(mail('bob@acme.test'))).rejects.toThrow();
    await send(mail('bob@acme.test'));
    const mails = await kept('bob@acme.test');
    expect(mails.map(({ copies }) => copies)).toEqual([3]);
  });

  test.each([421, 450, 451, 452])('that is refused with %i is sent again', async (status) => {
    await fault({ kind: 'status', status });
    const failed = await failureOf(mail('cid@acme.test'));
    expect([failed.type, failed.nonRetryable]).toEqual([failureTypes.vendorUnavailable, false]);
    expect(await kept('cid@acme.test')).toEqual([]);
  });

  test.each([550, 552, 554])('that is refused with %i is not', async (status) => {
    await fault({ kind: 'status', status });
    const failed = await failureOf(mail('dot@acme.test'));
    expect([failed.type, failed.nonRetryable]).toEqual([failureTypes.requestRefused, true]);
    expect(failed.message).not.toContain('dot@acme.test');
  });

  test('is sent again when the server goes away in the middle, or is not there', async () => {
    await fault({ kind: 'before' });
    const gone = await failureOf(mail('eve@acme.test'));
    expect([gone.type, gone.nonRetryable]).toEqual([failureTypes.vendorUnavailable, false]);
    const nowhere = createMailer('smtp://127.0.0.1:1', 'refunds@example.com');
    const failed = await new MockActivityEnvironment()
      .run(() => withVendorFailures(() => nowhere.send(mail('eve@acme.test'))))
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ type: failureTypes.vendorUnavailable });
  });

  test('cannot be given further headers or addressees by what people wrote', async () => {
    const subject = 'Acme\r\nBcc: mallory@evil.test';
    await send({ ...mail('fay@acme.test'), subject });
    expect(await kept('fay@acme.test')).toHaveLength(1);
    expect(await kept('mallory@evil.test')).toEqual([]);
  });
});
