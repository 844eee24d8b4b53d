import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../support/system-agent.js';
import type { Diary, Tally } from './diary.js';

const pauseMs = 200;

/** Whoever asks: what they note, and what they count. */
export interface Asker {
  diary: Diary;
  repeats: Tally;
  /** Called when nobody answers for so long that something is wrong, epoch ms. */
  patientUntil: () => number;
}

/**
 * Sends the same request until it is answered, as the contract asks of an agent: again after no answer, 429 and 503. Throws
 * when there is none in time, and at once for a 500, which nothing excuses.
 */
export async function insist<T>(
  { diary, repeats, patientUntil }: Asker,
  what: string,
  send: () => Promise<Answer<T>>,
): Promise<Answer<T>> {
  for (;;) {
    const answer = await send().catch((error: unknown) =>
      error instanceof Error ? error.message : 'no answer',
    );
    if (typeof answer !== 'string') {
      diary.note(`${what}: ${answer.status}${stateOf(answer.body)}`);
      if (answer.status === 500) throw new Error(`${what} answered 500`);
      if (answer.status !== 429 && answer.status < 500) return answer;
    } else {
      diary.note(`${what}: ${answer}`);
    }
    if (Date.now() > patientUntil()) throw new Error(`${what} was never answered`);
    repeats.add('repeats');
    await sleep(pauseMs);
  }
}

function stateOf(body: unknown): string {
  const { state, code, version } = body as { state?: string; code?: string; version?: number };
  return state === undefined ? ` ${code ?? ''}` : ` ${state} v${version ?? '?'}`;
}
