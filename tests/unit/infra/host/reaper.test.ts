import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../../../../infra/host/paths.ts';
import { identify, isRunning } from '../../../../infra/host/process-identity.ts';
import { eventually } from '../../../support/wait.ts';

const HOST = join(ROOT, 'infra', 'host');

/** Starts a watched shell with a child outside its process group, prints pids and directory, then runs `end`. */
const SCRIPT = (end: string) => `
  import { ManagedProcess } from '${join(HOST, 'managed-process.ts')}';
  import { temporaryDirectory } from '${join(HOST, 'reaper.ts')}';
  const directory = temporaryDirectory('reaper-test');
  const args = ['-c', 'setsid sleep 60 & echo $!; wait'];
  const child = await ManagedProcess.start({ name: 'sleep', command: '/bin/sh', args, logFile: directory + '/log' });
  await child.ready(async () => child.output().includes('\\n'), { deadlineMs: 5000 });
  console.log(JSON.stringify({ pids: [child.pid, Number(child.output())], directory }));
  ${end}
`;

async function startOwner(end: string) {
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', SCRIPT(end)], {
    stdio: ['ignore', 'pipe', 'ignore'],
    cwd: ROOT,
  });
  const exited = once(owner, 'exit');
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const { pids, directory } = JSON.parse(line.toString()) as { pids: number[]; directory: string };
  return { owner, exited, processes: pids.map(identify), directory };
}

/** The ways in which the owner of a process can exit. */
const ENDS = [
  ['an ordinary exit', 'setTimeout(() => process.exit(0), 300)'],
  ['an uncaught exception', 'setTimeout(() => { throw new Error("x") }, 300)'],
  ['SIGKILL', 'setTimeout(() => process.kill(process.pid, "SIGKILL"), 300)'],
] as const;

describe('processes and temporary directories end with their owner', () => {
  test.each(ENDS)('after %s', async (_, end) => {
    const { exited, processes, directory } = await startOwner(end);
    expect(processes.every(isRunning)).toBe(true);
    expect(existsSync(directory)).toBe(true);
    await exited;
    await eventually(() => {
      expect(processes.some(isRunning)).toBe(false);
      expect(existsSync(directory)).toBe(false);
    });
  });
});
