import { styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

/** A place for lines: stdout for people, stderr where stdout carries a result. */
export interface LineSink {
  write(text: string): unknown;
  isTTY?: boolean;
}

/** Lines about what is being done, so that a start that takes minutes is seen to live. */
export interface Progress {
  step(text: string): void;
  detail(text: string): void;
  warn(text: string): void;
  fail(text: string): void;
  /** A line that is overwritten on a terminal, and repeated every 15 s where there is none. */
  live(text: string): void;
}

const liveEveryMs = 15_000;

export function styled(sink: LineSink, style: Style, text: string): string {
  const colours = sink.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  return colours ? styleText(style, text) : text;
}

export function createProgress(sink: LineSink = process.stdout): Progress {
  let liveShown = false;
  let lastLive = 0;
  const line = (text: string): void => {
    sink.write(`${liveShown ? '\r\x1b[K' : ''}${text}\n`);
    liveShown = false;
  };
  return {
    step: (text) => line(`${styled(sink, 'green', '•')} ${text}`),
    detail: (text) => line(styled(sink, 'dim', `  ${text}`)),
    warn: (text) => line(`${styled(sink, 'yellow', '!')} ${text}`),
    fail: (text) => line(`${styled(sink, 'red', '✗')} ${text}`),
    live: (text) => {
      if (sink.isTTY === true) {
        sink.write(`\r\x1b[K  ${text}`);
        liveShown = true;
      } else if (Date.now() - lastLive >= liveEveryMs) {
        lastLive = Date.now();
        line(`  ${text}`);
      }
    },
  };
}

export const silentProgress: Progress = {
  step: () => undefined,
  detail: () => undefined,
  warn: () => undefined,
  fail: () => undefined,
  live: () => undefined,
};

export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch() hides the reason (ENOTFOUND, ECONNREFUSED) in the cause.
  const cause = error.cause instanceof Error ? error.cause.message || error.cause.name : undefined;
  return cause && cause !== error.message ? `${error.message} (${cause})` : error.message || error.name;
}
