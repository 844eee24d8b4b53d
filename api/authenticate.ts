import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import type { Tenant } from '../domain/tenant.js';
import { Problem } from './problem.js';

export type Scope = 'checkout' | 'amount' | 'refund' | 'approve' | 'ops';

/** A key as it is stored: only its hash. Two or more may be active for one tenant. */
export interface ApiKey {
  /** Public part, in clear in the key itself. */
  id: string;
  tenant: string;
  /** Who uses it, for the log. */
  name: string;
  /** The person or system it stands for, by four eyes; absent: the key stands for itself. */
  subject?: string | undefined;
  /** Hex SHA-256 of the whole key. */
  sha256: string;
  scopes: readonly Scope[];
  /** RFC 3339; from then on the key is refused. */
  expires_at?: string | undefined;
}

/** Who is asking. The tenant comes from the credential, never from the request. */
export interface Principal {
  tenant: Tenant;
  keyId: string;
  /** Who that is: two keys of one person have the same. */
  subject: string;
  scopes: readonly Scope[];
}

const keyForm = /^Bearer (vc_(?:test|live)_([A-Za-z0-9]+)_[A-Za-z0-9_-]{20,100})$/;

/** Admits requests with a valid key. A wrong secret, an unknown id and an expired key get the same answer. */
export function authenticate(
  keys: Pick<ReadonlyMap<string, ApiKey>, 'get'>,
  tenant: (id: string) => Tenant | undefined,
): RequestHandler {
  const nobody = Buffer.alloc(32);
  return (request, response, next) => {
    const [, secret = '', id = ''] = keyForm.exec(request.get('authorization') ?? '') ?? [];
    const key = keys.get(id);
    const given = createHash('sha256').update(secret).digest();
    const expected = key ? Buffer.from(key.sha256, 'hex') : nobody;
    const genuine = expected.length === given.length && timingSafeEqual(given, expected);
    const expired = key?.expires_at !== undefined && Date.parse(key.expires_at) <= Date.now();
    const owner = key && tenant(key.tenant);
    if (!key || !genuine || expired || !owner) throw new Problem('unauthenticated');
    (response.locals as { principal?: Principal }).principal = {
      tenant: owner,
      keyId: key.id,
      subject: key.subject ?? `key:${key.id}`,
      scopes: key.scopes,
    };
    next();
  };
}

/** Who is asking, once authenticated. */
export function principalOf(response: Response): Principal {
  const { principal } = response.locals as { principal?: Principal };
  if (!principal) throw new Problem('unauthenticated');
  return principal;
}

/** The principal of an authenticated request; throws `scope_missing` unless the key has the scope, or one of them. */
export function principalWith(scope: Scope | readonly Scope[], response: Response): Principal {
  const principal = principalOf(response);
  const wanted: readonly Scope[] = typeof scope === 'string' ? [scope] : scope;
  if (!wanted.some((one) => principal.scopes.includes(one)))
    throw new Problem('scope_missing', { detail: `the scope ${wanted.join(' or ')} is required` });
  return principal;
}
