import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, describe, expect, test } from '@jest/globals';
import { identify, isRunning } from '../../../../../infra/host/process-identity.ts';
import { endOrphans, runningLauncher } from '../../../../../infra/local/start/orphans.ts';
import { newSecret } from '../../../../../infra/local/start/state.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Starts a process in its own process group, as the launcher does. */
function orphan(script = 'sleep 60'): number {
  const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore' });
  children.push(child);
  return child.pid ?? 0;
}

const secret = newSecret();

describe('a process that a killed launcher left behind', () => {
  test('is ended by its recorded identity', async () => {
    const left = identify(orphan('exec sleep 60'));
    expect(await endOrphans({ secret, processes: [{ ...left, name: 'redis' }] })).toEqual(['redis']);
    expect(isRunning(left)).toBe(false);
  });

  test('is ended even if it is paused', async () => {
    const left = identify(orphan('exec sleep 60'));
    process.kill(left.pid, 'SIGSTOP');
    await endOrphans({ secret, processes: [{ ...left, name: 'node-1' }] });
    expect(isRunning(left)).toBe(false);
  });

  test('is not ended when its pid now belongs to another process', async () => {
    const other = identify(orphan());
    const recorded = { pid: other.pid, started: other.started.replace(/\d+$/, '1'), name: 'postgres' };
    expect(await endOrphans({ secret, processes: [recorded, { pid: other.pid, started: '', name: 'nginx' }] })).toEqual(
      [],
    );
    expect(isRunning(other)).toBe(true);
  });

  test('counts as the launcher only if pid and start time match', () => {
    const launcher = identify(orphan());
    expect(runningLauncher({ secret, launcher, processes: [] })).toBe(launcher.pid);
    expect(runningLauncher({ secret, launcher: { ...launcher, started: 'earlier/1' }, processes: [] })).toBeUndefined();
    expect(runningLauncher(undefined)).toBeUndefined();
  });
});
