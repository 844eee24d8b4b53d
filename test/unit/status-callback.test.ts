import twilio from 'twilio';
import { describe, expect, test } from 'vitest';
import {
  isSignedByTwilio,
  statusCallbackPath,
  statusCallbackUrl,
} from '../../providers/twilio/status-callback.js';

const authToken = 'token';
const mark = { vc_tenant: 'acme', vc_mac: 'a+b/c=d&e' };
const url = statusCallbackUrl('https://pay.example.com', mark);
const params = { MessageSid: 'SM1', MessageStatus: 'delivered' };
const signature = twilio.getExpectedTwilioSignature(authToken, url, params);
const signed = (changes: object = {}) => isSignedByTwilio({ authToken, signature, url, params, ...changes });

describe('the URL of status callbacks', () => {
  test('is our route and carries the mark unharmed', () => {
    const parsed = new URL(url);
    expect(parsed.origin + parsed.pathname).toBe(`https://pay.example.com${statusCallbackPath}`);
    expect(Object.fromEntries(parsed.searchParams)).toEqual(mark);
  });
});

describe("Twilio's signature", () => {
  test('is accepted on the very URL and parameters', () => {
    expect(signed()).toBe(true);
  });

  test.each([
    ['http for https', { url: url.replace('https:', 'http:') }],
    ['another host', { url: url.replace('pay.example.com', 'proxy.internal') }],
    ['another path', { url: url.replace('/status', '/other') }],
    ['another checkout in the query', { url: url.replace('acme', 'globex') }],
    ['a further parameter', { params: { ...params, To: '+15550123001' } }],
    ['a changed parameter', { params: { ...params, MessageStatus: 'failed' } }],
    ['a missing parameter', { params: { MessageSid: 'SM1' } }],
    ['another auth token', { authToken: 'other' }],
    ['another signature', { signature: `${signature.slice(0, -2)}x=` }],
    ['no signature', { signature: '' }],
  ])('is refused with %s', (_name, changes) => {
    expect(signed(changes)).toBe(false);
  });
});
