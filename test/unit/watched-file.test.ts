import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadApiKeys } from '../../runtime/api-keys.js';
import { ConfigurationError } from '../../runtime/config.js';
import { loadTenants } from '../../runtime/tenants.js';
import { watchFile } from '../../runtime/watched-file.js';

const folder = mkdtempSync(join(tmpdir(), 'watched-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** One for each test: those of earlier ones are still watched. */
let path = '';
const key = (id: string, more: object = {}) => ({
  id,
  tenant: 'acme',
  name: 'agent',
  sha256: 'a'.repeat(64),
  scopes: ['checkout'],
  ...more,
});
const write = (...ids: string[]) => writeFileSync(path, JSON.stringify({ keys: ids.map((id) => key(id)) }));

let lines: { level: number; file: string; problems?: string[] }[] = [];
const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) });
const errors = () => lines.filter(({ level, file }) => level >= 50 && file === path);
const soon = { timeout: 5_000, interval: 20 };

beforeEach(() => {
  path = join(mkdtempSync(join(folder, 'test-')), 'keys.json');
  lines = [];
});

describe('a watched file', () => {
  test('counts as it is now, also when another file takes its place', async () => {
    write('a', 'b');
    const keys = watchFile(path, loadApiKeys, log);
    expect([...keys().keys()]).toEqual(['a', 'b']);
    write('a');
    await vi.waitFor(() => expect([...keys().keys()]).toEqual(['a']), soon);
    const next = join(folder, 'next.json');
    writeFileSync(next, JSON.stringify({ keys: [key('c')] }));
    renameSync(next, path);
    await vi.waitFor(() => expect([...keys().keys()]).toEqual(['c']), soon);
    expect(errors()).toEqual([]);
  });

  test('is read again also when it has the same size and time as before', async () => {
    const time = new Date('2026-01-01T00:00:00Z');
    write('a');
    utimesSync(path, time, time);
    const keys = watchFile(path, loadApiKeys, log);
    write('b');
    utimesSync(path, time, time);
    await vi.waitFor(() => expect([...keys().keys()]).toEqual(['b']), soon);
  });

  test.each<[string, () => void]>([
    ['is not JSON', () => writeFileSync(path, '{"keys": [')],
    [
      'has not the form',
      () => writeFileSync(path, JSON.stringify({ keys: [key('a', { scopes: ['all'] })] })),
    ],
    ['is gone', () => rmSync(path)],
  ])(
    'that %s changes nothing, is an error in the log, and is taken once it is mended',
    async (_name, spoil) => {
      write('a');
      const keys = watchFile(path, loadApiKeys, log);
      spoil();
      await vi.waitFor(() => expect(errors()).toHaveLength(1), soon);
      expect(errors()[0]?.problems?.join()).toMatch(/^API_KEYS_FILE /);
      expect([...keys().keys()]).toEqual(['a']);
      write('b');
      await vi.waitFor(() => expect([...keys().keys()]).toEqual(['b']), soon);
      expect(errors()).toHaveLength(1);
    },
  );

  test('of tenants takes a right away from an approver', async () => {
    const tenants = join(folder, 'tenants.json');
    const rails = [{ rail: 'paymentLink', deadline_ms: 1_000 }];
    const approver = (id: string) => ({ id, name: id, phone: '+15550100199' });
    const put = (...ids: string[]) =>
      writeFileSync(
        tenants,
        JSON.stringify([{ id: 'acme', rails, refunds: { approvers: ids.map(approver) } }]),
      );
    put('dana', 'omar');
    const now = watchFile(tenants, loadTenants, log);
    put('omar');
    await vi.waitFor(
      () =>
        expect(
          now()
            .get('acme')
            ?.refunds.approvers.map(({ id }) => id),
        ).toEqual(['omar']),
      soon,
    );
  });

  test('that is wrong at the start stops the start', () => {
    writeFileSync(path, '{}');
    expect(() => watchFile(path, loadApiKeys, log)).toThrow(ConfigurationError);
  });
});

describe('the subject of a key', () => {
  const subjectOf = (subject: unknown) => {
    writeFileSync(path, JSON.stringify({ keys: [key('a', { subject })] }));
    return loadApiKeys(path).get('a')?.subject;
  };

  test('is a name, or nothing', () => {
    expect(subjectOf('dana')).toBe('dana');
    expect(subjectOf(' dana ')).toBe('dana');
    expect(subjectOf(undefined)).toBeUndefined();
    expect(subjectOf('d'.repeat(80))).toHaveLength(80);
  });

  test.each(['', '  ', 'd'.repeat(81), 5, null])('is refused when it is %j, by place', (subject) => {
    expect(() => subjectOf(subject)).toThrow(/API_KEYS_FILE .*keys\.0\.subject/);
  });
});
