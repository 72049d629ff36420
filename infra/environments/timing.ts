/** How long a node takes to leave: what the deregistration delay must leave room for. Pure. */
import { SETTINGS } from '../../server/config.ts';
import type { Environment } from './types.ts';

/** A setting of the server, as the environment has it or by default. */
export const milliseconds = (name: keyof typeof SETTINGS, { service }: Environment) =>
  Number(service.settings[name] ?? (SETTINGS[name] as { readonly default?: unknown }).default);

/** Seconds until a node knows that it was deregistered: two polls, as one may just have been missed. */
export const noticeSeconds = (environment: Environment) =>
  (2 * milliseconds('DEREGISTRATION_POLL_MS', environment)) / 1_000;

/** Seconds that a full task takes to send its connections away, from deregistration on. */
export function drainSeconds(environment: Environment): number {
  const { maxConnections, drainRate } = environment.service;
  return noticeSeconds(environment) + maxConnections / drainRate;
}
