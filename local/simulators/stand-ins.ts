import { randomBytes } from 'node:crypto';
import { SystemClock, type Clock } from './clock.js';
import { Faults, emptyFaultState, type FaultState } from './faults.js';
import type { RandomBytes } from './random-bytes.js';
import { RECEIVER_ROUTE } from './receiver/webhook-receiver.js';
import { RequestLog } from './request-log.js';
import { watchAuthorization } from './stripe/agent-authorizations.js';
import { watchSession } from './stripe/checkout-sessions.js';
import { STRIPE_ROUTES, stripeServer } from './stripe/stripe-server.js';
import { emptyStripeState, type StripeState } from './stripe/stripe-state.js';
import { StripeWorld } from './stripe/stripe-world.js';
import { WebhookSender, type WebhookTarget } from './stripe/webhook-sender.js';
import { SmsNetwork, type TwilioAccount } from './twilio/sms-network.js';
import { TWILIO_ROUTES, twilioServer } from './twilio/twilio-server.js';
import { emptyTwilioState, type TwilioState } from './twilio/twilio-state.js';
import type { VendorPlumbing } from './vendor-plumbing.js';
import type { VendorServer } from './vendor-server.js';
import { postOverHttp, type WebhookPost } from './webhook-post.js';

/** All that the vendors know. */
export interface StandInState {
  stripe: StripeState;
  twilio: TwilioState;
  faults: FaultState;
}

export interface StandInOptions {
  /** Real time if not given. Closed with the stand-ins. */
  clock?: Clock | undefined;
  /** `node:crypto` if not given. */
  random?: RandomBytes | undefined;
  /** `fetch` if not given. */
  post?: WebhookPost | undefined;
  /** Changed in place; empty if not given. */
  state?: StandInState | undefined;
  /** What links in messages and pages begin with. */
  publicUrl?: (() => string) | undefined;
  stripeWebhook?: WebhookTarget | undefined;
  twilioAccount?: TwilioAccount | undefined;
  /** Called after each change of the state. */
  touch?: (() => void) | undefined;
}

export interface StandIns {
  stripe: VendorServer;
  twilio: VendorServer;
  world: StripeWorld;
  network: SmsNetwork;
  plumbing: VendorPlumbing;
  /** Ends every timer and webhook; nothing happens afterwards. */
  close: () => void;
}

/** Stripe and Twilio without a network. With a clock, ids and a post of one's own, each run with one seed is the same. */
export function createStandIns(options: StandInOptions = {}): StandIns {
  const { clock = new SystemClock(), random = randomBytes, touch = () => undefined } = options;
  const closing = new AbortController();
  const post = options.post ?? postOverHttp(closing.signal);
  const state = options.state ?? {
    stripe: emptyStripeState(),
    twilio: emptyTwilioState(),
    faults: emptyFaultState(),
  };
  const routes = [...STRIPE_ROUTES, ...TWILIO_ROUTES].map(({ method, path }) => `${method} ${path}`);
  const faults = new Faults(state.faults, [...routes, RECEIVER_ROUTE]);
  const plumbing: VendorPlumbing = { clock, random, faults, log: new RequestLog(clock), touch };

  const publicUrl = options.publicUrl ?? (() => 'http://stand-ins.test');
  const world = new StripeWorld(state.stripe, clock, random, publicUrl);
  const sender = new WebhookSender(state.stripe, plumbing, options.stripeWebhook ?? {}, post);
  world.onEvent = (id) => {
    sender.plan(id);
    touch();
  };
  const account = options.twilioAccount ?? { accountSid: undefined, authToken: undefined };
  const network = new SmsNetwork(state.twilio, plumbing, account, post);
  for (const id of Object.keys(state.stripe.sessions)) watchSession(world, id);
  for (const id of Object.keys(state.stripe.authorizations)) watchAuthorization(world, id);

  return {
    stripe: stripeServer(world, plumbing),
    twilio: twilioServer(network, plumbing),
    ...{ world, network, plumbing },
    close: () => {
      closing.abort();
      sender.close();
      network.close();
      clock.close();
    },
  };
}
