/**
 * Runs an image without a container engine: its layers are unpacked, its root file system is mounted read-only in a
 * separate mount namespace, and user, environment and command come from the image. Needs root on Linux.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from '../../../infra/host/managed-process.ts';

/** The part of the image configuration that is used here, with the field names of Docker. */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Cmd: readonly [string, ...string[]];
  readonly WorkingDir: string;
  readonly StopSignal: string;
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
  readonly Labels: Readonly<Record<string, string>>;
}

/** Mounts the root read-only, then replaces itself with the program, which keeps the process id. */
const ENTER = `
set -e
root=$1 user=$2 directory=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" --groups= "$root" /usr/bin/env -i -C "$directory" "$@"
`;

export class UnpackedImage {
  readonly config: ImageConfig;
  readonly root: string;

  /** Unpacks a Docker archive. Does not support layers that delete files of lower ones; this image has none. */
  constructor(archive: string, directory: string) {
    const files = join(directory, 'archive');
    this.root = join(directory, 'root');
    for (const path of [files, this.root]) mkdirSync(path, { recursive: true });
    execFileSync('tar', ['-C', files, '-xf', archive]);
    const [manifest] = JSON.parse(readFileSync(join(files, 'manifest.json'), 'utf8'));
    for (const layer of manifest.Layers) execFileSync('tar', ['-C', this.root, '-xf', join(files, layer)]);
    this.config = JSON.parse(readFileSync(join(files, manifest.Config), 'utf8')).config;
  }

  /** Starts the command of the image. */
  start(env: Readonly<Record<string, string>>, logFile: string): Promise<ManagedProcess> {
    const [command, ...args] = this.commandLine(this.config.User, env, this.config.Cmd);
    return ManagedProcess.start({ name: 'container', command, args, logFile });
  }

  /** Runs a command to its end, by default as the user of the image. @returns its exit code */
  run(command: readonly string[], env: Readonly<Record<string, string>> = {}, user = this.config.User): number | null {
    const [program, ...args] = this.commandLine(user, env, command);
    return spawnSync(program, args, { stdio: 'ignore' }).status;
  }

  private commandLine(
    user: string,
    env: Readonly<Record<string, string>>,
    command: readonly string[],
  ): [string, ...string[]] {
    const own = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const { Env, WorkingDir } = this.config;
    return ['unshare', '--mount', 'sh', '-c', ENTER, 'enter', this.root, user, WorkingDir, ...Env, ...own, ...command];
  }
}
