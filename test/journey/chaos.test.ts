import { expect, it } from 'vitest';
import { chaosRun } from '../chaos/chaos-size.js';
import { chaosTenants, runChaos } from '../chaos/run-chaos.js';
import { useSystem } from '../support/system.js';

const options = chaosRun(process.env['CHAOS']);
const system = useSystem({ workers: 2, tenants: chaosTenants });

it(
  'charges each caller once or not at all, and gives back what was asked, whatever fails and whoever is killed',
  async () => {
    const { summary, stories } = await runChaos(system, options);
    console.log(summary);
    expect(stories.length, `${summary}\n\n${stories.join('\n\n')}\n\n`).toBe(0);
  },
  options.timeoutMs,
);
