import type { Clock } from './clock.js';
import type { Faults } from './faults.js';
import type { RandomBytes } from './random-bytes.js';
import type { RequestLog } from './request-log.js';

/** What all stand-ins share. */
export interface VendorPlumbing {
  clock: Clock;
  random: RandomBytes;
  faults: Faults;
  log: RequestLog;
  /** Saves the snapshot soon. */
  touch: () => void;
}
