import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/workflow';

/**
 * Reads payloads as the SDK does, but takes what it cannot read as `undefined`. Anyone with access to Temporal can signal
 * bytes that are no JSON; the SDK would fail the workflow task over them for ever, and a payment with it. Handlers check
 * the form of what they get, so an unreadable message is counted as invalid and changes nothing.
 */
class ForgivingPayloadConverter implements PayloadConverter {
  toPayload<T>(value: T): Payload {
    return defaultPayloadConverter.toPayload(value);
  }

  fromPayload<T>(payload: Payload): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch {
      return undefined as T;
    }
  }
}

export const payloadConverter: PayloadConverter = new ForgivingPayloadConverter();
