/**
 * A PostgreSQL data directory: made once, complete or not at all, and freed of what a killed server left in it.
 * Never deletes data: it only removes unfinished new directories and lock files whose owner is gone.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeExit, ManagedProcess } from '../../host/managed-process.ts';
import { commandLine } from '../../host/process-identity.ts';
import { canEnter, giveTo, type User } from '../../host/unprivileged.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';

/** The database role that owns everything. */
export const ROLE = 'holdfast';

const PASSWORD_FILE = 'holdfast.password';

/**
 * Makes sure that `directory` is a data directory and returns the role's password.
 * @throws Error when initdb fails, when the user cannot get to the directory, or when another server uses it
 */
export async function prepareData(
  binaries: PostgresBinaries,
  directory: string,
  user: User | undefined,
  logFile: string,
): Promise<string> {
  await mkdir(dirname(directory), { recursive: true });
  if (!canEnter(user, dirname(directory))) {
    throw new Error(`The user ${user?.name} cannot get to ${directory}: a directory above it is closed to others.`);
  }
  if (!existsSync(join(directory, 'PG_VERSION'))) await create(binaries, directory, user, logFile);
  await freeLock(directory);
  return (await readFile(join(directory, PASSWORD_FILE), 'utf8')).trim();
}

/** Made beside its place and moved there when finished: an interrupted start leaves nothing half-made behind. */
async function create(
  binaries: PostgresBinaries,
  directory: string,
  user: User | undefined,
  logFile: string,
): Promise<void> {
  const fresh = `${directory}.new`;
  const passwordFile = `${directory}.password`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  giveTo(user, fresh);
  giveTo(user, passwordFile);
  const initdb = await ManagedProcess.start({
    name: 'initdb',
    command: binaries.initdb,
    // Not synced here: nothing is lost if a machine dies before the first start. The server itself runs with fsync on.
    args: [
      '-D',
      fresh,
      '-U',
      ROLE,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
    ],
    cwd: dirname(directory),
    user,
    logFile,
  });
  const exit = await initdb.exited;
  if (exit.code !== 0) {
    await rm(passwordFile, { force: true });
    throw new Error(`initdb failed (${describeExit(exit)}):\n${initdb.tail()}`);
  }
  await rename(passwordFile, join(fresh, PASSWORD_FILE));
  await rename(fresh, directory);
}

/**
 * A killed server leaves its lock file. Postgres takes it for valid when its pid runs again as anything else of this
 * user, which is likely in containers, so the file is removed unless that process really serves this directory.
 */
async function freeLock(directory: string): Promise<void> {
  const pid = await postmasterPid(directory);
  if (pid === undefined) return;
  if (commandLine(pid).includes(directory))
    throw new Error(`A PostgreSQL server (pid ${pid}) already uses ${directory}.`);
  if (existsSync('/proc/self')) await rm(join(directory, 'postmaster.pid'), { force: true });
}

/** The pid that the directory's lock file names, dead or alive. */
export async function postmasterPid(directory: string): Promise<number | undefined> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  return pid > 0 ? pid : undefined;
}
