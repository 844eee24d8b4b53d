import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { isRecord } from '../files.js';
import type { Progress } from '../terminal.js';
import { checkCli, cliVersion } from './cli-version.js';

/** No network must be known at once; a slow but moving download may take its time. */
const connectMs = 3_000;
const stallMs = 20_000;

const platforms: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'darwin' };
const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Fetches the official archive for this machine, the way the SDKs do, and puts the binary at `target`. Throws with the reason. */
export async function downloadCli(target: string, progress: Progress): Promise<void> {
  const platform = platforms[process.platform];
  const arch = architectures[process.arch];
  if (!platform || !arch) throw new Error(`no official build for ${process.platform} ${process.arch}`);
  const info = await fetchWithin(
    `https://temporal.download/cli/v${cliVersion}?arch=${arch}&platform=${platform}`,
    connectMs,
  );
  const { archiveUrl, fileToExtract } = archiveOf(await info.json());
  const folder = await mkdtemp(join(dirname(target), 'download-'));
  try {
    const archive = join(folder, 'archive.tar.gz');
    await fetchToFile(archiveUrl, archive, progress);
    await promisify(execFile)('tar', ['-xzf', archive, '-C', folder, fileToExtract]);
    const binary = join(folder, fileToExtract);
    await chmod(binary, 0o755);
    const checked = await checkCli(binary);
    if (!checked.ok) throw new Error(`the downloaded binary ${checked.reason}`);
    await rename(binary, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function archiveOf(value: unknown): { archiveUrl: string; fileToExtract: string } {
  const { archiveUrl, fileToExtract } = isRecord(value) ? value : {};
  if (typeof archiveUrl !== 'string' || !archiveUrl.startsWith('https://')) {
    throw new Error('the download service names no archive');
  }
  // The name goes to tar and into a path: nothing but a plain file name is taken.
  if (typeof fileToExtract !== 'string' || !/^[\w.-]+$/.test(fileToExtract)) {
    throw new Error('the download service names no file');
  }
  return { archiveUrl, fileToExtract };
}

async function fetchWithin(url: string, timeoutMs: number): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`HTTP ${response.status} from ${new URL(url).host}`);
  return response;
}

async function fetchToFile(url: string, file: string, progress: Progress): Promise<void> {
  const stalled = new AbortController();
  let timer = setTimeout(() => stalled.abort(new Error('no answer')), connectMs);
  try {
    const response = await fetch(url, { signal: stalled.signal });
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status} from ${new URL(url).host}`);
    const total = Number(response.headers.get('content-length') ?? 0);
    let received = 0;
    const counted = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          clearTimeout(timer);
          timer = setTimeout(() => stalled.abort(new Error('the download stalled')), stallMs);
          received += chunk.byteLength;
          progress.live(
            `downloading Temporal CLI ${cliVersion}: ${megabytes(received)} of ${megabytes(total)}`,
          );
          controller.enqueue(chunk);
        },
      }),
    );
    await pipeline(Readable.fromWeb(counted), createWriteStream(file));
  } finally {
    clearTimeout(timer);
  }
}

function megabytes(bytes: number): string {
  return bytes === 0 ? '? MB' : `${Math.round(bytes / 1e6)} MB`;
}
