/** Every mutant still applies, and names tests that exist. `npm run mutants` shows that those tests fail. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../../infra/host/paths.ts';
import { MUTANTS } from '../mutants/all.ts';
import { applyMutant } from '../mutants/mutant.ts';

const TEST_FILES = readdirSync(join(ROOT, 'tests'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => `tests/${path}`);
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('mutants', () => {
  test.each(MUTANTS.map((mutant) => [`${mutant.part}: ${mutant.bug}`, mutant] as const))('%s', (_, mutant) => {
    const source = read(mutant.file);
    expect(applyMutant(mutant, source)).not.toBe(source);
    const files = TEST_FILES.filter((path) => path.includes(mutant.tests));
    expect(files).not.toEqual([]);
    const { name } = mutant;
    if (name !== undefined) expect(files.some((path) => new RegExp(name).test(read(path)))).toBe(true);
  });

  test('have names of their own', () => {
    const names = MUTANTS.map(({ part, bug }) => `${part}: ${bug}`);
    expect(new Set(names).size).toBe(names.length);
  });
});
