/**
 * How long a node takes to notice its deregistration, to drain and to stop, from the settings of its environment. Pure.
 */
import { SETTINGS } from '../../server/config.ts';
import type { Environment } from './types.ts';

/**
 * Time that the server needs after its drain to close its stores and exit, seconds: more than STOP_GRACE_MS in
 * server/main.ts.
 */
const CLOSING_SECONDS = 15;

/** A time setting of the server: the value of the environment, otherwise the default. */
export const milliseconds = (name: keyof typeof SETTINGS, { service }: Environment) =>
  Number(service.settings[name] ?? (SETTINGS[name] as { readonly default?: unknown }).default);

/** Longest time until a node notices its deregistration, seconds: two polls, as one can fail. */
export const noticeSeconds = (environment: Environment) =>
  (2 * milliseconds('DEREGISTRATION_POLL_MS', environment)) / 1_000;

/** Time from deregistration until a full task has moved all its connections, seconds. */
export function drainSeconds(environment: Environment): number {
  const { maxConnections, drainRate } = environment.service;
  return noticeSeconds(environment) + maxConnections / drainRate;
}

/** Time from SIGTERM until SIGKILL that the server needs, seconds: its drain after SIGTERM, and closing. */
export function stopSeconds(environment: Environment): number {
  return Math.ceil(milliseconds('DRAIN_TIMEOUT_MS', environment) / 1_000) + CLOSING_SECONDS;
}
