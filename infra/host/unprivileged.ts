/**
 * The user that runs PostgreSQL and nginx when this process is root (PostgreSQL refuses to run as root), and the
 * directories that this user can reach. Creates no users, and changes the owner only of directories that it is given.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The system user without permissions, with its usual ids. */
const FALLBACK: User = { name: `nobody`, uid: 65_534, gid: 65_534 };

/**
 * The user for servers that must not run as root: `postgres` if it exists, otherwise `nobody`. Undefined when this
 * process is not root.
 */
export function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookUp('postgres') ?? lookUp(FALLBACK.name) ?? FALLBACK;
}

function lookUp(name: string): User | undefined {
  const passwd = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '';
  const fields = passwd
    .split('\n')
    .find((line) => line.startsWith(`${name}:`))
    ?.split(':');
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
  return fields && uid > 0 && gid > 0 ? { name, uid, gid } : undefined;
}

/** Makes the user the owner of a path. Does nothing without a user. */
export function giveTo(user: User | undefined, path: string): void {
  if (user) chownSync(path, user.uid, user.gid);
}

/** Whether the user can enter this existing directory, which requires access to every directory above it. */
export function canEnter(user: User | undefined, directory: string): boolean {
  if (!user) return true;
  // Does not use the option `cwd`: Node.js changes the directory before it changes the user.
  const options = { cwd: '/', uid: user.uid, gid: user.gid, stdio: 'ignore' } as const;
  return spawnSync('/bin/sh', ['-c', 'cd -- "$0"', directory], options).status === 0;
}

/** Whether the user can execute this program. */
export function canExecute(user: User | undefined, program: string): boolean {
  const as = user ? { uid: user.uid, gid: user.gid } : {};
  return spawnSync(program, ['--version'], { stdio: 'ignore', cwd: '/', ...as }).status === 0;
}

/**
 * A directory for data that the user must own: `preferred`, or when the user cannot reach it (a checkout in a home
 * directory that is closed to others), a system directory that only this checkout uses. The parent of the result exists.
 */
export function reachableDirectory(user: User | undefined, preferred: string): string {
  const parent = dirname(preferred);
  mkdirSync(parent, { recursive: true });
  if (canEnter(user, parent)) return preferred;
  const base = ['/var/lib', '/var/tmp'].find((directory) => canEnter(user, directory)) ?? tmpdir();
  const own = join(base, `holdfast-${createHash('sha256').update(preferred).digest('hex').slice(0, 8)}`);
  mkdirSync(own, { recursive: true, mode: 0o711 });
  return join(own, 'postgres');
}
