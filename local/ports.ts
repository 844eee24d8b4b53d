import { randomInt } from 'node:crypto';
import { createServer, connect } from 'node:net';
import { isRecord, readJson, writeJson } from './files.js';

export const loopback = '127.0.0.1';

export interface Ports {
  temporal: number;
  ui: number;
  api: number;
  local: number;
}

/** With that of the stand-ins' SMTP server, which no URL of the system names. */
export interface ChosenPorts extends Ports {
  smtp: number;
}

/** 0: any free one, because nobody types it. */
export const preferredPorts: ChosenPorts = { temporal: 7233, ui: 8233, api: 3000, local: 3001, smtp: 0 };

/**
 * Ports stay the same from start to start (kept in `file`), because links in sent messages name them. A busy one is
 * replaced; `replaced` says so.
 */
export async function choosePorts(
  file: string,
  wanted: readonly (keyof ChosenPorts)[],
  replaced: (name: keyof ChosenPorts, busy: number, chosen: number) => void,
  isFree: (port: number) => Promise<boolean> = portIsFree,
): Promise<ChosenPorts> {
  const saved = savedPorts(file);
  const chosen = { ...preferredPorts, ...saved };
  const taken = new Set<number>();
  for (const name of wanted) {
    const first = chosen[name];
    const candidates = [first, ...around(preferredPorts[name])].filter((candidate) => candidate !== 0);
    let port: number | undefined;
    for (const candidate of candidates) {
      if (!taken.has(candidate) && (await isFree(candidate))) {
        port = candidate;
        break;
      }
    }
    while (port === undefined || taken.has(port)) port = await freePort();
    if (first !== 0 && port !== first) replaced(name, first, port);
    chosen[name] = port;
    taken.add(port);
  }
  writeJson(file, chosen);
  return chosen;
}

/** With a few neighbours, so that a second copy gets a port that people recognise. */
function around(port: number): number[] {
  return port === 0 ? [] : [0, 10, 20, 30].map((step) => port + step);
}

function savedPorts(file: string): Partial<ChosenPorts> {
  const value = readJson(file);
  if (!isRecord(value)) return {};
  const ports: Partial<ChosenPorts> = {};
  for (const name of Object.keys(preferredPorts) as (keyof ChosenPorts)[]) {
    const port = value[name];
    if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536) ports[name] = port;
  }
  return ports;
}

/** Free to bind on loopback, and nobody answers there (a listener on another interface or family may not collide). */
export async function portIsFree(port: number): Promise<boolean> {
  return !(await portAnswers(loopback, port, 300)) && (await canListen(port));
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, loopback, () => server.close(() => resolve(true)));
  });
}

export function portAnswers(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/**
 * Outside what the system gives to whoever asks for any port (from 32768 on at Linux, 49152 elsewhere): connections and
 * Temporal's inner services take those, also between this choice and the moment the port's owner listens.
 */
const firstFree = 10_000;
const endFree = 32_768;
const given = new Set<number>();

/** One that nobody has; never the same twice in this process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const port = randomInt(firstFree, endFree);
    if (given.has(port)) continue;
    given.add(port);
    if (await portIsFree(port)) return port;
  }
  throw new Error('no free port');
}
