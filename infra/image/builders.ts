/** The programs that can build an image, behind one face. Starts nothing by itself. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { findProgram } from '../host/programs.ts';

export const BUILDERS = ['docker', 'podman', 'buildah'] as const;
export type Builder = (typeof BUILDERS)[number];

/** The first that works here; undefined: none. Docker counts only with its engine running. */
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
  /** `linux/arm64`; default: this machine's. */
  readonly platform?: string | undefined;
}

/** Where buildah keeps its images, apart from the machine's own. */
export interface BuildahStorage {
  readonly root: string;
  readonly run: string;
}

/** Arguments of buildah before its command: works as root without a daemon, without mounts of its own. */
export function buildahStorage({ root, run }: BuildahStorage): string[] {
  return ['--storage-driver', 'vfs', '--root', root, '--runroot', run];
}

/** The command that builds. Pure. */
export function buildCommand(builder: Builder, request: BuildRequest, storage?: BuildahStorage): [string, ...string[]] {
  const { dockerfile, context, tag, args, platform } = request;
  const buildArgs = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const own = builder === 'buildah' ? ['--isolation', 'chroot', '--format', 'docker', '--layers=false'] : [];
  const before = builder === 'buildah' && storage ? buildahStorage(storage) : [];
  const where = platform === undefined ? [] : ['--platform', platform];
  return [builder, ...before, 'build', ...own, ...where, ...buildArgs, '-f', dockerfile, '-t', tag, context];
}

/** Runs a command with its output passed on. @throws Error when it fails */
export async function run([command, ...args]: readonly [string, ...string[]], quiet = false): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'] });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${signal ?? `exit code ${code}`}`);
}
