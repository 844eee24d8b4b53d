import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { emptyMailState, type MailState } from './mail/mail-sink.js';
import { emptyReceiverState, type ReceiverState } from './receiver/webhook-receiver.js';
import { emptyTwilioState } from './twilio/twilio-state.js';
import { emptyStripeState } from './stripe/stripe-state.js';
import type { StandInState } from './stand-ins.js';
import { emptyFaultState } from './faults.js';

/** Everything that must survive a restart, as one JSON file. */
export interface SimulatorState extends StandInState {
  mail: MailState;
  receiver: ReceiverState;
}

const DEBOUNCE_MS = 100;

export class Snapshot {
  readonly state: SimulatorState;
  #timer: NodeJS.Timeout | undefined;
  #lastWriteMs = 0;

  constructor(readonly file: string | undefined) {
    const loaded =
      file !== undefined && existsSync(file)
        ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<SimulatorState>)
        : {};
    this.state = {
      stripe: { ...emptyStripeState(), ...loaded.stripe },
      twilio: { ...emptyTwilioState(), ...loaded.twilio },
      mail: { ...emptyMailState(), ...loaded.mail },
      receiver: { ...emptyReceiverState(), ...loaded.receiver },
      faults: { ...emptyFaultState(), ...loaded.faults },
    };
  }

  /** Call after every change. A large book is written less often, so that saving never takes most of the time. */
  touch(): void {
    if (this.file === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.flush(), Math.max(DEBOUNCE_MS, this.#lastWriteMs * 10));
    this.#timer.unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.file === undefined) return;
    const started = performance.now();
    mkdirSync(dirname(this.file), { recursive: true });
    // Written aside and renamed: a kill in the middle leaves the previous snapshot whole.
    const aside = `${this.file}.${process.pid}.tmp`;
    writeFileSync(aside, JSON.stringify(this.state), { mode: 0o600 });
    renameSync(aside, this.file);
    this.#lastWriteMs = performance.now() - started;
  }
}
