import { setTimeout as sleep } from 'node:timers/promises';
import { portAnswers } from './ports.js';

/** Tries until it is true; gives up at the deadline or when `failed` names a reason (the process keeps dying). */
export async function waitUntil(
  what: string,
  ready: () => Promise<boolean>,
  options: { timeoutMs: number; failed?: () => string | undefined; signal?: AbortSignal },
): Promise<void> {
  const until = Date.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    if (await ready()) return;
    const reason = options.failed?.();
    if (reason) throw new Error(reason);
    if (Date.now() > until) {
      throw new Error(`${what} did not become ready within ${Math.round(options.timeoutMs / 1000)} s`);
    }
    await sleep(50);
  }
}

export async function tcpReady(address: string): Promise<boolean> {
  const { host, port } = splitAddress(address);
  return portAnswers(host, port, 500);
}

export async function httpReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

export function splitAddress(address: string): { host: string; port: number } {
  const { hostname, port } = new URL(`tcp://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}
