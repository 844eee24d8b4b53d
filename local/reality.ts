import type { Settings, VendorMode } from './settings.js';

/** What is real and what is not, in plain words. */
export function describeReality(settings: Settings): string {
  const mail = settings.smtpUrl ? ' | e-mail: the server at SMTP_URL' : '';
  return `Stripe: ${stripeText(settings.stripe)} | SMS: ${smsText(settings.twilio)}${mail}`;
}

function stripeText(mode: VendorMode): string {
  switch (mode.kind) {
    case 'real':
      return 'test mode, real API';
    case 'url':
      return 'the API at STRIPE_API_BASE';
    case 'stand-in':
      return 'local stand-in, no money moves';
  }
}

function smsText(mode: VendorMode): string {
  switch (mode.kind) {
    case 'real':
      return 'Twilio, real messages';
    case 'url':
      return 'the API at TWILIO_API_BASE';
    case 'stand-in':
      return 'local phone';
  }
}

/** Callers can be played only where both vendors are ours. */
export function canPlayCalls(settings: Settings): boolean {
  return settings.stripe.kind === 'stand-in' && settings.twilio.kind === 'stand-in';
}

/** What a person must still do for the real parts to work. */
export function realityHints(settings: Settings, apiUrl: string): string[] {
  const hints: string[] = [];
  if (settings.stripe.kind === 'real' && !settings.publicUrl) {
    hints.push(
      `Webhooks of Stripe reach this machine by: stripe listen --forward-to ${apiUrl}/webhooks/stripe`,
    );
  }
  if (settings.twilio.kind === 'real' && !settings.publicUrl) {
    hints.push('Delivery receipts of Twilio need PUBLIC_URL, an https address that leads to the API');
  }
  if (!canPlayCalls(settings)) {
    hints.push(
      'The demo calls are left out: a caller can only be simulated where Stripe and SMS are both local.',
    );
  }
  return hints;
}
