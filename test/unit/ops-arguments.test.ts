import { describe, expect, test } from 'vitest';
import { understand } from '../../workers/ops-arguments.js';

const checkout = `co_${'a'.repeat(30)}_1`;
const refund = `rf_${'a'.repeat(30)}`;
const words = (text: string) => text.split(' ').filter((word) => word !== '');

describe('npm run ops understands', () => {
  const tenantId = 'acme';
  test.each<[string, object]>([
    ['list --tenant acme', { command: 'list', tenantId, state: 'needs_attention', callId: undefined }],
    [
      'list --tenant acme --state awaiting_approval --call call-1',
      { command: 'list', tenantId, state: 'awaiting_approval', callId: 'call-1' },
    ],
    ['list --all --tenant acme', { command: 'list', tenantId, state: undefined, callId: undefined }],
    [`show --tenant acme --id ${refund}`, { command: 'show', tenantId, id: refund }],
    [`retry-now --tenant acme --id ${checkout}`, { command: 'retry-now', tenantId, id: checkout }],
    [
      `resolve --tenant acme --id ${checkout} --by dana`,
      { command: 'resolve', tenantId, id: checkout, resolution: { by: 'dana (command line)' } },
    ],
    [
      `resolve --tenant acme --id ${checkout} --by dana --note seen`,
      { command: 'resolve', tenantId, id: checkout, resolution: { by: 'dana (command line)', note: 'seen' } },
    ],
  ])('%s', (text, wanted) => {
    expect(understand(words(text))).toEqual(wanted);
  });
});

describe('npm run ops does not understand', () => {
  test.each([
    '',
    'list',
    'list --tenant ../acme',
    'list --tenant acme --state open',
    'list --tenant acme --state paid --all',
    "list --tenant acme --call x'OR'1'='1",
    'show --tenant acme',
    'show --tenant acme --id co_1',
    `show --tenant acme --id ${checkout} --force`,
    `show ${checkout} --tenant acme --id ${checkout}`,
    `retry-now --id ${checkout}`,
    `resolve --tenant acme --id ${checkout}`,
    `resolve --tenant acme --id ${checkout} --by`,
    `resolve --tenant acme --id ${refund} --by dana`,
    `resolve --tenant acme --id ${checkout} --by dana --note 4242424242424242`,
    `resolve --tenant acme --id ${checkout} --by ${'d'.repeat(120)}`,
    `terminate --tenant acme --id ${checkout}`,
  ])('%s', (text) => {
    expect(understand(words(text))).toBeUndefined();
  });

  test.each(['', ' '])('a name that is %j', (by) => {
    expect(understand(['resolve', '--tenant', 'acme', '--id', checkout, '--by', by])).toBeUndefined();
  });
});
