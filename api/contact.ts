import { getCountryCallingCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import type { Tenant } from '../domain/tenant.js';
import { Problem } from './problem.js';

/** Kinds of numbers that cost the tenant money without reaching a caller. */
const refusedTypes = new Set(['PREMIUM_RATE', 'SHARED_COST', 'UAN', 'PAGER', 'VOICEMAIL']);

/**
 * A number in E.164, or a `phone_invalid` problem. Numbers outside the tenant's countries are refused against SMS
 * pumping. A number whose area code nobody was given (555…) passes if it is possible: Twilio has the last word.
 */
export function normalisePhone(text: string, tenant: Tenant): string {
  const refuse = (detail: string) => new Problem('phone_invalid', { detail });
  const phone = /^\+[\d\s().-]{7,25}$/.test(text) ? parsePhoneNumberFromString(text) : undefined;
  if (!phone?.isPossible()) throw refuse('a phone number in E.164 form is needed, such as +15550100123');
  const { country, countryCallingCode, number } = phone;
  const countries = tenant.phoneCountries.filter((code) => isSupportedCountry(code));
  const allowed =
    country === undefined
      ? countries.some((code) => getCountryCallingCode(code) === countryCallingCode)
      : countries.includes(country);
  if (!allowed) throw refuse('numbers of this country are not enabled for the tenant');
  if (refusedTypes.has(phone.getType() ?? '')) throw refuse('premium and service numbers are not enabled');
  if (number === tenant.sms.from) throw refuse("this is the tenant's own number");
  return number;
}
