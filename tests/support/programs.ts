/**
 * The programs that some tests need and a machine may lack, and where they are. Used outside of tests too; installs
 * nothing.
 */
import { findProgram } from '../../infra/local/programs.ts';

export interface Requirement {
  /** Names of the program, the first that is found counts. */
  readonly programs: readonly string[];
  /** The Debian package. */
  readonly package: string;
}

export const REQUIREMENTS = {
  redis: { programs: ['redis-server'], package: 'redis-server' },
  nginx: { programs: ['nginx'], package: 'nginx' },
  prometheus: { programs: ['prometheus'], package: 'prometheus' },
  promtool: { programs: ['promtool'], package: 'prometheus' },
  /** Programs for network namespaces; whether they may be made is `faults/namespace.ts`'s to say. */
  netns: { programs: ['ip'], package: 'iproute2' },
  chromium: { programs: ['chromium', 'chromium-browser', 'google-chrome'], package: 'chromium' },
} as const satisfies Record<string, Requirement>;

export type RequirementName = keyof typeof REQUIREMENTS;

/** Path of the program, or undefined. */
export function findRequirement(name: RequirementName): string | undefined {
  return findProgram(...REQUIREMENTS[name].programs);
}

/** Name of the flag (`HOLDFAST_HAVE_REDIS`) that global-setup sets to 1 or 0 for whoever cannot import this module. */
export function flagOf(name: RequirementName): string {
  return `HOLDFAST_HAVE_${name.toUpperCase()}`;
}
