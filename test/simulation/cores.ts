import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { generateScenario } from './generate.js';
import type { Summary } from './report.js';
import { loadCode, simulate } from './simulate.js';
import type { WorkflowCode } from './world.js';

interface Block {
  from: number;
  to: number;
}

/** Seeds that a process takes at once: few enough that all of them end at about the same time. */
const blockSize = 25;

/** One after the other, until one of those who hear of it wants no more. */
async function simulateHere(
  { from, to }: Block,
  code: WorkflowCode,
  told: (summary: Summary) => boolean,
): Promise<void> {
  for (let seed = from; seed <= to; seed++) {
    const { violation, counts, duration } = await simulate(generateScenario(seed), code);
    if (told({ seed, counts, duration, ...(violation && { message: violation.message }) })) return;
  }
}

/**
 * Simulates the seeds `from` to `to` in so many processes. `told` hears of each schedule, in no order; true ends it all.
 * Throws when a process breaks down.
 */
export async function simulateOnCores(
  { from, to }: Block,
  cores: number,
  told: (summary: Summary) => boolean,
): Promise<void> {
  // A second process would cost seconds of loading.
  if (cores === 1) return simulateHere({ from, to }, await loadCode(), told);
  let next = from;
  const take = (): Block | undefined => {
    if (next > to) return undefined;
    const block = { from: next, to: Math.min(to, next + blockSize - 1) };
    next = block.to + 1;
    return block;
  };
  const children: ChildProcess[] = [];
  let over = false;
  const worked = Array.from({ length: cores }, () => {
    const child = fork(fileURLToPath(import.meta.url));
    children.push(child);
    return new Promise<void>((resolve, reject) => {
      const give = () => {
        const block = take();
        if (block) child.send(block);
        else child.disconnect();
      };
      child.on('message', (message: Summary | 'ready') => {
        if (message === 'ready') give();
        else if (!over && told(message)) {
          over = true;
          children.forEach((one) => one.kill('SIGKILL'));
        }
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        if (code === 0 || over) resolve();
        else reject(new Error(`a process of the simulation ended with ${String(code ?? signal)}`));
      });
    });
  });
  await Promise.all(worked);
}

/** What each of the processes does. */
async function work(tell: (message: Summary | 'ready') => void): Promise<void> {
  const code = await loadCode();
  process.on('message', (block: Block) => {
    void (async () => {
      await simulateHere(block, code, (summary) => {
        tell({ ...summary, counts: [...summary.counts] });
        return false;
      });
      tell('ready');
    })();
  });
  tell('ready');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await work((message) => process.send?.(message));
