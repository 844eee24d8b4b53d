import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';

/** Each poll holds a stream to Temporal; the server takes about 1,200 of one process and namespace. */
const maxPolls = 1_000;

/** How often a run that is over is looked at, ms: nothing tells what other runs add to it. */
const overPaceMs = 500;

/** What is watched of a run: every projection carries its version in the memo. */
interface Versioned {
  state: { version: number };
}

interface Waiting<Value extends Versioned> {
  since: number;
  isOver: (value: Value) => boolean;
  waitMs: number;
  withState: (value: Value, state: Value['state']) => Value | Promise<Value>;
}

interface Poll {
  waiters: number;
  /** The newest state seen in the run's history: what its memo holds. */
  state: Versioned['state'] | undefined;
  /** How the run closed, once it has. Only one that completed is sure to be the last of its workflow id. */
  closed: 'completed' | 'otherwise' | undefined;
  /** Settles at the next visible change, or when the poll ends. Replaced after each. */
  changed: Promise<void>;
  stop: AbortController;
}

/**
 * Waits for changes of runs. All waiters of one run share one history long poll, so that a thousand of them cost one
 * stream and add nothing to the history.
 */
export class RunWatch {
  readonly #client: Client;
  readonly #polls = new Map<string, Poll>();
  /** The next look at each run that is over, for all who wait for what other runs add to it. */
  readonly #looks = new Map<string, Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(client: Client) {
    this.#client = client;
    // As many listeners as looks and waiters about to end: no leak.
    setMaxListeners(0, this.#closing.signal);
  }

  /**
   * What `read` gives: as soon as its version is above `since`, else as it is after `waitMs`. `isOver`: this run itself says
   * nothing more, but `read` may still find something. `withState` puts a state that the run's history brought in the place
   * of the one that was read.
   */
  async waitFor<Value extends Versioned>(
    workflowId: string,
    read: () => Promise<Value | undefined>,
    { since, isOver, waitMs, withState }: Waiting<Value>,
  ): Promise<Value | undefined> {
    const until = Date.now() + waitMs;
    let value = await read();
    if (value && value.state.version <= since && !isOver(value) && waitMs > 0) {
      const news = await this.#news(workflowId, since, until);
      if (!news) return value;
      value = news.state ? await withState(value, news.state) : await read();
    }
    while (value && value.state.version <= since && !this.#closing.signal.aborted) {
      const left = until - Date.now();
      if (left <= 0) break;
      if (left < overPaceMs) {
        // The last one comes with the end of the time, which is everybody's own.
        await this.#pause(left);
        return read();
      }
      value = await this.#lookSoon(workflowId, read);
    }
    return value;
  }

  /** What the next look finds. */
  #lookSoon<Value>(workflowId: string, read: () => Promise<Value>): Promise<Value> {
    const shared = this.#looks.get(workflowId) as Promise<Value> | undefined;
    if (shared) return shared;
    const look = this.#pause(overPaceMs).then(() => {
      this.#looks.delete(workflowId);
      return read();
    });
    this.#looks.set(workflowId, look);
    return look;
  }

  /**
   * Waits for a version above `since`, the end of the run or `until`. Without a state it is to be read: the time is over, or
   * another run of the same workflow id may have taken this one's place. Undefined: too many are waited for already.
   */
  async #news(
    workflowId: string,
    since: number,
    until: number,
  ): Promise<{ state?: Versioned['state'] } | undefined> {
    const poll = this.#join(workflowId);
    if (!poll) return undefined;
    try {
      // The poll begins with the whole history, so a change since the read is not missed.
      for (;;) {
        const { changed } = poll;
        const left = until - Date.now();
        const state = poll.closed === 'otherwise' ? undefined : poll.state;
        if (state && state.version > since) return { state };
        if (poll.closed || poll.stop.signal.aborted || left <= 0) return {};
        await settledWithin(changed, left);
      }
    } finally {
      if (--poll.waiters === 0) {
        poll.stop.abort();
        this.#polls.delete(workflowId);
      }
    }
  }

  /** Ends all polls; waiters get the state as it is. */
  close(): void {
    this.#closing.abort();
    for (const { stop } of this.#polls.values()) stop.abort();
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }

  #join(workflowId: string): Poll | undefined {
    const shared = this.#polls.get(workflowId);
    if (shared) {
      shared.waiters++;
      return shared;
    }
    if (this.#polls.size >= maxPolls) return undefined;
    const poll: Poll = {
      waiters: 1,
      state: undefined,
      closed: undefined,
      changed: Promise.resolve(),
      stop: new AbortController(),
    };
    this.#polls.set(workflowId, poll);
    void this.#follow(workflowId, poll);
    return poll;
  }

  async #follow(workflowId: string, poll: Poll): Promise<void> {
    const { workflowService, connection } = this.#client;
    let token: Uint8Array | undefined;
    let announce: () => void;
    const renew = () => {
      poll.changed = new Promise((resolve) => (announce = resolve));
    };
    renew();
    while (!poll.stop.signal.aborted) {
      try {
        const page = await connection.withAbortSignal(poll.stop.signal, () =>
          workflowService.getWorkflowExecutionHistory({
            namespace: this.#client.options.namespace,
            execution: { workflowId },
            waitNewEvent: true,
            ...(token && { nextPageToken: token }),
          }),
        );
        token = page.nextPageToken?.length ? page.nextPageToken : undefined;
        const events = page.history?.events ?? [];
        const before = poll.state;
        for (const event of events) poll.state = publishedState(event) ?? poll.state;
        // No token: the run is closed, its state is final.
        if (!token) {
          poll.closed = events.at(-1)?.workflowExecutionCompletedEventAttributes ? 'completed' : 'otherwise';
        }
        if (poll.state !== before || poll.closed) {
          announce!();
          renew();
        }
        if (poll.closed) return;
      } catch {
        announce!();
        renew();
        if (!poll.stop.signal.aborted) await settledWithin(new Promise(() => {}), 250);
      }
    }
    announce!();
  }
}

/** The state a history event made visible; undefined for all that change nothing. */
function publishedState(event: temporal.api.history.v1.IHistoryEvent): Versioned['state'] | undefined {
  const payload = event.workflowPropertiesModifiedEventAttributes?.upsertedMemo?.fields?.['state'];
  return payload ? defaultPayloadConverter.fromPayload<Versioned['state']>(payload) : undefined;
}

/** Resolves when the promise settles or the time is over, and leaves no timer behind. */
async function settledWithin(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([promise, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
