import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { simulateOnCores } from './cores.js';
import { coverageTable } from './coverage.js';
import { generateScenario } from './generate.js';
import { Report } from './report.js';
import { shrink } from './shrink.js';
import { loadCode, type Outcome, simulate } from './simulate.js';

const usage = `Runs seeded schedules of the whole product in virtual time, and checks what must always hold.

  npm run simulate -- --seeds 100000 [--from 1]     many schedules; prints the seeds that fail
  npm run simulate -- --seed 78 --story             one schedule, told line by line
  npm run simulate -- --seed 78 --shrink            a failing one, cut to what matters
  npm run simulate -- --first                       stops at the first seed that fails
  npm run simulate -- --cores 1                     one process; all cores if not given`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    story: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
    cores: { type: 'string', default: String(availableParallelism()) },
    first: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function tell({ scenario, story }: Outcome): void {
  console.log(JSON.stringify(scenario, undefined, 1));
  console.log(story);
}

async function main(): Promise<void> {
  if (values.help) return console.log(usage);
  if (values.seed !== undefined) {
    const code = await loadCode();
    let outcome = await simulate(generateScenario(Number(values.seed)), code, { traces: true });
    if (values.shrink && outcome.violation) outcome = await shrink(outcome, code);
    if (values.story || outcome.violation) tell(outcome);
    console.log(outcome.violation?.stack ?? 'nothing is wrong');
    process.exitCode = outcome.violation ? 1 : 0;
    return;
  }
  const from = Number(values.from);
  const to = from + Number(values.seeds) - 1;
  const report = new Report();
  await simulateOnCores({ from, to }, Number(values.cores), (summary) => {
    report.add(summary);
    if (report.schedules % 1_000 === 0) console.error(report.progress());
    if (summary.message === undefined) return false;
    console.log(`seed ${summary.seed}: ${summary.message.split('\n')[0] ?? ''}`);
    return values.first;
  });
  console.log(coverageTable(report.counts));
  console.log(`${report.line()}, seeds ${from} to ${to}, on ${values.cores} cores`);
  process.exitCode = report.violations.length > 0 ? 1 : 0;
}

await main();
