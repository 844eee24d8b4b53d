import fc from 'fast-check';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { ApprovalLinks } from '../../providers/approval/approval-link.js';
import { DecisionTokens, type SignedDecision } from '../../providers/approval/decision-token.js';
import { RequestSeal } from '../../providers/approval/request-seal.js';

const key = Buffer.alloc(32, 1);
const refundId = `rf_${'a1'.repeat(15)}`;
const hash = 'c'.repeat(64);

describe('a link of the approver’s page', () => {
  const links = new ApprovalLinks(key);
  const link = { tenantId: 'acme', refundId, approver: 'dana', expiresAt: 1_800_000_000_000 };
  const token = links.sign(link, hash);

  test('says who may decide what until when, and is short enough for a text message', () => {
    expect(links.parse(token)).toEqual(link);
    expect(links.isGenuine(token, hash)).toBe(true);
    expect(token.length).toBeLessThan(90);
    expect(encodeURIComponent(token)).toBe(token);
  });

  test('is for this very request', () => {
    expect(links.isGenuine(token, 'd'.repeat(64))).toBe(false);
    expect(links.isGenuine(token, '')).toBe(false);
  });

  test('is for nobody and nothing else', () => {
    const [tenant, refund, approver, expiry, mac] = token.split('.');
    const edited = [
      ['globex', refund, approver, expiry, mac],
      [tenant, `rf_${'b'.repeat(30)}`, approver, expiry, mac],
      [tenant, refund, 'omar', expiry, mac],
      [tenant, refund, approver, `${String(expiry)}0`, mac],
      [tenant, refund, approver, 'zzzzzzzzzzzzzzzzzzzzzz', mac],
      [tenant, refund, approver, expiry, 'A'.repeat(22)],
    ];
    for (const parts of edited) expect(links.isGenuine(parts.join('.'), hash)).toBe(false);
    const swapped = links.sign({ ...link, tenantId: 'dana', approver: 'acme' }, hash);
    expect(swapped.slice(-22)).not.toBe(token.slice(-22));
  });

  test('is of this deployment', () => {
    const forged = new ApprovalLinks(Buffer.alloc(32, 2)).sign(link, hash);
    expect(links.parse(forged)).toEqual(link);
    expect(links.isGenuine(forged, hash)).toBe(false);
  });

  test('is none for any other text, and no text makes it throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(links.isGenuine(text, hash)).toBe(false);
      }),
    );
    for (const part of [
      '',
      '.',
      token.slice(1),
      `${token}A`,
      ` ${token}`,
      `${token}\n`,
      token.toUpperCase(),
    ]) {
      expect(links.isGenuine(part, hash)).toBe(false);
    }
  });
});

describe('a signed decision', () => {
  const tokens = new DecisionTokens(key);
  const decision: SignedDecision = {
    tenantId: 'acme',
    refundId,
    requestHash: hash,
    decision: 'approved',
    decidedBy: 'key:boss',
  };
  const raw = (claims: object, header: object = {}) =>
    new SignJWT({ ...decision, ...claims }).setProtectedHeader({
      alg: 'HS256',
      typ: 'vc-decision',
      ...header,
    });

  test('opens as it was signed, with its time', async () => {
    const opened = await tokens.open(await tokens.sign({ ...decision, note: 'ok' }));
    expect(opened).toEqual({ ...decision, note: 'ok', decidedAt: expect.any(Number) as number });
    expect(Math.abs((opened?.decidedAt ?? 0) - Date.now())).toBeLessThan(3_000);
  });

  test('does not open with another key, without one, edited, or of another purpose', async () => {
    const signed = await tokens.sign(decision);
    const [header = '', claims = '', signature = ''] = signed.split('.');
    const denied = Buffer.from(claims, 'base64url').toString().replace('approved', 'denied');
    const none = new UnsecuredJWT({ ...decision }).setIssuedAt().setExpirationTime('600s').encode();
    const wrong = [
      await new DecisionTokens(Buffer.alloc(32, 2)).sign(decision),
      none,
      `${Buffer.from('{"alg":"none","typ":"vc-decision"}').toString('base64url')}.${claims}.`,
      `${header}.${Buffer.from(denied).toString('base64url')}.${signature}`,
      `${header}.${claims}.`,
      `${header}.${claims}.${signature.slice(0, -2)}`,
      await raw({}, { typ: 'JWT' }).setIssuedAt().setExpirationTime('600s').sign(key),
      await raw({}, { alg: 'HS512' }).setIssuedAt().setExpirationTime('600s').sign(Buffer.alloc(64, 1)),
      await raw({ decision: 'maybe' }).setIssuedAt().setExpirationTime('600s').sign(key),
      await raw({ decidedBy: 5 }).setIssuedAt().setExpirationTime('600s').sign(key),
      await raw({}).setExpirationTime('600s').sign(key),
      '',
      'a.b.c',
    ];
    for (const token of wrong) expect(await tokens.open(token)).toBeUndefined();
  });

  test('opens for ten minutes; later only for whom its age does not matter', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const old = await raw({})
      .setIssuedAt(now - 700)
      .setExpirationTime(now - 100)
      .sign(key);
    expect(await tokens.open(old)).toBeUndefined();
    expect(await tokens.open(old, { anyAge: true })).toMatchObject(decision);
    const forged = await raw({}).setIssuedAt(1).setExpirationTime(2).sign(Buffer.alloc(32, 2));
    expect(await tokens.open(forged, { anyAge: true })).toBeUndefined();
  });
});

describe('the seal of a request', () => {
  const seal = new RequestSeal(key);
  const request = {
    refundId,
    amount: 100,
    rest: false,
    policy: { threshold: { usd: 5_000 } },
    approval: { approvers: [{ id: 'dana', tier: 1 }] },
  };
  const given = seal.seal(request);

  test('holds in whatever order its fields come, and without those that are undefined', () => {
    const turned = Object.fromEntries(Object.entries(request).reverse());
    expect(seal.isGenuine({ ...turned, words: undefined }, given)).toBe(true);
    expect(seal.isGenuine(JSON.parse(JSON.stringify(request)) as object, given)).toBe(true);
  });

  test('breaks with any change, another key, and anything that is no seal', () => {
    const changed = [
      { ...request, amount: 101 },
      { ...request, amount: '100' },
      { ...request, rest: true },
      { ...request, policy: { threshold: { usd: 5_001 } } },
      { ...request, policy: { threshold: { usd: 5_000, eur: 1 } } },
      { ...request, approval: { approvers: [] } },
      { ...request, words: 'more' },
    ];
    for (const one of changed) expect(seal.isGenuine(one, given)).toBe(false);
    expect(new RequestSeal(Buffer.alloc(32, 2)).isGenuine(request, given)).toBe(false);
    for (const none of [undefined, null, '', 5, {}, given.slice(1)]) {
      expect(seal.isGenuine(request, none)).toBe(false);
    }
  });
});
