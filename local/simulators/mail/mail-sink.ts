import type { AddressInfo } from 'node:net';
import { simpleParser, type ParsedMail } from 'mailparser';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { hexOf } from '../random-bytes.js';
import type { VendorPlumbing } from '../vendor-plumbing.js';

/** One mail in one person's inbox; a mail to two people is two records. */
export interface MailRecord {
  id: string;
  /** In lower case. */
  to: string;
  from: string;
  subject: string;
  text: string;
  html?: string;
  message_id: string | null;
  /** ISO time of the first copy. */
  received: string;
  /** How often this message id was sent to this address. */
  copies: number;
}

export interface MailState {
  mails: MailRecord[];
}

export const emptyMailState = (): MailState => ({ mails: [] });

const KEPT = 500;
const MAX_BYTES = 256 * 1_024;

const refusal = (responseCode: number, message: string): Error =>
  Object.assign(new Error(message), { responseCode });

/** Takes mail for anyone by SMTP and delivers none of it. A fault on the route `SMTP` acts after DATA. */
export class MailSink {
  readonly #server = new SMTPServer({
    banner: 'Local stand-in',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: MAX_BYTES,
    // 0 would mean the default of 30 s.
    closeTimeout: 1,
    onData: (stream, session, done) => {
      this.#take(stream, session).then(() => done(), done);
    },
  });

  constructor(
    readonly state: MailState,
    readonly plumbing: VendorPlumbing,
  ) {
    // A client that goes away in the middle is its own affair.
    this.#server.on('error', () => undefined);
  }

  /** Listens on the loopback interface; 0 is any free port. Answers the port. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = this.#server.listen(port, '127.0.0.1', () =>
        resolve((server.address() as AddressInfo).port),
      );
      server.once('error', reject);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    const mail = await simpleParser(stream, { skipTextToHtml: true, skipTextLinks: true });
    if (stream.sizeExceeded) throw refusal(552, 'The message is too large.');
    const fault = this.plumbing.faults.takeRoute('DATA', 'SMTP');
    await this.plumbing.faults.pause(fault, this.plumbing.clock);
    const refused = fault?.kind === 'status' && fault.after_effect !== true;
    if (!refused && fault?.kind !== 'before') {
      for (const { address } of session.envelope.rcptTo) this.#deliver(mail, address.toLowerCase());
    }
    this.plumbing.touch();
    if (fault?.kind === 'status') {
      throw refusal(fault.status ?? 451, `Refused with ${fault.status ?? 451} on purpose.`);
    }
    if (fault?.kind === 'before' || fault?.kind === 'after_effect_drop') {
      for (const connection of this.#server.connections) if (connection.id === session.id) connection.close();
    }
  }

  #deliver(mail: ParsedMail, to: string): void {
    const { mails } = this.state;
    const { clock, random } = this.plumbing;
    const message_id = mail.messageId ?? null;
    const known = mails.find((other) => other.message_id === message_id && other.to === to);
    if (known !== undefined && message_id !== null) {
      known.copies += 1;
      return;
    }
    mails.push({
      id: `mail_${hexOf(random(12))}`,
      to,
      from: mail.from?.text ?? '',
      subject: mail.subject ?? '',
      text: mail.text ?? '',
      ...(mail.html === false ? {} : { html: mail.html }),
      message_id,
      received: new Date(clock.now()).toISOString(),
      copies: 1,
    });
    mails.splice(0, mails.length - KEPT);
  }
}
