import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { ManagedProcess } from '../../../../infra/host/managed-process.ts';
import { identify, isRunning } from '../../../../infra/host/process-identity.ts';
import { eventually } from '../../../support/wait.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

function shell(script: string): Promise<ManagedProcess> {
  return ManagedProcess.start({
    name: 'script',
    command: '/bin/sh',
    args: ['-c', script],
    logFile: join(directory, 'script.log'),
  });
}

describe('a managed process', () => {
  test('stops on the requested signal, and its output is kept', async () => {
    const process = await shell('trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.02; done');
    await process.ready(async () => process.output().includes('up'), { deadlineMs: 5_000 });
    expect(await process.stop('SIGTERM', 5_000)).toEqual({ code: 3, signal: null });
    expect(process.tail()).toBe('up\nbye');
  });

  test('that ignores the signal is killed after the deadline, with its children', async () => {
    const process = await shell('trap "" TERM; sleep 60 & echo "$!"; while :; do sleep 0.02; done');
    await process.ready(async () => process.output().includes('\n'), { deadlineMs: 5_000 });
    const child = identify(Number(process.output()));
    expect(isRunning(child)).toBe(true);
    expect((await process.stop('SIGTERM', 100)).signal).toBe('SIGKILL');
    // stop() waits for the process itself. The kernel ends the child a moment later.
    await eventually(() => expect(isRunning(child)).toBe(false));
  });

  test('that is paused still exits in order', async () => {
    const process = await shell('trap "exit 0" TERM; echo up; while :; do sleep 0.02; done');
    await process.ready(async () => process.output().includes('up'), { deadlineMs: 5_000 });
    process.kill('SIGSTOP');
    expect((await process.stop('SIGTERM', 5_000)).code).toBe(0);
  });

  test('that ends before it is ready is reported with its last output', async () => {
    const process = await shell('echo "the disk is full" >&2; exit 7');
    const ready = process.ready(async () => false, { deadlineMs: 5_000 });
    await expect(ready).rejects.toThrow(/script ended before it was ready \(code 7\).*\n.*the disk is full/);
  });

  test('that never becomes ready is reported after the deadline', async () => {
    const process = await shell('echo waiting; sleep 60');
    await expect(process.ready(async () => false, { deadlineMs: 100 })).rejects.toThrow('was not ready within 0.1 s');
    await process.stop('SIGKILL');
  });

  test('stops waiting for readiness on abort', async () => {
    const process = await shell('sleep 60');
    const controller = new AbortController();
    const ready = process.ready(async () => false, { deadlineMs: 5_000, signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(ready).rejects.toThrow('enough');
    await process.stop('SIGKILL');
  });

  test('that cannot be executed is an error that names the program', async () => {
    const start = ManagedProcess.start({
      name: 'ghost',
      command: '/nonexistent/ghost',
      args: [],
      logFile: join(directory, 'ghost.log'),
    });
    await expect(start).rejects.toThrow('ghost cannot be started');
  });
});
