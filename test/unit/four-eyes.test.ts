import { describe, expect, test } from 'vitest';
import { areTwoPeople } from '../../domain/four-eyes.js';

const key = (id: string, subject?: string) => ({ credential: `key:${id}`, subject });
/** What the API records of a key without a subject: it stands for itself. */
const itself = (id: string) => key(id, `key:${id}`);
const link = (id: string, subject: string | undefined = id) => ({ credential: `person:${id}`, subject });

describe('four eyes', () => {
  test.each([
    ['two keys that stand for themselves', itself('a'), itself('b')],
    ['two keys of two people', key('a', 'dana'), key('b', 'omar')],
    ['an agent and a person', itself('agent'), key('b', 'dana')],
    ['a person and the link of another one', key('a', 'omar'), link('dana')],
    ['an agent and a link', itself('agent'), link('dana')],
    ['a request of old and an approver of today', key('a'), key('b', 'dana')],
    ['a request and a decision of old', key('a'), key('b')],
    ['a request of old and a link', key('a'), link('dana', undefined)],
    ['a request of a key and an older link', key('a', 'omar'), { credential: 'person:dana' }],
  ])('are those of %s', (_name, requester, decider) => {
    expect(areTwoPeople(requester, decider)).toBe(true);
  });

  test.each([
    ['the same key', itself('a'), itself('a')],
    ['two keys of one person', key('a', 'dana'), key('b', 'dana')],
    ['two spellings of one person', key('a', ' Dana'), key('b', 'dana')],
    ['a key of a person and their link', key('a', 'dana'), link('dana')],
    ['a key of a person and their link of old', key('a', 'Dana'), { credential: 'person:dana' }],
    ['a link that claims another person', key('a', 'dana'), link('dana', 'omar')],
    ['the same key of old', key('a'), key('a')],
    ['the same key, given to a person since', key('a'), key('a', 'dana')],
    ['a person and a decision that names nobody', key('a', 'dana'), key('b')],
    ['a key for itself and a decision that names nobody', itself('a'), key('b')],
  ])('are not those of %s', (_name, requester, decider) => {
    expect(areTwoPeople(requester, decider)).toBe(false);
  });
});
