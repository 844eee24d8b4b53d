/**
 * Types of the ApplicationFailures that activities throw. A decline is not among them: declines are values.
 * Workflow code branches on these names, so they are part of recorded histories and never change their meaning.
 */
export const failureTypes = {
  /** The vendor could not be reached or answered 5xx, 409 or 429: the same request with the same key is safe. */
  vendorUnavailable: 'VendorUnavailable',
  /** The vendor replays a stored 5xx for this idempotency key: only reading, or a new business attempt, helps. */
  storedVendorError: 'StoredVendorError',
  /** The vendor refused the request as such (bad parameter, unknown id): repeating it cannot help. */
  requestRefused: 'RequestRefused',
  /** Stripe knows the idempotency key, from a request with other parameters: something was done under it that this run did not send. */
  keyTaken: 'KeyTaken',
  /** Our credentials were refused: nothing of this tenant works until somebody mends the configuration. */
  credentialsRefused: 'CredentialsRefused',
  /** The object is not what this checkout created (tenant, amount or MAC differ). */
  notOurs: 'NotOurs',
} as const;
