import type { Command, Job } from './isolate.js';

/** One activation as it stands in the history: enough to do it again. */
export interface Turn {
  at: number;
  jobs: Job[];
  commands: Command[];
  historyLength: number;
  continueAsNewSuggested: boolean;
}
