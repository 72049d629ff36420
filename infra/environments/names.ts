import type { Environment } from './types.ts';

/** `what` must be short where AWS allows little: a target group's name has 32 characters in all. */
export function nameOf(environment: Environment, what: string): string {
  return `holdfast-${environment.name}-${what}`;
}

/** Of log groups, but for those that an AWS service names. */
export const logName = (environment: Environment, what: string) => `/${nameOf(environment, what)}`;

/** Names that metrics carry as dimensions, and so must be known before the things are there. */
export const clusterName = (environment: Environment) => `holdfast-${environment.name}`;
export const SERVER_SERVICE = 'server';

/** The host name under which Grafana answers, for the host name of the service. */
export const grafanaHost = (host: string) => `grafana-${host}`;
