import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../contracts/failures.js';
import { formatMoney } from '../domain/money.js';
import type { ApprovalLinks } from '../providers/approval/approval-link.js';
import type { DecisionTokens, SignedDecision } from '../providers/approval/decision-token.js';
import type { Mailer } from '../providers/mail/mailer.js';
import { type ActivityDependencies, type CheckoutRef, tenantOf } from './accounts.js';
import { withVendorFailures } from './failures.js';
import { senderOf, textOnce } from './messages.js';

export type DecisionCheck =
  | ({ valid: true; decidedAt: number } & Pick<
      SignedDecision,
      'decision' | 'decidedBy' | 'decidedBySubject' | 'requestHash' | 'note'
    >)
  | { valid: false };

export interface ApprovalNotice extends CheckoutRef {
  refundId: string;
  requestHash: string;
  approver: string;
  kind: 'ask' | 'remind';
  amount: number;
  currency: string;
  description: string;
  /** Epoch ms; the link dies then. */
  expiresAt: number;
}

export interface ApprovalDependencies {
  decisions: DecisionTokens;
  approvalLinks: ApprovalLinks;
  /** Absent where no SMTP server is configured. */
  mailer?: Mailer | undefined;
  /** The approver's page for a link token. */
  approvalUrl: (token: string) => string;
}

/** Longer than a mail server takes to restart, ms. */
const mailPatienceMs = 60_000;

/** The mail server refused for good, or does not answer for too long. */
function mailIsGivenUp(error: unknown): boolean {
  const { currentAttemptScheduledTimestampMs: now, scheduledTimestampMs: since } = activityInfo();
  const refused = error instanceof ApplicationFailure && error.type === failureTypes.requestRefused;
  return refused || now - since > mailPatienceMs;
}

/** Asking people, and checking what they decided: here, because keys never enter workflow code. */
export function createApprovalActivities(dependencies: ActivityDependencies & ApprovalDependencies) {
  const { decisions, approvalLinks, approvalUrl, mailer, tenant, twilio, deployment } = dependencies;

  return {
    /** Whether this deployment signed the decision lately, for this refund, and a named person still has the right. */
    async verifyDecision(claim: {
      tenantId: string;
      refundId: string;
      signedDecision: string;
    }): Promise<DecisionCheck> {
      const opened = await decisions.open(claim.signedDecision);
      if (opened?.tenantId !== claim.tenantId || opened.refundId !== claim.refundId) return { valid: false };
      const [kind, id] = opened.decidedBy.split(':');
      const approvers = tenant(claim.tenantId)?.refunds.approvers ?? [];
      if (kind === 'person' && !approvers.some((approver) => approver.id === id)) return { valid: false };
      const { decision, decidedBy, decidedBySubject, decidedAt, requestHash, note } = opened;
      return {
        valid: true,
        decision,
        decidedBy,
        ...(decidedBySubject !== undefined && { decidedBySubject }),
        decidedAt,
        requestHash,
        ...(note !== undefined && { note }),
      };
    },

    /**
     * Sends one person the link to one request: by e-mail, or by SMS where they have no other address, where their mail is
     * refused for good, or where it has been away for a minute. A repeated e-mail keeps its Message-ID.
     */
    async notifyApprover(notice: ApprovalNotice): Promise<{ by: 'email' | 'sms' | 'nothing' }> {
      const { refunds, sms, name } = tenantOf(dependencies, notice);
      const person = refunds.approvers.find(({ id }) => id === notice.approver);
      if (!person) return { by: 'nothing' };
      const { tenantId, refundId, requestHash, approver, amount, currency, kind } = notice;
      const link = { tenantId, refundId, approver, expiresAt: notice.expiresAt };
      const url = approvalUrl(approvalLinks.sign(link, requestHash));
      const sum = formatMoney({ amount, currency });
      const subject = `${kind === 'remind' ? 'Reminder: ' : ''}${name}: refund of ${sum} needs your decision`;
      const { email, phone } = person;
      if (email !== undefined && mailer) {
        try {
          await withVendorFailures(() =>
            mailer.send({
              to: email,
              subject,
              text: `${subject}\n\n${notice.description}\n\nOpen to see the request and decide:\n${url}\n`,
              messageId: `<${refundId}.${kind}.${approver}@${deployment}.voice-checkout>`,
            }),
          );
          return { by: 'email' };
        } catch (error) {
          if (phone === undefined || !mailIsGivenUp(error)) throw error;
        }
      }
      if (phone === undefined) {
        throw ApplicationFailure.nonRetryable(
          `approver ${approver} cannot be reached`,
          failureTypes.requestRefused,
        );
      }
      return withVendorFailures(async () => {
        await textOnce(twilio, {
          to: phone,
          body: `${subject} ${url}`,
          // The reminder holds the same link: only the whole text tells the two apart.
          unique: `${subject} ${url}`,
          ...senderOf(sms),
        });
        return { by: 'sms' };
      });
    },
  };
}
