/** A command ends once it has printed its result, with its exit code and all of its output. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../../../../infra/host/paths.ts';

const BYTES = 1_000_000;
/** Exit code of a command that waits for its open timer. */
const WAITED = 99;

function run(body: string) {
  const module = join(ROOT, 'infra', 'host', 'run-command.ts');
  const script = `import { runCommand } from ${JSON.stringify(module)}; import { createServer } from 'node:net'; ${body}`;
  return spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 4 * BYTES,
    timeout: 30_000,
  });
}

test('a command with an open server and a timer ends, and its output is complete', () => {
  const { status, signal, stdout } = run(`
    await runCommand(async () => {
      createServer().listen(0, '127.0.0.1');
      setTimeout(() => process.exit(${WAITED}), 5_000);
      process.stdout.write('x'.repeat(${BYTES}));
      process.exitCode = 3;
    });`);
  expect({ status, signal, length: stdout.length }).toEqual({ status: 3, signal: null, length: BYTES });
});

test('a command that fails prints the message and ends with 1', () => {
  const { status, stderr } = run(`await runCommand(async () => { throw new Error('no such file'); });`);
  expect({ status, stderr }).toEqual({ status: 1, stderr: 'no such file\n' });
});
