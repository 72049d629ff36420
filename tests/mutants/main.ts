/**
 * `npm run mutants`: plants one bug after the other in a copy of the sources and runs its tests there. They must go red.
 * Exit code 1: a test stayed green, so it proves nothing. The working tree is never touched.
 */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { ROOT } from '../../infra/host/paths.ts';
import { runCommand } from '../../infra/host/run-command.ts';
import { MUTANTS } from './all.ts';
import { applyMutant, type Mutant } from './mutant.ts';

const JEST = 'node_modules/jest/bin/jest.js';
const TIMEOUT_MS = 420_000;

interface Options {
  readonly json: boolean;
  readonly unit: boolean;
}

interface Verdict {
  readonly bug: Mutant;
  /** `red` is what is wanted; `broken`: no test ran, which proves nothing either. */
  readonly verdict: 'red' | 'GREEN' | 'broken';
  readonly seconds: number;
}

/** A copy of what git knows and what it would add, with this tree's packages. */
function copySources(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-mutant-'));
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 64e6 } as const;
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], options);
  for (const path of list.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    cpSync(join(ROOT, path), join(directory, path));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

/** Applies the bug, and returns what takes it out again. @throws Error when its text is not there exactly once */
function plant(directory: string, bug: Mutant): () => void {
  const path = join(directory, bug.file);
  const source = readFileSync(path, 'utf8');
  writeFileSync(path, applyMutant(bug, source));
  return () => writeFileSync(path, source);
}

function runTests(directory: string, { tests, name }: Mutant): Promise<Verdict['verdict']> {
  const report = join(directory, 'mutant.json');
  rmSync(report, { force: true });
  const args = ['--experimental-vm-modules', JEST, '--json', `--outputFile=${report}`, '--forceExit'];
  if (/^tests\/(deep|drills)\//.test(tests)) args.push('--config', 'tests/jest.deep.config.mjs');
  if (name !== undefined) args.push('-t', name);
  args.push('--', tests);
  return new Promise((resolve) => {
    const options = {
      cwd: directory,
      env: { ...process.env, HOLDFAST_TEST_STRICT: '1' },
      timeout: TIMEOUT_MS,
      maxBuffer: 64e6,
    };
    execFile(process.execPath, args, options, () => {
      try {
        const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
        if (numFailedTests) resolve('red');
        else resolve(numPassedTests ? 'GREEN' : 'broken');
      } catch {
        // No report: the tests hung until they were ended, or did not start.
        resolve('broken');
      }
    });
  });
}

async function tryOut(directory: string, bug: Mutant): Promise<Verdict> {
  const begin = performance.now();
  const restore = plant(directory, bug);
  const verdict = await runTests(directory, bug);
  restore();
  return { bug, verdict, seconds: (performance.now() - begin) / 1000 };
}

async function plantAll(filter: string | undefined, { json, unit }: Options): Promise<void> {
  const bugs = MUTANTS.filter(
    ({ part, bug, tests }) =>
      (!filter || `${part}: ${bug}`.includes(filter)) && (!unit || tests.startsWith('tests/unit/')),
  );
  const directory = copySources();
  const verdicts: Verdict[] = [];
  try {
    for (const bug of bugs) {
      process.stderr.write(`${bug.part}: ${bug.bug} ... `);
      const verdict = await tryOut(directory, bug);
      process.stderr.write(`${verdict.verdict} after ${Math.round(verdict.seconds)} s\n`);
      verdicts.push(verdict);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  print(verdicts, json);
  if (verdicts.some(({ verdict }) => verdict !== 'red')) process.exitCode = 1;
}

function print(verdicts: readonly Verdict[], json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(verdicts, null, 2)}\n`);
    return;
  }
  const table = new Table({ head: ['part', 'bug', 'tests', ''], style: { head: [], border: [] } });
  for (const { bug, verdict } of verdicts) table.push([bug.part, bug.bug, bug.tests, verdict]);
  process.stdout.write(`${table.toString()}\n`);
}

const program = new Command('mutants')
  .description('Plants known bugs in a copy of the sources, one at a time, and shows that the tests notice.')
  .argument('[filter]', 'only those whose part and description contain this text')
  .option('--json', 'the verdicts as JSON on stdout', false)
  .option('--unit', 'only those that unit tests find: a few seconds each', false)
  .action(plantAll);
await runCommand(() => program.parseAsync());
