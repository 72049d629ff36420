/** The programs that can build an image, and their commands. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { findProgram } from '../host/programs.ts';

export const BUILDERS = ['docker', 'podman', 'buildah'] as const;
export type Builder = (typeof BUILDERS)[number];

/** The first builder that works on this machine, or undefined. Docker works only if its engine runs. */
export function findBuilder(): Builder | undefined {
  return BUILDERS.find((name) => {
    if (findProgram(name) === undefined) return false;
    return spawnSync(name, ['info'], { stdio: 'ignore' }).status === 0;
  });
}

export interface BuildRequest {
  readonly dockerfile: string;
  readonly context: string;
  readonly tag: string;
  readonly args: Readonly<Record<string, string>>;
  /** `linux/arm64` or `linux/amd64`. Default: the platform of this machine. */
  readonly platform?: string | undefined;
}

/** Directories for the images of buildah, separate from its default storage. */
export interface BuildahStorage {
  readonly root: string;
  readonly run: string;
}

/** Global arguments of buildah. The vfs driver needs no mounts, so it works in a container. */
export function buildahStorage({ root, run }: BuildahStorage): string[] {
  return ['--storage-driver', 'vfs', '--root', root, '--runroot', run];
}

/** The command that builds an image. Pure. */
export function buildCommand(builder: Builder, request: BuildRequest, storage?: BuildahStorage): [string, ...string[]] {
  const { dockerfile, context, tag, args, platform } = request;
  const buildArgs = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const own = builder === 'buildah' ? ['--isolation', 'chroot', '--format', 'docker', '--layers=false'] : [];
  const before = builder === 'buildah' && storage ? buildahStorage(storage) : [];
  const where = platform === undefined ? [] : ['--platform', platform];
  return [builder, ...before, 'build', ...own, ...where, ...buildArgs, '-f', dockerfile, '-t', tag, context];
}

/** Runs a command and passes its output on. @throws Error when the command fails */
export async function run([command, ...args]: readonly [string, ...string[]], quiet = false): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'] });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${signal ?? `exit code ${code}`}`);
}
