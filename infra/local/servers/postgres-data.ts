/**
 * A PostgreSQL data directory: creates it completely or not at all, and removes the lock file of a killed server. Never
 * deletes data: it removes only unfinished new directories, and lock files whose owner has ended.
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
 * Creates the data directory if necessary, and returns the password of the role.
 * @throws Error when initdb fails, when the user cannot reach the directory, or when another server uses it
 */
export async function prepareData(
  binaries: PostgresBinaries,
  directory: string,
  user: User | undefined,
  logFile: string,
): Promise<string> {
  await mkdir(dirname(directory), { recursive: true });
  if (!canEnter(user, dirname(directory))) {
    throw new Error(`The user ${user?.name} cannot reach ${directory}: a directory above it is closed to other users.`);
  }
  if (!existsSync(join(directory, 'PG_VERSION'))) await create(binaries, directory, user, logFile);
  await freeLock(directory);
  return (await readFile(join(directory, PASSWORD_FILE), 'utf8')).trim();
}

/**
 * Creates the directory under another name and renames it at the end, so that an interrupted start leaves no incomplete
 * one.
 */
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
    // --no-sync: a crash before the first start loses no messages. The server itself runs with fsync on.
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
 * Removes the lock file that a killed server has left, unless its process serves this directory. Postgres would accept
 * the file as valid if any process of the user has the same pid, which is likely in containers.
 */
async function freeLock(directory: string): Promise<void> {
  const pid = await postmasterPid(directory);
  if (pid === undefined) return;
  if (commandLine(pid).includes(directory))
    throw new Error(`A PostgreSQL server (pid ${pid}) already uses ${directory}.`);
  if (existsSync('/proc/self')) await rm(join(directory, 'postmaster.pid'), { force: true });
}

/** The pid in the lock file of the directory. The process may have ended. */
export async function postmasterPid(directory: string): Promise<number | undefined> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  return pid > 0 ? pid : undefined;
}
