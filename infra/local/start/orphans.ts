/**
 * Ends processes that an earlier launcher left running because it was killed. Identifies them by recorded pid and start
 * time, and PostgreSQL also by the lock file of our data directory. Never by name, and never when the identity is
 * uncertain.
 */
import { commandLine, identify, isRunning, type ProcessIdentity } from '../../host/process-identity.ts';
import { killTree } from '../../host/reaper.ts';
import { postmasterPid } from '../servers/postgres-data.ts';
import type { LocalState } from './state.ts';

const GRACE_MS = 5_000;

/** Pid of another launcher that still runs with this state, or undefined. */
export function runningLauncher(state: LocalState | undefined): number | undefined {
  const launcher = state?.launcher;
  return launcher && launcher.pid !== process.pid && isRunning(launcher) ? launcher.pid : undefined;
}

/** Ends the orphans and returns their names. SIGKILL follows after 5 s. */
export async function endOrphans(state: LocalState | undefined): Promise<string[]> {
  const found = (state?.processes ?? []).filter(isRunning);
  const postmaster = await orphanedPostmaster(state?.postgresDirectory);
  if (postmaster && !found.some(({ pid }) => pid === postmaster.pid)) found.push({ ...postmaster, name: 'postgres' });
  // SIGINT makes Postgres shut down fast, and the other programs exit in order. Paused processes must continue first.
  for (const { pid } of found) killTree(pid, 'SIGCONT');
  for (const { pid } of found) signal(pid, 'SIGINT');
  const deadline = performance.now() + GRACE_MS;
  while (found.some(isRunning) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  for (const process of found) if (isRunning(process)) killTree(process.pid, 'SIGKILL');
  return found.map(({ name }) => name);
}

async function orphanedPostmaster(directory: string | undefined): Promise<ProcessIdentity | undefined> {
  const pid = directory === undefined ? undefined : await postmasterPid(directory);
  return pid !== undefined && directory !== undefined && commandLine(pid).includes(directory)
    ? identify(pid)
    : undefined;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process has ended.
  }
}
