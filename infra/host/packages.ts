/**
 * Installs Debian packages with apt-get, if this process is root and HOLDFAST_NO_INSTALL is not set. For the launcher
 * and the test set-up. The installed packages start no service.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeExit, ManagedProcess } from './managed-process.ts';
import { findProgram } from './programs.ts';
import { removeTemporary, temporaryDirectory } from './reaper.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** The reason why packages cannot be installed here, as a clause that follows "…, and". Undefined when they can. */
export function whyNotInstallable(): string | undefined {
  if (process.env.HOLDFAST_NO_INSTALL) return 'HOLDFAST_NO_INSTALL is set';
  if (findProgram('apt-get') === undefined) return 'there is no apt-get';
  if (process.getuid?.() !== 0) return 'only root may install packages';
  return undefined;
}

/**
 * Installs packages. Updates the package lists only if the first attempt fails.
 * @returns undefined when all are installed, otherwise the problem in one line. Never throws.
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

/** Runs apt-get. Returns undefined on success, otherwise its error message. */
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

/**
 * Installs the policy file that stops Debian from starting services of new packages. Returns a function that removes
 * it.
 */
function forbidServices(): () => void {
  if (existsSync(POLICY)) return () => undefined;
  writeFileSync(
    POLICY,
    '#!/bin/sh\n# Written by Holdfast while it installs packages and removed afterwards: keeps services from starting.\nexit 101\n',
    { mode: 0o755 },
  );
  const undo = () => rmSync(POLICY, { force: true });
  process.once('exit', undo);
  return () => {
    process.off('exit', undo);
    undo();
  };
}
