import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { isLocale } from '../domain/locale.js';
import type { Tenant } from '../domain/tenant.js';
import { ConfigurationError } from './config.js';

/** Where text messages are cheap and fraud by pumping is rare; a tenant that needs more names it. */
const defaultCountries = 'US CA GB IE AU NZ DE AT CH FR BE NL LU DK SE NO FI ES PT IT'.split(' ');

const perCurrency = (amount: z.ZodNumber) => z.record(z.string().regex(/^[a-z]{3}$/), amount);
const limits = perCurrency(z.number().int().positive());
/** 0: a person is asked for every refund. */
const thresholds = perCurrency(z.number().int().min(0));
const line = z.string().min(1).max(300);

const rail = z.strictObject({
  rail: z.enum(['linkWallet', 'paymentLink']),
  /** The wallet adapter; one exists. */
  adapter: z.literal('agentAuthorization').optional(),
  deadline_ms: z
    .number()
    .int()
    .min(1)
    .max(24 * 3_600_000),
});

const approver = z.strictObject({
  id: z.string().regex(/^[a-z0-9_-]{1,40}$/),
  name: z.string().min(1).max(80),
  phone: z
    .string()
    .regex(/^\+\d{7,15}$/)
    .optional(),
  email: z.email().optional(),
  tier: z.number().int().min(1).max(9).default(1),
});

const hour = 3_600_000;

const tenant = z.object({
  id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, 'must be 1 to 40 of a-z, 0-9, - and _'),
  name: z.string().min(1).max(60).optional(),
  stripe: z
    .strictObject({
      account: z
        .string()
        .regex(/^acct_\w+$/)
        .optional(),
    })
    .optional(),
  rails: z.array(rail).min(1),
  limits: z
    .strictObject({
      max_amount: limits.optional(),
      wallet_max_amount: limits.optional(),
      sms_per_number: z
        .strictObject({ max: z.number().int().positive(), window_ms: z.number().int().positive() })
        .optional(),
    })
    .optional(),
  refunds: z
    .object({
      threshold: thresholds.optional(),
      approval_deadline_ms: z.number().int().positive().optional(),
      remind_after_ms: z.number().int().positive().optional(),
      escalate_after_ms: z.number().int().positive().optional(),
      approvers: z.array(approver).max(50).optional(),
    })
    .optional(),
  late_payment: z.enum(['refund', 'honour']).optional(),
  sms: z
    .strictObject({
      from: z.string().optional(),
      messaging_service_sid: z
        .string()
        .regex(/^MG\w+$/)
        .optional(),
    })
    .optional(),
  phone_countries: z.array(z.string().regex(/^[A-Z]{2}$/)).optional(),
  redirect_url: z.url({ protocol: /^https?$/ }).optional(),
  locale: z.string().max(35).refine(isLocale, 'must be a locale, such as en-US').optional(),
  wording: z.record(z.string(), z.record(z.string(), line)).optional(),
});

const list = z.array(tenant);
const underName = z.object({ tenants: list });

function toTenant(raw: z.infer<typeof tenant>): Tenant {
  return {
    id: raw.id,
    name: raw.name ?? raw.id,
    stripeAccount: raw.stripe?.account,
    rails: raw.rails.map(({ rail, deadline_ms }) => ({ rail, deadline_ms })),
    limits: {
      maxAmount: raw.limits?.max_amount,
      // Link's published limit for one request of an agent. Source: link-cli README, "$500 per request".
      walletMaxAmount: raw.limits?.wallet_max_amount ?? { usd: 50_000 },
      smsPerNumber: {
        max: raw.limits?.sms_per_number?.max ?? 30,
        windowMs: raw.limits?.sms_per_number?.window_ms ?? 3_600_000,
      },
    },
    refunds: {
      threshold: raw.refunds?.threshold ?? { usd: 5_000 },
      approvalDeadlineMs: raw.refunds?.approval_deadline_ms ?? 24 * hour,
      remindAfterMs: raw.refunds?.remind_after_ms ?? hour,
      escalateAfterMs: raw.refunds?.escalate_after_ms ?? 4 * hour,
      approvers: raw.refunds?.approvers ?? [],
    },
    latePayment: raw.late_payment ?? 'refund',
    sms: { from: raw.sms?.from ?? '+15550100100', messagingServiceSid: raw.sms?.messaging_service_sid },
    phoneCountries: raw.phone_countries ?? defaultCountries,
    redirectUrl: raw.redirect_url ?? 'https://example.com/',
    locale: raw.locale ?? 'en-US',
    wording: raw.wording ?? {},
  };
}

/** All tenants by id. Throws a ConfigurationError that lists every problem with its place. */
export function loadTenants(path: string): ReadonlyMap<string, Tenant> {
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read';
    throw new ConfigurationError([`TENANTS_FILE ${reason}`]);
  }
  // Not a union of the two: of that, zod tells only that neither fits.
  const parsed = Array.isArray(raw) ? list.safeParse(raw) : underName.safeParse(raw);
  if (!parsed.success) {
    throw new ConfigurationError(
      parsed.error.issues.map(
        ({ path: at, message }) => `TENANTS_FILE ${at.join('.') || '(top)'}: ${message}`,
      ),
    );
  }
  const tenants = (Array.isArray(parsed.data) ? parsed.data : parsed.data.tenants).map(toTenant);
  const ids = new Set(tenants.map(({ id }) => id));
  if (tenants.length === 0) throw new ConfigurationError(['TENANTS_FILE names no tenant']);
  if (ids.size < tenants.length) throw new ConfigurationError(['TENANTS_FILE names a tenant twice']);
  return new Map(tenants.map((one) => [one.id, one]));
}

/** Problems with approvers who could never be told: no phone, and no mail server for their e-mail. */
export function unreachableApprovers(tenants: Iterable<Tenant>, hasMail: boolean): string[] {
  return [...tenants].flatMap(({ id, refunds }) =>
    refunds.approvers
      .filter(({ phone, email }) => phone === undefined && (email === undefined || !hasMail))
      .map(
        (approver) => `TENANTS_FILE ${id}: approver ${approver.id} needs a phone, or an e-mail and SMTP_URL`,
      ),
  );
}
