/**
 * Refuses environments that cannot work, at synth, before anything is deployed. Reports all problems at once. Pure.
 * Values that AWS itself refuses, such as an unknown instance class, are left to AWS.
 */
import { ACCESS_RULES } from './rules/access.ts';
import { NETWORK_RULES } from './rules/network.ts';
import { POSTGRES_RULES } from './rules/postgres.ts';
import { REDIS_RULES } from './rules/redis.ts';
import type { Rule } from './rules/rule.ts';
import { SERVICE_RULES } from './rules/service.ts';
import { SHUTDOWN_RULES } from './rules/shutdown.ts';
import { ENVIRONMENT_NAMES, type Environment, type EnvironmentName } from './types.ts';
import { ENVIRONMENTS } from './values.ts';

const RULES: readonly Rule[] = [
  ...NETWORK_RULES,
  ...POSTGRES_RULES,
  ...REDIS_RULES,
  ...SERVICE_RULES,
  ...SHUTDOWN_RULES,
  ...ACCESS_RULES,
];

/** An environment that cannot be deployed, with one line for each problem. */
export class EnvironmentError extends Error {
  readonly problems: readonly string[];
  constructor(name: string, problems: readonly string[]) {
    super(`Environment "${name}" cannot be deployed:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'EnvironmentError';
    this.problems = problems;
  }
}

/**
 * The environment of this name.
 * @throws EnvironmentError when it does not exist or breaks a rule
 */
export function findEnvironment(name: string): Environment {
  const environment = ENVIRONMENTS[name as EnvironmentName];
  if (!environment)
    throw new EnvironmentError(name, [`It does not exist. Choose one of ${ENVIRONMENT_NAMES.join(', ')}.`]);
  const problems = checkEnvironment(environment);
  if (problems.length > 0) throw new EnvironmentError(name, problems);
  return environment;
}

/** All problems of the environment; empty when it can be deployed. */
export function checkEnvironment(environment: Environment): string[] {
  return RULES.map((rule) => rule(environment)).filter((problem): problem is string => Boolean(problem));
}
