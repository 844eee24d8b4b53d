import { jwtVerify, SignJWT } from 'jose';

/** A person's decision on one refund request, as the API signs it after it has authenticated them. */
export interface SignedDecision {
  tenantId: string;
  refundId: string;
  /** The request that was looked at: any change of it voids the decision. */
  requestHash: string;
  decision: 'approved' | 'denied';
  /** `key:<id>` or `person:<id>`. */
  decidedBy: string;
  /** The person or system that credential stands for; absent in decisions signed before this was recorded. */
  decidedBySubject?: string;
  note?: string;
}

/** How long a signed decision may take to its workflow, s. */
const lifetimeS = 600;

/** Signs and checks decisions (compact JWS, HS256) with a key that signs nothing else. */
export class DecisionTokens {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  sign(decision: SignedDecision): Promise<string> {
    return new SignJWT({ ...decision })
      .setProtectedHeader({ alg: 'HS256', typ: 'vc-decision' })
      .setIssuedAt()
      .setExpirationTime(`${lifetimeS}s`)
      .sign(this.#key);
  }

  /** The decision and when it was made (epoch ms); undefined for anything that this deployment did not sign lately. */
  async open(
    token: string,
    { anyAge = false } = {},
  ): Promise<(SignedDecision & { decidedAt: number }) | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ['HS256'],
        typ: 'vc-decision',
        ...(anyAge && { clockTolerance: Number.MAX_SAFE_INTEGER / 1_000 }),
      });
      const { tenantId, refundId, requestHash, decision, decidedBy, decidedBySubject, note, iat } = payload;
      if (decision !== 'approved' && decision !== 'denied') return undefined;
      if (typeof tenantId !== 'string' || typeof refundId !== 'string' || typeof requestHash !== 'string')
        return undefined;
      if (typeof decidedBy !== 'string' || iat === undefined) return undefined;
      return {
        tenantId,
        refundId,
        requestHash,
        decision,
        decidedBy,
        ...(typeof decidedBySubject === 'string' && { decidedBySubject }),
        decidedAt: iat * 1_000,
        ...(typeof note === 'string' && { note }),
      };
    } catch {
      return undefined;
    }
  }
}
