import { defineSignal } from '@temporalio/workflow';

/** The happenings at the vendors that wake a checkout. Anything else the vendors send is not forwarded. */
export const paymentEventKinds = [
  'authorization.approved',
  'authorization.declined',
  'session.completed',
  'session.expired',
  'session.async_payment_succeeded',
  'session.async_payment_failed',
  'payment.succeeded',
  'payment.failed',
  'payment.processing',
  'payment.canceled',
  'message.undelivered',
  'refund.updated',
  'refund.failed',
] as const;

const moneyKinds: readonly PaymentEventKind[] = [
  'authorization.approved',
  'session.completed',
  'session.async_payment_succeeded',
  'payment.succeeded',
  'payment.processing',
];

/** Whether it says that money came in, is on its way, or may have been taken: the payment of an approval need not carry our mark. */
export function tellsOfMoney({ kind }: Pick<PaymentEvent, 'kind'>): boolean {
  return moneyKinds.includes(kind);
}

/** No id of a vendor is longer, and a signal may hold two megabytes. Source: docs.stripe.com/upgrades (ids). */
const maxIdLength = 255;

export type PaymentEventKind = (typeof paymentEventKinds)[number];

/**
 * What the relay tells a checkout. It only wakes the workflow: what Stripe or Twilio says when the object is read back
 * by id decides. Anyone with access to Temporal can send one, so nothing in it is believed.
 */
export interface PaymentEvent {
  v: 1;
  /** The vendor's event id; a repeated id is dropped. */
  id: string;
  kind: PaymentEventKind;
  /** The vendor's id of the object that changed. */
  objectId: string;
}

export const paymentEventReceived = defineSignal<[PaymentEvent]>('paymentEventReceived');

/** True for a value that has the form of a PaymentEvent: signals typed by hand into the Temporal UI may be anything. */
export function isPaymentEvent(value: unknown): value is PaymentEvent {
  if (typeof value !== 'object' || value === null) return false;
  const event = value as Record<string, unknown>;
  return (
    event['v'] === 1 &&
    isId(event['id']) &&
    isId(event['objectId']) &&
    (paymentEventKinds as readonly unknown[]).includes(event['kind'])
  );
}

const isId = (value: unknown) => typeof value === 'string' && value.length <= maxIdLength;
