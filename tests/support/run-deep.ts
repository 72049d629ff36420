/**
 * `npm run test:deep`: the tests that take long. On Node 24, which the image runs on, where one can be had; first those that may
 * run beside each other, then those that need the machine for themselves, long property runs, the mutants that unit
 * tests find, and the quick tests once more on Node 24. With arguments, which Jest gets, only the first two.
 */
import { spawnSync } from 'node:child_process';
import { ROOT } from '../../infra/host/paths.ts';
import { node24, whyNoNode24 } from './node-24.ts';

interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** The Node that runs it. Default: Node 24 where there is one. */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
const DEEP = [...JEST, '--config', 'tests/jest.deep.config.mjs', '--passWithNoTests'];

const patterns = process.argv.slice(2);
const missing = whyNoNode24();
if (missing !== undefined && process.env.HOLDFAST_TEST_STRICT === '1')
  throw new Error(`HOLDFAST_TEST_STRICT: ${missing}.`);
const defaultNode = missing === undefined ? node24() : process.execPath;

/** Alerts run in compressed time: a pause of one second is a minute to them, so nothing else may run. Their loads are sized for the Node of the machine. */
const steps: Step[] = [
  {
    name: 'deep tests',
    args: [...DEEP, '--testPathIgnorePatterns', '/node_modules/', '/tests/drills/', '--', ...patterns],
  },
  {
    node: process.execPath,
    name: 'drills',
    args: [...DEEP, '--testPathIgnorePatterns', '/node_modules/', '/tests/deep/', '--', ...patterns],
  },
];
if (patterns.length === 0) {
  const hub = [...JEST, 'tests/unit/server/hub'];
  steps.push({ name: 'long property runs', args: hub, env: { PROPERTY_RUNS: '20000' } });
  steps.push({ name: 'mutants that unit tests find', args: ['--import', 'tsx', 'tests/mutants/main.ts', '--unit'] });
  if (defaultNode !== process.execPath) steps.push({ name: 'quick tests', args: JEST });
}

const results = steps.map(({ name, args, env, node = defaultNode }) => {
  const begin = performance.now();
  console.log(`\n==> ${name}, Node ${node === process.execPath ? process.versions.node : '24'}`);
  const { status } = spawnSync(node, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, HOLDFAST_MACHINE_NODE: process.execPath, ...env },
  });
  return { name, status, seconds: Math.round((performance.now() - begin) / 1000) };
});

console.log('');
for (const { name, status, seconds } of results)
  console.log(`${status === 0 ? 'passed' : 'FAILED'}  ${name} (${seconds} s)`);
if (missing !== undefined) console.log(`skipped: Node 24, since ${missing}`);
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;
