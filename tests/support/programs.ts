/**
 * What some tests need and a machine may lack: how to find it, and how to get it. Installs nothing. Benchmarks use it too.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findProgram } from '../../infra/host/programs.ts';
import { whyNoAwsProvider } from './aws-provider.ts';
import { whyNoNamespaces } from './faults/namespace.ts';
import { whyNoNode24 } from './node-24.ts';

export interface Requirement {
  /** Names of the program; the first that is found counts. */
  readonly programs?: readonly string[];
  /** A file that must exist too: a module that belongs to the program. */
  readonly file?: string;
  /** Lowest first number of the version that `--version` prints. */
  readonly major?: number;
  /** Any other reason why the tests cannot run here, worded to follow "needs ...: ". */
  readonly why?: () => string | undefined;
  /** Debian package that has it. */
  readonly package?: string;
  /** How to get what Debian does not have. */
  readonly hint?: string;
}

export const REQUIREMENTS = {
  redis: { programs: ['redis-server'], package: 'redis-server' },
  /** Sharded Pub/Sub came with version 7. */
  redis7: { programs: ['redis-server'], package: 'redis-server', major: 7 },
  nginx: { programs: ['nginx'], package: 'nginx' },
  prometheus: { programs: ['prometheus'], package: 'prometheus' },
  promtool: { programs: ['promtool'], package: 'prometheus' },
  /** The faults that drop packets need network namespaces. */
  netns: { programs: ['ip'], package: 'iproute2', why: whyNoNamespaces, hint: 'run as root' },
  /** Python of Debian: another one on the PATH does not have the modules of Debian. */
  wsproto: {
    programs: ['python3'],
    package: 'python3-wsproto',
    file: '/usr/lib/python3/dist-packages/wsproto/__init__.py',
  },
  /** Changes the clock of one process. */
  faketime: { programs: ['faketime'], package: 'faketime' },
  /** Builds images without an engine, by chroot isolation. */
  buildah: { programs: ['buildah'], package: 'buildah' },
  debootstrap: { programs: ['debootstrap'], package: 'debootstrap' },
  chromium: { programs: ['chromium', 'chromium-browser', 'google-chrome'], package: 'chromium' },
  /** Some tests switch to another user. */
  root: { why: () => (process.getuid?.() === 0 ? undefined : 'this user is not root'), hint: 'run as root' },
  moto: { programs: ['python3'], why: whyNoMoto, hint: 'pip install "moto[server]" boto3' },
  terraform: { programs: ['terraform'], hint: 'https://developer.hashicorp.com/terraform/install' },
  awsProvider: {
    programs: ['terraform'],
    why: whyNoAwsProvider,
    hint: 'reach registry.terraform.io, or name a mirror in TF_CLI_CONFIG_FILE',
  },
  node24: { why: whyNoNode24, hint: 'reach the npm registry, or name a Node 24 in HOLDFAST_NODE_24' },
} as const satisfies Record<string, Requirement>;

/** Environment variable in which `global-setup.ts` hands its findings to the workers: name -> why it is missing, or null. */
export const FINDINGS = 'HOLDFAST_TEST_FINDINGS';

export type RequirementName = keyof typeof REQUIREMENTS;

/** Path of the program, or undefined. */
export function findRequirement(name: RequirementName): string | undefined {
  const { programs = [], file, major = 0 }: Requirement = REQUIREMENTS[name];
  const program = findProgram(...programs);
  if (program === undefined || (file !== undefined && !existsSync(file))) return undefined;
  return major === 0 || majorOf(program) >= major ? program : undefined;
}

/** Why it cannot be used on this machine, in a few words; undefined when it can. May start the program: seconds. */
export function whyMissing(name: RequirementName): string | undefined {
  const { programs, major, why }: Requirement = REQUIREMENTS[name];
  if (programs && findRequirement(name) === undefined) {
    return `${programs[0]}${major === undefined ? '' : ` ${major} or later`} is not installed`;
  }
  return why?.();
}

/** How to get it, in one line. */
export function howToGet(name: RequirementName): string {
  const { package: debian, hint = '' }: Requirement = REQUIREMENTS[name];
  if (debian === undefined) return hint;
  return findRequirement(name) === undefined ? `apt-get install ${debian}` : hint;
}

function majorOf(program: string): number {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 5_000 });
  return Number(/\bv=(\d+)/.exec(stdout)?.[1] ?? 0);
}

function whyNoMoto(): string | undefined {
  const { status } = spawnSync('python3', ['-c', 'import moto.server, boto3'], { stdio: 'ignore', timeout: 30_000 });
  return status === 0 ? undefined : 'python3 has no moto';
}
