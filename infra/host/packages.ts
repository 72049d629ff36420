/**
 * Installs Debian packages where that is possible and allowed: as root, with apt-get, and unless HOLDFAST_NO_INSTALL
 * is set. Used by the launcher and the test set-up, never by the library. Never leaves a service running.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeExit, ManagedProcess } from './managed-process.ts';
import { findProgram } from './programs.ts';
import { removeTemporary, temporaryDirectory } from './reaper.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** Why packages cannot be installed here, worded to follow "…, and"; undefined when they can. */
export function whyNotInstallable(): string | undefined {
  if (process.env.HOLDFAST_NO_INSTALL) return 'HOLDFAST_NO_INSTALL is set';
  if (findProgram('apt-get') === undefined) return 'there is no apt-get';
  if (process.getuid?.() !== 0) return 'only root may install packages';
  return undefined;
}

/**
 * Installs packages; the package lists are fetched only if it does not work without.
 * @returns undefined when all are installed, else what went wrong in one line. Never throws.
 */
export async function installPackages(
  names: readonly string[],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const until: Until = { deadline: performance.now() + timeoutMs, signal };
  const allowed = forbidServices();
  const logs = temporaryDirectory('apt');
  const install = ['install', '-y', '--no-install-recommends', ...names];
  try {
    if ((await aptGet(install, logs, until)) === undefined) return undefined;
    return (await aptGet(['update'], logs, until)) ?? (await aptGet(install, logs, until));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    removeTemporary(logs);
    allowed();
  }
}

interface Until {
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** Undefined when it worked, else its complaint. */
async function aptGet(args: readonly string[], logs: string, { deadline, signal }: Until): Promise<string | undefined> {
  const apt = await ManagedProcess.start({
    name: 'apt-get',
    command: 'apt-get',
    args: [
      '-q',
      '-o',
      'DPkg::Lock::Timeout=60',
      '-o',
      'Acquire::Retries=1',
      '-o',
      'Acquire::http::Timeout=20',
      ...args,
    ],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    logFile: join(logs, 'apt.log'),
  });
  const stop = () => void apt.stop('SIGTERM', 5_000);
  const timer = setTimeout(stop, Math.max(0, deadline - performance.now()));
  signal?.addEventListener('abort', stop);
  const exit = await apt.exited;
  clearTimeout(timer);
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  if (exit.code === 0) return undefined;
  if (performance.now() >= deadline) return `apt-get ${args[0]} took too long`;
  const complaint = apt.output().match(/^E: .*$/m)?.[0];
  return `apt-get ${args[0]} failed: ${complaint ?? describeExit(exit)}`;
}

/** Debian starts a service when its package is installed, unless this file says no. Returns what undoes it. */
function forbidServices(): () => void {
  if (existsSync(POLICY)) return () => undefined;
  writeFileSync(
    POLICY,
    '#!/bin/sh\n# Made by Holdfast while it installs packages, and removed after: no service may start.\nexit 101\n',
    { mode: 0o755 },
  );
  const undo = () => rmSync(POLICY, { force: true });
  process.once('exit', undo);
  return () => {
    process.off('exit', undo);
    undo();
  };
}
