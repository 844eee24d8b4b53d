import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { waitForLock } from '../../local/file-lock.js';

const run = promisify(execFile);

export const repository = fileURLToPath(new URL('../..', import.meta.url));
const goModule = fileURLToPath(new URL('compose-spec', import.meta.url));

export interface ComposeService {
  image?: string;
  build?: { context: string; dockerfile: string; target?: string };
  user?: string;
  environment?: Record<string, string | null>;
  read_only?: boolean;
  privileged?: boolean;
  init?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  network_mode?: string;
  pid?: string;
  ipc?: string;
  devices?: unknown[];
  networks?: Record<string, unknown>;
  ports?: { host_ip?: string; target: number; published?: string }[];
  volumes?: {
    type: string;
    source?: string;
    target: string;
    read_only?: boolean;
    bind?: { create_host_path?: boolean };
  }[];
  healthcheck?: { test: string[]; disable?: boolean };
  depends_on?: Record<string, { condition: string }>;
  deploy?: { replicas?: number };
  restart?: string;
  stop_grace_period?: string;
}

export interface ComposeProject {
  services: Record<string, ComposeService>;
  networks: Record<string, { internal?: boolean; external?: boolean }>;
}

/**
 * The program of `compose-spec/`, built once per content of that folder. A first build takes a minute; it needs Go and
 * the Go modules, as the build of the Temporal CLI does.
 */
export async function buildComposeLoader(): Promise<string> {
  const content = ['main.go', 'go.mod', 'go.sum'].map((name) => readFileSync(join(goModule, name)));
  const hash = createHash('sha256').update(Buffer.concat(content)).digest('hex').slice(0, 12);
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'voice-checkout');
  const binary = join(cache, `compose-spec-${hash}`);
  if (existsSync(binary)) return binary;
  mkdirSync(cache, { recursive: true });
  const lock = await waitForLock(`${binary}.lock`, () => {});
  try {
    if (existsSync(binary)) return binary;
    const temporary = `${binary}.${process.pid}.build`;
    await run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', temporary, '.'], {
      cwd: goModule,
      env: { ...process.env, CGO_ENABLED: '0' },
    });
    renameSync(temporary, binary);
    return binary;
  } finally {
    lock.release();
  }
}

/** What Compose makes of the file with these variables and no others. Rejects with Compose's own words. */
export async function loadComposeFile(
  loader: string,
  file: string,
  variables: Readonly<Record<string, string>>,
): Promise<ComposeProject> {
  const { stdout } = await run(loader, [file], { cwd: repository, env: { ...variables } });
  return JSON.parse(stdout) as ComposeProject;
}
