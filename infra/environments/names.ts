/** Names of resources that more than one construct needs. Pure. */
import type { Environment } from './types.ts';

/**
 * Name of a resource: `holdfast-prod-nodes`. Keep `what` short: the name of a target group has at most 32 characters.
 */
export function nameOf(environment: Environment, what: string): string {
  return `holdfast-${environment.name}-${what}`;
}

/** Name of a log group, except where an AWS service prescribes it. */
export const logName = (environment: Environment, what: string) => `/${nameOf(environment, what)}`;

/**
 * Names of the ECS cluster and service. Metrics carry them as dimensions, so they must be known before the resources
 * exist.
 */
export const clusterName = (environment: Environment) => `holdfast-${environment.name}`;
export const SERVER_SERVICE = 'server';

/** The host name under which Grafana answers, for the host name of the service. */
export const grafanaHost = (host: string) => `grafana-${host}`;
