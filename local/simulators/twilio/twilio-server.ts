import { parseForm, type FormParams } from '../form-params.js';
import { hexOf } from '../random-bytes.js';
import type { VendorPlumbing } from '../vendor-plumbing.js';
import { splitPath, type VendorRequest, type VendorServer } from '../vendor-server.js';
import type { SmsNetwork } from './sms-network.js';
import type { SmsRecord } from './twilio-state.js';

const BASE = '/2010-04-01/Accounts/:account';
export const TWILIO_ROUTES = [
  { method: 'POST', path: `${BASE}/Messages.json` },
  { method: 'GET', path: `${BASE}/Messages.json` },
  { method: 'GET', path: `${BASE}/Messages/:sid.json` },
] as const;

class TwilioRefusal extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** Magic test numbers and what sending to them answers. */
const REFUSED_NUMBERS: Record<string, [number, string]> = {
  '+15005550001': [21_211, "The 'To' number +15005550001 is not a valid phone number."],
  '+15005550004': [21_610, 'Attempt to send to unsubscribed recipient.'],
  '+15005550009': [21_614, "'To' number is not a valid mobile number."],
};

/** RFC 2822, as Twilio writes times. */
const rfc2822 = (ms: number): string => new Date(ms).toUTCString().replace('GMT', '+0000');

function resource(sms: SmsRecord, accountSid: string): object {
  const uri = `/2010-04-01/Accounts/${accountSid}/Messages/${sms.sid}`;
  return {
    account_sid: accountSid,
    api_version: '2010-04-01',
    body: sms.body,
    date_created: rfc2822(sms.created),
    date_sent: sms.sent === null ? null : rfc2822(sms.sent),
    date_updated: rfc2822(sms.updated),
    direction: sms.direction,
    error_code: sms.error_code,
    error_message: sms.error_code === null ? null : 'Unreachable destination handset',
    from: sms.from,
    messaging_service_sid: sms.messaging_service_sid,
    num_media: '0',
    num_segments: String(Math.max(1, Math.ceil(sms.body.length / 153))),
    price: null,
    price_unit: 'USD',
    sid: sms.sid,
    status: sms.status,
    subresource_uris: { media: `${uri}/Media.json` },
    to: sms.to,
    uri: `${uri}.json`,
  };
}

function sendMessage(network: SmsNetwork, params: FormParams): SmsRecord {
  const to = params.get('To');
  const from = params.get('From') ?? null;
  const service = params.get('MessagingServiceSid') ?? null;
  const body = params.get('Body');
  if (!to) throw new TwilioRefusal(400, 21_604, "A 'To' phone number is required.");
  if (from === null && service === null)
    throw new TwilioRefusal(400, 21_603, "A 'From' phone number is required.");
  if (!body) throw new TwilioRefusal(400, 21_602, 'Message body is required.');
  if (body.length > 1_600)
    throw new TwilioRefusal(400, 21_617, 'The message body exceeds the 1600 character limit.');
  const magic = REFUSED_NUMBERS[to];
  if (magic !== undefined) throw new TwilioRefusal(400, ...magic);
  if (!/^\+[1-9]\d{6,14}$/.test(to)) {
    throw new TwilioRefusal(400, 21_211, `The 'To' number ${to} is not a valid phone number.`);
  }
  if (network.state.opted_out[to])
    throw new TwilioRefusal(400, 21_610, 'Attempt to send to unsubscribed recipient.');
  const status_callback = params.get('StatusCallback') ?? null;
  if (status_callback !== null && !URL.canParse(status_callback)) {
    throw new TwilioRefusal(400, 21_609, `The StatusCallback URL ${status_callback} is not a valid URL.`);
  }
  return network.send({ to, from, messaging_service_sid: service, body, status_callback });
}

function listMessages(network: SmsNetwork, params: FormParams, accountSid: string): object {
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const on = params.get('DateSent');
  // Both spellings: the docs write `DateSent>=`, the client sends the name `DateSent>`.
  const after = params.get('DateSent>');
  const before = params.get('DateSent<');
  const size = Math.min(1_000, Number(params.get('PageSize') ?? 50));
  const page = Number(params.get('Page') ?? 0);
  const matching = Object.values(network.state.messages)
    .filter((sms) => sms.to === (params.get('To') ?? sms.to) && sms.from === (params.get('From') ?? sms.from))
    .filter((sms) => on === undefined || day(sms.sent ?? sms.created) === on.slice(0, 10))
    .filter((sms) => after === undefined || (sms.sent ?? sms.created) >= Date.parse(after))
    .filter((sms) => before === undefined || (sms.sent ?? sms.created) <= Date.parse(before))
    .reverse();
  const uri = (n: number): string => {
    const query = new URLSearchParams(
      [...params].filter(([name]) => name !== 'Page' && name !== 'PageToken'),
    );
    query.set('Page', String(n));
    return `/2010-04-01/Accounts/${accountSid}/Messages.json?${query.toString()}`;
  };
  const shown = matching.slice(page * size, (page + 1) * size);
  return {
    messages: shown.map((sms) => resource(sms, accountSid)),
    page,
    page_size: size,
    start: page * size,
    end: page * size + Math.max(0, shown.length - 1),
    uri: uri(page),
    first_page_uri: uri(0),
    previous_page_uri: page > 0 ? uri(page - 1) : null,
    next_page_uri: (page + 1) * size < matching.length ? uri(page + 1) : null,
  };
}

/** Serves `/2010-04-01`: sending, reading and listing messages. */
export function twilioServer(network: SmsNetwork, plumbing: VendorPlumbing): VendorServer {
  const { clock, random, faults, log, touch } = plumbing;
  const table = TWILIO_ROUTES.map((route) => ({
    ...route,
    pattern: new RegExp(
      `^${route.path.replace(':account', '([^/]+)').replace(':sid.json', String.raw`([^/]+)\.json`)}$`,
    ),
  }));

  const execute = (request: VendorRequest, params: FormParams): { status: number; body: object } => {
    const { method, headers } = request;
    const { path } = splitPath(request);
    const { accountSid, authToken } = network.account;
    const credentials = Buffer.from(
      (headers['authorization'] ?? '').replace(/^Basic /i, ''),
      'base64',
    ).toString();
    const [user = '', password = ''] = credentials.split(':');
    const known =
      user !== '' && user === (accountSid ?? user) && password !== '' && password === (authToken ?? password);
    if (!known) throw new TwilioRefusal(401, 20_003, 'Authenticate');
    const match = table.find((route) => route.method === method && route.pattern.test(path));
    const [, account = '', sid] = match?.pattern.exec(path) ?? [];
    if (match === undefined || account !== user) {
      throw new TwilioRefusal(404, 20_404, `The requested resource ${path} was not found`);
    }
    if (method === 'POST') return { status: 201, body: resource(sendMessage(network, params), account) };
    if (sid === undefined) return { status: 200, body: listMessages(network, params, account) };
    const sms = network.state.messages[sid];
    if (sms === undefined)
      throw new TwilioRefusal(404, 20_404, `The requested resource ${path} was not found`);
    return { status: 200, body: resource(sms, account) };
  };

  return async (request) => {
    const { method } = request;
    const { path, query } = splitPath(request);
    const params = parseForm(method === 'POST' ? request.body : query);
    const fault = faults.takeRoute(method, path);
    let answer: { status: number; body: object } | undefined;
    await faults.pause(fault, clock);
    if (fault?.kind !== 'before') {
      try {
        const wanted = fault?.kind === 'status' ? (fault.status ?? 500) : undefined;
        if (wanted === undefined || fault?.after_effect === true) answer = execute(request, params);
        if (wanted !== undefined) {
          throw new TwilioRefusal(
            wanted,
            wanted === 429 ? 20_429 : 20_500,
            `Refused with ${wanted} on purpose.`,
          );
        }
      } catch (error) {
        if (!(error instanceof TwilioRefusal)) throw error;
        const { status, code, message } = error;
        const more_info = `https://www.twilio.com/docs/errors/${code}`;
        answer = { status, body: { code, message, more_info, status } };
      }
    }
    if (method === 'POST' || fault !== undefined) touch();
    const dropped = answer === undefined || fault?.kind === 'after_effect_drop';
    log.add({
      vendor: 'twilio',
      method,
      path,
      route: table.find((route) => route.method === method && route.pattern.test(path))?.path ?? null,
      idempotency_key: null,
      status: dropped ? null : (answer?.status ?? null),
      replayed: false,
      fault: fault?.kind ?? null,
      account: null,
      params: Object.fromEntries(params),
    });
    if (answer === undefined || dropped) return undefined;
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'twilio-request-id': `RQ${hexOf(random(16))}`,
    };
    if (fault?.retry_after !== undefined) headers['retry-after'] = String(fault.retry_after);
    return { status: answer.status, headers, body: JSON.stringify(answer.body) };
  };
}
