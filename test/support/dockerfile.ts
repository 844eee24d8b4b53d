/** One instruction of a Dockerfile, continued lines joined. */
export interface Instruction {
  name: string;
  value: string;
}

export interface Stage {
  name: string;
  from: string;
  instructions: Instruction[];
}

/** The stages of a Dockerfile, in order. Enough of the syntax for our own file: no heredocs, no escape directive. */
export function parseDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  for (const line of lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')) {
    const match = /^([A-Z]+)\s+(.*)$/.exec(line);
    if (!match) throw new Error(`not an instruction: ${line}`);
    const [, name = '', value = ''] = match;
    if (name === 'FROM') {
      const from = /^(\S+)\s+AS\s+(\S+)$/.exec(value);
      if (!from) throw new Error(`a stage without a name: ${line}`);
      stages.push({ from: from[1] ?? '', name: from[2] ?? '', instructions: [] });
    } else {
      const stage = stages.at(-1);
      if (!stage) throw new Error(`before the first FROM: ${line}`);
      stage.instructions.push({ name, value });
    }
  }
  return stages;
}

/** All instructions that make the image of a target, those of the stages it stands on first. */
export function instructionsOf(stages: readonly Stage[], target: string): Instruction[] {
  const stage = stages.find(({ name }) => name === target);
  if (!stage) return [];
  return [...instructionsOf(stages, stage.from), ...stage.instructions];
}

/** The values of one instruction in the image of a target. */
export function valuesOf(stages: readonly Stage[], target: string, name: string): string[] {
  return instructionsOf(stages, target)
    .filter((instruction) => instruction.name === name)
    .map(({ value }) => value);
}

/** The environment that the image of a target sets. */
export function environmentOf(stages: readonly Stage[], target: string): Record<string, string> {
  const pairs = valuesOf(stages, target, 'ENV').flatMap((value) => value.split(/\s+/));
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}
