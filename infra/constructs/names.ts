/** Names of resources: `holdfast-<environment>-<what>`, so that a person sees in any console what belongs to what. */
import type { Environment } from '../environments.ts';

/** At most 32 characters are left to `what` where AWS allows the least (a target group's name has 32 in all). */
export function nameOf(environment: Environment, what: string): string {
  return `holdfast-${environment.name}-${what}`;
}
