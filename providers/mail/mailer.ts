import { createTransport } from 'nodemailer';

export interface Mail {
  to: string;
  subject: string;
  text: string;
  /** Stable over repetitions, so that mail programs can show one copy. */
  messageId: string;
}

export interface Mailer {
  send(mail: Mail): Promise<void>;
}

/** Below the 10 s of an attempt, ms: a server that hangs is then known as one that does not answer. */
const timeouts = {
  dnsTimeout: 3_000,
  connectionTimeout: 3_000,
  greetingTimeout: 3_000,
  socketTimeout: 5_000,
};

/** Plain-text e-mail by SMTP. `url` as in smtp(s)://user:password@host:port. Throws with `responseCode` when refused. */
export function createMailer(url: string, from: string): Mailer {
  const transport = createTransport(
    { url, ...timeouts },
    { from, disableFileAccess: true, disableUrlAccess: true },
  );
  return {
    async send({ to, subject, text, messageId }) {
      await transport.sendMail({ to, subject, text, messageId });
    },
  };
}
