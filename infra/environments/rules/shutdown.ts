/**
 * Rules for times that must fit each other: heartbeat and idle timeout, drain and deregistration, stop and SIGKILL.
 * Pure.
 */
import { drainSeconds, milliseconds, noticeSeconds, stopSeconds } from '../timing.ts';
import type { Rule } from './rule.ts';

/** Limits of AWS, seconds: Fargate's stopTimeout, the target group's deregistration delay, the ALB's idle timeout. */
const STOP_TIMEOUT_MAX = 120;
const DEREGISTRATION_DELAY_MAX = 3_600;
const IDLE_TIMEOUT_MAX = 4_000;

const idleTimeoutRule: Rule = (environment) => {
  const { idleTimeout } = environment.service;
  const beat =
    (milliseconds('HEARTBEAT_INTERVAL_MS', environment) + milliseconds('HEARTBEAT_TIMEOUT_MS', environment)) / 1_000;
  if (idleTimeout > beat && idleTimeout <= IDLE_TIMEOUT_MAX) return undefined;
  return `service.idleTimeout is ${idleTimeout} s; it must exceed the heartbeat (${beat} s), or the load balancer closes quiet connections that are healthy. AWS allows at most ${IDLE_TIMEOUT_MAX} s.`;
};

const drainRule: Rule = (environment) => {
  const { deregistrationDelay, maxConnections, drainRate } = environment.service;
  const needed = Math.ceil(drainSeconds(environment));
  return (
    needed > deregistrationDelay &&
    `A drain takes ${needed} s (${maxConnections} connections at ${drainRate} per second, after up to ${noticeSeconds(environment)} s until the node notices), longer than service.deregistrationDelay (${deregistrationDelay} s). The load balancer would cut the remaining connections. Raise service.drainRate or the delay.`
  );
};

const stopRule: Rule = (environment) => {
  const stop = stopSeconds(environment);
  return (
    stop > STOP_TIMEOUT_MAX &&
    `DRAIN_TIMEOUT_MS in service.settings leads to a stop of ${stop} s; Fargate kills a task after ${STOP_TIMEOUT_MAX} s. Lower it.`
  );
};

export const SHUTDOWN_RULES: readonly Rule[] = [
  idleTimeoutRule,
  ({ service }) =>
    service.deregistrationDelay > DEREGISTRATION_DELAY_MAX &&
    `service.deregistrationDelay is ${service.deregistrationDelay} s; AWS allows ${DEREGISTRATION_DELAY_MAX}.`,
  drainRule,
  stopRule,
];
