import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a link in an approver's message stands for: this person, this request, until then. */
export interface ApprovalLink {
  tenantId: string;
  refundId: string;
  approver: string;
  /** Epoch ms. */
  expiresAt: number;
}

const form = /^([a-z0-9_-]+)\.(rf_[0-9a-f]+)\.([a-z0-9_-]+)\.([0-9a-z]+)\.([\w-]{22})$/;

/**
 * Links of the approver's page: short enough for a text message, a 128-bit MAC (HMAC-SHA256, cut) over person, expiry and
 * the hash of the request, which is not in the link but read from the refund itself.
 */
export class ApprovalLinks {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  sign(link: ApprovalLink, requestHash: string): string {
    const { tenantId, refundId, approver, expiresAt } = link;
    return [tenantId, refundId, approver, expiresAt.toString(36), this.#mac(link, requestHash)].join('.');
  }

  /** What a token claims to be. Nothing is proved before `isGenuine`. */
  parse(token: string): ApprovalLink | undefined {
    const [, tenantId, refundId, approver, expiry] = form.exec(token) ?? [];
    if (tenantId === undefined || refundId === undefined || approver === undefined || expiry === undefined)
      return undefined;
    return { tenantId, refundId, approver, expiresAt: Number.parseInt(expiry, 36) };
  }

  /** True when this deployment signed the token for exactly this request. */
  isGenuine(token: string, requestHash: string): boolean {
    const link = this.parse(token);
    if (!link) return false;
    const given = Buffer.from(token.slice(token.lastIndexOf('.') + 1));
    const expected = Buffer.from(this.#mac(link, requestHash));
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #mac({ tenantId, refundId, approver, expiresAt }: ApprovalLink, requestHash: string): string {
    const text = JSON.stringify([tenantId, refundId, approver, expiresAt, requestHash]);
    return createHmac('sha256', this.#key).update(text).digest().subarray(0, 16).toString('base64url');
  }
}
