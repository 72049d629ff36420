/**
 * The programs that some tests need and a machine may lack, and where they are. Used outside of tests too; installs
 * nothing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findProgram } from '../../infra/host/programs.ts';

export interface Requirement {
  /** Names of the program, the first that is found counts. */
  readonly programs: readonly string[];
  /** The Debian package. */
  readonly package: string;
  /** A file that has to be there too: a module that belongs to the program. */
  readonly file?: string;
  /** First number of the version that it must have at least, as `--version` tells it. */
  readonly major?: number;
}

export const REQUIREMENTS = {
  redis: { programs: ['redis-server'], package: 'redis-server' },
  /** With sharded Pub/Sub. */
  redis7: { programs: ['redis-server'], package: 'redis-server', major: 7 },
  nginx: { programs: ['nginx'], package: 'nginx' },
  prometheus: { programs: ['prometheus'], package: 'prometheus' },
  promtool: { programs: ['promtool'], package: 'prometheus' },
  /** Programs for network namespaces; whether they may be made is `faults/namespace.ts`'s to say. */
  netns: { programs: ['ip'], package: 'iproute2' },
  /** Debian's own Python has Debian's modules; another one on the PATH does not. */
  wsproto: {
    programs: ['python3'],
    package: 'python3-wsproto',
    file: '/usr/lib/python3/dist-packages/wsproto/__init__.py',
  },
  /** Makes a clock go wrong for one process. */
  faketime: { programs: ['faketime'], package: 'faketime' },
  /** With chroot isolation it builds images without an engine. */
  buildah: { programs: ['buildah'], package: 'buildah' },
  debootstrap: { programs: ['debootstrap'], package: 'debootstrap' },
  chromium: { programs: ['chromium', 'chromium-browser', 'google-chrome'], package: 'chromium' },
} as const satisfies Record<string, Requirement>;

export type RequirementName = keyof typeof REQUIREMENTS;

/** Path of the program, or undefined. */
export function findRequirement(name: RequirementName): string | undefined {
  const { programs, file, major = 0 }: Requirement = REQUIREMENTS[name];
  const program = findProgram(...programs);
  if (program === undefined || (file !== undefined && !existsSync(file))) return undefined;
  return major === 0 || majorOf(program) >= major ? program : undefined;
}

function majorOf(program: string): number {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 5_000 });
  return Number(/\bv=(\d+)/.exec(stdout)?.[1] ?? 0);
}

/** Name of the flag (`HOLDFAST_HAVE_REDIS`) that global-setup sets to 1 or 0 for whoever cannot import this module. */
export function flagOf(name: RequirementName): string {
  return `HOLDFAST_HAVE_${name.toUpperCase()}`;
}
