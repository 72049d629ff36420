/** Comments, documents, alerts and messages against the writing rules of `.github/CONTRIBUTING.md`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../../infra/host/paths.ts';
import { proseProblems } from '../support/prose.ts';

/** Generated from texts that are checked, not ours, or made of the phrases themselves. */
const EXCEPT =
  /^(LICENSE|package-lock\.json|dashboards\/out\/|tests\/mutants\/.*-mutants\.ts|\.github\/CONTRIBUTING\.md|tests\/support\/prose\.ts|tests\/unit\/support\/prose\.test\.ts)/;
const CHECKED = /\.(ts|mjs|js|md|sql|yaml|yml|html|css|py|conf)$|Dockerfile$|^\.ci\/run$/;

test('no phrase that the writing rules exclude', () => {
  const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  const found = tracked
    .trim()
    .split('\n')
    .filter((path) => CHECKED.test(path) && !EXCEPT.test(path) && existsSync(join(ROOT, path)))
    .flatMap((path) =>
      proseProblems(readFileSync(join(ROOT, path), 'utf8'), path.endsWith('.md')).map(
        ({ line, text, advice }) => `${path}:${line}: "${text}": ${advice}`,
      ),
    );
  expect(found).toEqual([]);
});
