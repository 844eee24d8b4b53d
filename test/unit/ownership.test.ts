import { describe, expect, test } from 'vitest';
import { Ownership } from '../../providers/stripe/ownership.js';

const key = Buffer.alloc(32, 1);
const ours = new Ownership('prod-eu', key);
const owner = { tenantId: 'acme', checkoutId: 'co_1' };
const mark = ours.mark(owner);

describe('the mark on a refund', () => {
  const asked = { requestHash: 'c'.repeat(64), requestedBy: 'key:agent', callId: 'call-1' };
  const refund = { ...owner, refundId: 'rf_1', asked };

  test('names who asked for it', () => {
    expect(ours.read(ours.mark(refund))).toEqual(refund);
  });

  test.each(['vc_request', 'vc_requested_by', 'vc_call'])('is not ours when %s is edited', (name) => {
    const metadata = ours.mark(refund);
    expect(ours.read({ ...metadata, [name]: `${metadata[name]}x` })).toBeUndefined();
    expect(ours.read({ ...metadata, [name]: undefined })).toBeUndefined();
  });
});

describe('the mark on an object', () => {
  test('is recognised and names tenant and checkout', () => {
    expect(ours.read(mark)).toEqual(owner);
    expect(ours.read({ ...mark, other: 'data of somebody else' })).toEqual(owner);
  });

  test("stays within Stripe's 40 and 500 characters", () => {
    const long = new Ownership('d'.repeat(40), key).mark({
      tenantId: 't'.repeat(40),
      checkoutId: 'c'.repeat(40),
    });
    for (const [name, value] of Object.entries(long)) {
      expect(name.length).toBeLessThanOrEqual(40);
      expect(value.length).toBeLessThanOrEqual(500);
    }
  });

  test.each(['vc_deployment', 'vc_tenant', 'vc_checkout', 'vc_mac'])(
    'is not ours when %s is edited',
    (name) => {
      expect(ours.read({ ...mark, [name]: `${mark[name]}x` })).toBeUndefined();
      expect(ours.read({ ...mark, [name]: '' })).toBeUndefined();
      expect(ours.read({ ...mark, [name]: 1 })).toBeUndefined();
      expect(ours.read({ ...mark, [name]: undefined })).toBeUndefined();
    },
  );

  test('is not ours with the MAC of another checkout or tenant', () => {
    const { vc_mac } = ours.mark({ ...owner, checkoutId: 'co_2' });
    expect(ours.read({ ...mark, vc_mac })).toBeUndefined();
    expect(
      ours.read({ ...mark, vc_mac: ours.mark({ ...owner, tenantId: 'globex' })['vc_mac'] }),
    ).toBeUndefined();
  });

  test('is not ours when names are shifted between its fields', () => {
    const shifted = { ...ours.mark({ tenantId: 'a', checkoutId: 'bc' }), vc_tenant: 'ab', vc_checkout: 'c' };
    expect(ours.read(shifted)).toBeUndefined();
  });

  test('of another deployment or another key is not ours', () => {
    expect(new Ownership('prod-us', key).read(mark)).toBeUndefined();
    expect(new Ownership('prod-eu', Buffer.alloc(32, 2)).read(mark)).toBeUndefined();
    expect(
      ours.read({ ...new Ownership('prod-us', key).mark(owner), vc_deployment: 'prod-eu' }),
    ).toBeUndefined();
  });

  test.each([[undefined], [null], [{}]])('is missing on %o', (metadata) => {
    expect(ours.read(metadata)).toBeUndefined();
  });
});
