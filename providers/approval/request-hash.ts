import { createHash } from 'node:crypto';

/** What an approver approves. */
interface ApprovedRequest {
  paymentIntent: string;
  /** Minor units, as it is given back: never "all that is left". */
  amount: number;
  currency: string;
  reason: string;
  requestedBy: string;
  requestedBySubject?: string;
}

/** Hex SHA-256: an approval is for exactly this payment, amount, currency, reason and requester. */
export function requestHash(request: ApprovedRequest): string {
  const { paymentIntent, amount, currency, reason, requestedBy, requestedBySubject } = request;
  const parts = [paymentIntent, amount, currency, reason, requestedBy, requestedBySubject];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
