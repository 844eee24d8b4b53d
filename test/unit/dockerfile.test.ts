import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repository } from '../support/compose-file.js';
import { environmentOf, parseDockerfile, valuesOf } from '../support/dockerfile.js';

const read = (path: string) => readFileSync(join(repository, path), 'utf8');
const stages = parseDockerfile(read('Dockerfile'));
const targets = ['api', 'worker'];
const { include } = JSON.parse(read('tsconfig.build.json')) as { include: string[] };
const { scripts } = JSON.parse(read('package.json')) as { scripts: { build: string } };

describe('the Dockerfile', () => {
  it('stands on exact versions of Debian slim, or on its own stages', () => {
    const names = stages.map(({ name }) => name);
    const images = stages.map(({ from }) => from).filter((from) => !names.includes(from));
    expect(images.length).toBeGreaterThan(0);
    for (const image of images) expect(image).toMatch(/^node:\d+\.\d+\.\d+-bookworm-slim$/);
  });

  it('installs exactly what the lock file says, and only production packages in the images', () => {
    const installs = stages.flatMap(({ name, instructions }) =>
      instructions
        .filter(({ value }) => /\bnpm (ci|i|install)\b/.test(value))
        .map(({ value }) => [name, value]),
    );
    expect(installs).toEqual([
      ['build', 'npm ci --ignore-scripts'],
      ['dependencies', 'npm ci --omit=dev --ignore-scripts'],
    ]);
    for (const target of targets) {
      const copies = valuesOf(stages, target, 'COPY');
      expect(copies).toContain('--from=dependencies /app/node_modules node_modules');
      expect(copies).toContain('--from=build /app/dist dist');
    }
  });

  it('builds from every folder that the build compiles, and lets them through to the engine', () => {
    const build = stages.find(({ name }) => name === 'build')?.instructions ?? [];
    const copied = build.filter(({ name }) => name === 'COPY').flatMap(({ value }) => value.split(' '));
    const ignore = read('.dockerignore').split('\n');
    expect(ignore.find((line) => line !== '' && !line.startsWith('#'))).toBe('*');
    for (const folder of include) {
      expect(copied).toContain(folder);
      expect(ignore).toContain(`!${folder}`);
    }
    expect(build.some(({ name, value }) => name === 'RUN' && value === 'npm run build')).toBe(true);
  });

  it('copies by name, never the whole folder, so that no key and no local file gets into a layer', () => {
    const everything = stages.flatMap(({ instructions }) => instructions);
    for (const { name, value } of everything) {
      expect(name).not.toBe('ADD');
      expect(name).not.toBe('ARG');
      if (name === 'COPY') expect(value).not.toMatch(/(^|\s)(\.|\.\/|\*)\s/);
      if (name === 'ENV') expect(value).not.toMatch(/SECRET|TOKEN|PASSWORD|_KEY|_SID/);
      if (name === 'COPY') expect(value).not.toMatch(/\.env|keys|tenants/);
    }
  });

  it.each(targets)('runs the %s as a user without rights, which owns no file of the image', (target) => {
    expect(valuesOf(stages, target, 'USER').at(-1)).toBe('1000:1000');
    for (const copy of valuesOf(stages, target, 'COPY')) expect(copy).not.toContain('--chown');
    expect(valuesOf(stages, target, 'RUN')).toEqual([]);
  });

  it.each(targets)('asks the %s for its readiness and stops it by SIGTERM', (target) => {
    expect(valuesOf(stages, target, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    const [check = ''] = valuesOf(stages, target, 'HEALTHCHECK');
    const port = target === 'api' ? 'PORT' : 'HEALTH_PORT';
    expect(check).toContain('CMD ["node", "-e"');
    expect(check).toContain(`process.env.${port} + '/readyz'`);
    expect(Number(environmentOf(stages, target)[port])).toBeGreaterThan(1023);
  });

  it('starts what the build makes', () => {
    expect(valuesOf(stages, 'api', 'CMD')).toEqual(['["node", "dist/api/main.js"]']);
    expect(valuesOf(stages, 'worker', 'CMD')).toEqual(['["node", "dist/workers/main.js"]']);
    const bundle = environmentOf(stages, 'worker')['WORKFLOW_BUNDLE'] ?? '';
    expect(scripts.build).toContain(bundle.replace('/app/', ''));
  });
});
