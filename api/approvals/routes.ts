import express, { type RequestHandler, type Response, Router } from 'express';
import type { RefundMemo } from '../../contracts/refund.js';
import { containsCardNumber } from '../../domain/card-data.js';
import { ruleText } from '../../domain/explain-refund.js';
import { honouredPayment } from '../../domain/late-payment.js';
import { formatMoney } from '../../domain/money.js';
import type { RefundStatus } from '../../domain/refund-state.js';
import type { Approver, Tenant } from '../../domain/tenant.js';
import type { ApprovalLink, ApprovalLinks } from '../../providers/approval/approval-link.js';
import { requestHash } from '../../providers/approval/request-hash.js';
import type { ApiKey } from '../authenticate.js';
import { withAftermath } from '../checkouts/aftermath.js';
import { listOwnEvents } from '../checkouts/events.js';
import { readCheckout } from '../checkouts/store.js';
import { Problem } from '../problem.js';
import { alreadyDecided, createDecision, type DecisionDependencies } from '../refunds/decide.js';
import { readRefund } from '../refunds/resource.js';
import { type ApprovalPage, approvalPage, messagePage, pageHeaders, type Row } from './page.js';

export interface ApprovalPageDependencies extends DecisionDependencies {
  approvalLinks: ApprovalLinks;
  tenant: (id: string) => Tenant | undefined;
  keys: Pick<ReadonlyMap<string, ApiKey>, 'get'>;
  publicUrl: string;
}

const states: Record<RefundStatus, string> = {
  awaiting_approval: 'Waiting for a decision',
  submitting: 'Approved, being given back',
  submitted: 'Approved, given to the bank',
  refunded: 'Approved and given back',
  rejected: 'Approved, but refused by Stripe',
  failed: 'Approved, but returned by the bank',
  denied: 'Denied',
  approval_expired: 'Expired without a decision',
  needs_attention: 'Approved, outcome being checked',
};

const time = (ms: number) => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** The page behind an approver's link. Opening it decides nothing, so that link previews are harmless. */
export function approvalRoutes(dependencies: ApprovalPageDependencies): Router {
  const { client, approvalLinks, tenant: tenantById, keys } = dependencies;
  const decide = createDecision(dependencies);
  const router = Router();

  router.use((_request, response, next) => {
    response.set({ ...pageHeaders });
    next();
  });

  /** The link, if it is genuine, in time, and its person still has the right; else the page has been answered. */
  async function opened(
    token: unknown,
    response: Response,
  ): Promise<{ link: ApprovalLink; tenant: Tenant; approver: Approver; memo: RefundMemo } | undefined> {
    const text = typeof token === 'string' ? token : '';
    const link = approvalLinks.parse(text);
    const tenant = link && tenantById(link.tenantId);
    const approver = tenant?.refunds.approvers.find(({ id }) => id === link?.approver);
    const memo = link && tenant && (await readRefund(client, tenant.id, link.refundId));
    // For what is shown here, whatever hash the run shows with it.
    if (!link || !tenant || !approver || !memo || !approvalLinks.isGenuine(text, requestHash(memo.refund))) {
      response.status(404).send(messagePage('Nothing here', 'This link is not valid.'));
      return undefined;
    }
    if (link.expiresAt <= Date.now()) {
      response.status(410).send(messagePage('This link has expired', 'Nobody can decide by it any more.'));
      return undefined;
    }
    return { link, tenant, approver, memo };
  }

  /**
   * How the payment came about, the other refunds asked for and what was decided on them, what it brought and what went
   * back of it, by whomever: the sums that the rules speak of.
   */
  async function historyOf({ refund }: RefundMemo, tenant: Tenant): Promise<Row[]> {
    const [events = [], memo] = await Promise.all([
      listOwnEvents(client, tenant.id, refund.checkoutId),
      readCheckout(client, tenant.id, refund.checkoutId),
    ]);
    const rows = events.map(({ at, type, status }): Row => [
      time(at),
      type === status ? type : `${type.replaceAll('_', ' ')} (${status.replaceAll('_', ' ')})`,
    ]);
    if (!memo) return rows;
    const { checkout, state, late, refunds = [] } = await withAftermath(client, tenant.id, memo);
    const { currency } = checkout;
    const others = refunds.filter((other) => other.refund.refundId !== refund.refundId);
    const captured = state.amountCaptured + (honouredPayment(late)?.amount ?? 0);
    return [
      ...rows,
      ...others.map((other): Row => [time(other.at), refundLine(other, tenant)]),
      ['Paid', formatMoney({ amount: captured, currency }, tenant.locale)],
      ['Given back so far', formatMoney({ amount: state.amountRefunded, currency }, tenant.locale)],
    ];
  }

  router.get('/:token', async (request, response) => {
    const found = await opened(request.params.token, response);
    if (!found) return;
    const { tenant, approver, memo } = found;
    response.send(approvalPage(describe(memo, tenant, approver, await historyOf(memo, tenant), keys)));
  });

  router.post(
    '/:token',
    fromThisPage(dependencies.publicUrl),
    express.urlencoded({ extended: false, limit: '8kb' }),
    async (request, response) => {
      const found = await opened(request.params.token, response);
      if (!found) return;
      const { decision, note } = (request.body ?? {}) as { decision?: unknown; note?: unknown };
      if (decision !== 'approved' && decision !== 'denied') {
        response.status(400).send(messagePage('Nothing was decided', 'Choose approve or deny.'));
        return;
      }
      const { link, memo } = found;
      const words = typeof note === 'string' ? note.trim().slice(0, 500) : '';
      try {
        if (containsCardNumber(words)) throw new Problem('card_data_refused');
        const { repeated, memo: decided } = await decide({
          tenantId: link.tenantId,
          refundId: link.refundId,
          requestHash: memo.refund.requestHash,
          decision,
          decidedBy: `person:${link.approver}`,
          decidedBySubject: link.approver,
          ...(words !== '' && { note: words }),
        });
        // A link decides once, also for its own person.
        if (repeated) throw alreadyDecided(decided);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        const [title, text] = told(error);
        response.status(error.status).send(messagePage(title, text));
        return;
      }
      // Back to the page itself: loading it again repeats nothing.
      response.redirect(303, request.originalUrl);
    },
  );

  return router;
}

/**
 * A decision is only taken from the page it was shown on. There is no cookie to misuse; this stops forms elsewhere. Our own
 * page sends `Origin: null`, because it tells nobody where it was opened.
 */
const fromThisPage =
  (publicUrl: string): RequestHandler =>
  (request, response, next) => {
    const site = request.get('sec-fetch-site');
    const origin = request.get('origin');
    const hosts = [request.get('host'), new URL(publicUrl).host];
    const ownOrigin =
      origin === undefined ||
      origin === 'null' ||
      (URL.canParse(origin) && hosts.includes(new URL(origin).host));
    if (ownOrigin && (site === undefined || site === 'same-origin' || site === 'none')) return next();
    response
      .status(403)
      .send(messagePage('Nothing was decided', 'Open the link from your message and decide there.'));
  };

/** One refund beside the one that is decided: what, by whose wish, what became of it, and who decided. */
function refundLine({ refund, state }: RefundMemo, tenant: Tenant): string {
  const { decision, decidedBy } = state.approval ?? {};
  const sum = formatMoney(refund, tenant.locale);
  return [
    `refund of ${sum} asked for by ${refund.requestedBy}: ${state.status.replaceAll('_', ' ')}`,
    ...(decision && decidedBy ? [`${decision} by ${decidedBy}`] : []),
  ].join(', ');
}

function told(problem: Problem): [title: string, text: string] {
  const { decision, decided_by, decided_at } = problem.details;
  switch (problem.code) {
    case 'already_decided':
      return [
        'Decided before',
        `The refund was ${decision ?? 'decided'} by ${decided_by ?? 'policy'}${decided_at ? ` at ${decided_at}` : ''}. Your decision changes nothing.`,
      ];
    case 'approval_expired':
      return ['Too late', 'The time to decide is over. Nothing was given back.'];
    case 'self_approval':
      return ['Not by you', 'Whoever asked for a refund cannot approve it.'];
    case 'request_changed':
      return ['Changed meanwhile', 'This link is for another request. Nothing was decided.'];
    case 'card_data_refused':
      return ['Nothing was decided', 'Your note holds a card number. Leave it out and send it again.'];
    default:
      return ['Not known yet', 'Your decision could not be delivered. Please send it again.'];
  }
}

function describe(
  { refund, state }: RefundMemo,
  tenant: Tenant,
  approver: Approver,
  history: readonly Row[],
  keys: ApprovalPageDependencies['keys'],
): ApprovalPage {
  const { approval, status } = state;
  const asker = keys.get(refund.requestedBy.replace(/^key:/, ''));
  const rows: Row[] = [
    ['For', refund.description],
    ['Asked for by', asker ? `${asker.name} (${refund.requestedBy})` : refund.requestedBy],
    ['Reason', refund.reason.replaceAll('_', ' ')],
    ...(refund.words === undefined ? [] : [['The caller said', `“${refund.words}”`] as const]),
    ...(approval ? [['Why you are asked', ruleText[approval.requiredBecause]] as const] : []),
    ['State', states[status]],
    ...(approval?.decidedBy && approval.decidedAt !== undefined
      ? [
          [
            'Decided',
            `${approval.decision ?? ''} by ${approval.decidedBy} at ${time(approval.decidedAt)}`,
          ] as const,
        ]
      : []),
    ...(approval?.note === undefined ? [] : [['Note', approval.note] as const]),
    ...(approval && status === 'awaiting_approval'
      ? [['Decide until', time(approval.expiresAt)] as const]
      : []),
  ];
  return {
    merchant: tenant.name,
    title: status === 'awaiting_approval' ? 'approve a refund' : 'refund',
    amount: formatMoney(refund, tenant.locale),
    rows,
    history,
    ...(status === 'awaiting_approval' && { decideAs: approver.name }),
  };
}
