/** `npm run simulate`: exit codes, JSON and SVG output. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ROOT } from '../../../../infra/host/paths.ts';
import { removeTemporary, temporaryDirectory } from '../../../../infra/host/reaper.ts';

let directory: string;
beforeAll(() => {
  directory = temporaryDirectory('simulate');
});
afterAll(() => removeTemporary(directory));

function simulate(...args: string[]) {
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 64e6 } as const;
  return spawnSync(process.execPath, ['--import', 'tsx', 'infra/simulate/main.ts', ...args], options);
}

test('a good policy: charts, summary, exit code 0', () => {
  const { status, stdout } = simulate('--curve', 'storm', '--environment', 'staging');
  expect(status).toBe(0);
  expect(stdout).toContain('connections of the fullest task');
  expect(stdout).toMatch(/verdict\s+│ good/);
});

test('writes JSON and an SVG chart', () => {
  const file = join(directory, 'day.svg');
  const { status, stdout } = simulate('--json', '--svg', file);
  expect(status).toBe(0);
  const { summary, minutes, actions } = JSON.parse(stdout);
  expect(minutes).toHaveLength(24 * 60);
  expect(actions).toHaveLength(summary.scaleOuts + summary.scaleIns);
  const svg = readFileSync(file, 'utf8');
  expect(svg).toMatch(/^<svg/);
  for (const text of ['connections per task', 'fullest', 'target', 'limit']) expect(svg).toContain(text);
});

test('a load above all limits: exit code 1', () => {
  expect(simulate('--curve', 'flat', '--peak', '2000000').status).toBe(1);
});

test.each([
  [['--curve', 'week'], /Allowed choices are day, flat, storm, ramp/],
  [['--environment', 'production'], /Allowed choices are dev, staging, prod/],
  [['--peak', 'many'], /a number, at least 1/],
])('%j is wrong usage: exit code 2', (args, message) => {
  const { status, stderr } = simulate(...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
});
