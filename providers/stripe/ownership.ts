import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a checkout must be told apart by if Temporal has lost it. Ids and hashes only, no personal data. */
export interface CheckoutOrigin {
  customerKey: string;
  quoteId: string;
  callId: string;
}

/** What a refund's run must be told by if Temporal has lost it. Ids and hashes only, no personal data. */
export interface RefundOrigin {
  requestHash: string;
  /** The credential that asked: `key:<id>`. */
  requestedBy: string;
  callId: string;
}

/** Whose object this is, proved by its MAC. */
export interface Owner {
  tenantId: string;
  checkoutId: string;
  /** Set on refunds. */
  refundId?: string;
  /** Set on refunds that somebody asked for. */
  asked?: RefundOrigin;
  /** Set on what money comes by: enough to restore the checkout from Stripe alone. */
  origin?: CheckoutOrigin;
}

/**
 * Marks what this deployment creates at Stripe and recognises it again. The account may serve other shops: an object
 * without our metadata, or with a MAC that is not ours, is never touched.
 */
export class Ownership {
  readonly #deployment: string;
  readonly #key: Buffer;

  constructor(deployment: string, key: Buffer) {
    this.#deployment = deployment;
    this.#key = key;
  }

  /** Metadata for a new object. Keys and values stay within Stripe's 40 and 500 characters. */
  mark(owner: Owner): Record<string, string> {
    return {
      vc_deployment: this.#deployment,
      vc_tenant: owner.tenantId,
      vc_checkout: owner.checkoutId,
      ...(owner.refundId !== undefined && { vc_refund: owner.refundId }),
      ...(owner.asked && {
        vc_request: owner.asked.requestHash,
        vc_requested_by: owner.asked.requestedBy,
        vc_call: owner.asked.callId,
      }),
      ...(owner.origin && {
        vc_customer: owner.origin.customerKey,
        vc_quote: owner.origin.quoteId,
        vc_call: owner.origin.callId,
      }),
      vc_mac: this.#mac(owner),
    };
  }

  /** The owner named by an object's metadata, or undefined when the object is not ours. */
  read(metadata: Readonly<Record<string, unknown>> | null | undefined): Owner | undefined {
    const { vc_deployment, vc_tenant, vc_checkout, vc_refund, vc_customer, vc_quote, vc_call, vc_mac } =
      metadata ?? {};
    const { vc_request, vc_requested_by } = metadata ?? {};
    if (vc_deployment !== this.#deployment) return undefined;
    if (typeof vc_tenant !== 'string' || typeof vc_checkout !== 'string' || typeof vc_mac !== 'string')
      return undefined;
    const owner: Owner = {
      tenantId: vc_tenant,
      checkoutId: vc_checkout,
      ...(typeof vc_refund === 'string' && { refundId: vc_refund }),
      ...(typeof vc_request === 'string' &&
        typeof vc_requested_by === 'string' &&
        typeof vc_call === 'string' && {
          asked: { requestHash: vc_request, requestedBy: vc_requested_by, callId: vc_call },
        }),
      ...(typeof vc_customer === 'string' &&
        typeof vc_quote === 'string' &&
        typeof vc_call === 'string' && {
          origin: { customerKey: vc_customer, quoteId: vc_quote, callId: vc_call },
        }),
    };
    const expected = Buffer.from(this.#mac(owner));
    const given = Buffer.from(vc_mac);
    if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
    return owner;
  }

  #mac({ tenantId, checkoutId, refundId, origin, asked }: Owner): string {
    const text = JSON.stringify([
      this.#deployment,
      tenantId,
      checkoutId,
      ...(refundId === undefined ? [] : [refundId]),
      ...(origin === undefined ? [] : [[origin.customerKey, origin.quoteId, origin.callId]]),
      ...(asked === undefined ? [] : [{ asked: [asked.requestHash, asked.requestedBy, asked.callId] }]),
    ]);
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}
