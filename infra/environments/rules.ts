/**
 * Which environments cannot work, each with its reason: found at synth, before anything is deployed. Pure. What AWS
 * itself refuses (a wrong instance class) is left to AWS.
 */
import { SETTINGS } from '../../server/config.ts';
import { RESERVED_SETTINGS } from './reserved-settings.ts';
import { drainSeconds, milliseconds, noticeSeconds } from './timing.ts';
import { ENVIRONMENT_NAMES, type Environment, type EnvironmentName } from './types.ts';
import { ENVIRONMENTS } from './values.ts';

/** All that is wrong with an environment, one line each, naming the value. */
export class EnvironmentError extends Error {
  readonly problems: readonly string[];
  constructor(name: string, problems: readonly string[]) {
    super(`Environment "${name}" cannot be deployed:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'EnvironmentError';
    this.problems = problems;
  }
}

/** @throws EnvironmentError when there is no such environment, or it cannot work */
export function findEnvironment(name: string): Environment {
  const environment = ENVIRONMENTS[name as EnvironmentName];
  if (!environment)
    throw new EnvironmentError(name, [`There is none of this name; there are ${ENVIRONMENT_NAMES.join(', ')}.`]);
  const problems = checkEnvironment(environment);
  if (problems.length > 0) throw new EnvironmentError(name, problems);
  return environment;
}

type Rule = (environment: Environment) => string | undefined | false;

/** Largest values of AWS, and of the server's defaults. Seconds. */
const STOP_TIMEOUT_MAX = 120;
const DEREGISTRATION_DELAY_MAX = 3_600;
const IDLE_TIMEOUT_MAX = 4_000;
const DAY_RANGES = { backup: 35 };
/** ElastiCache: nodes per cluster. Above 90 the account's quota has to be raised first. */
const NODES_MAX = 500;

/** RDS for PostgreSQL: max_connections is DBInstanceClassMemory / 9531392, at most 5,000. */
const BYTES_PER_CONNECTION = 9_531_392;
/** The class's memory for Postgres is less than its nominal memory, and people and AWS itself need connections too. */
const CONNECTIONS_SHARE = 0.8;

/** Nominal GiB of a class of the families used here; undefined: not known. AWS: RDS instance types. */
function memoryGb(instanceClass: string): number | undefined {
  const [, family = '', size = ''] = /^db\.([a-z])[\da-z]*\.(\w+)$/.exec(instanceClass) ?? [];
  const ofLarge = { t: 8, m: 8, r: 16 }[family];
  if (ofLarge === undefined) return undefined;
  const times = { micro: 1 / 8, small: 1 / 4, medium: 1 / 2, large: 1, xlarge: 2 }[size];
  if (times !== undefined) return ofLarge * times;
  const [, count] = /^(\d+)xlarge$/.exec(size) ?? [];
  return count === undefined ? undefined : ofLarge * 2 * Number(count);
}

/** Fargate's combinations: vCPU units -> MiB, from, to. AWS: task definition parameters. */
const FARGATE: Readonly<Record<number, readonly [number, number]>> = {
  256: [512, 2_048],
  512: [1_024, 4_096],
  1024: [2_048, 8_192],
  2048: [4_096, 16_384],
  4096: [8_192, 30_720],
};

const NETWORK: readonly Rule[] = [
  ({ network }) =>
    prefixOf(network.cidr) === undefined && `network.cidr "${network.cidr}" is not an IPv4 range such as 10.0.0.0/16.`,
  ({ network }) => {
    const prefix = prefixOf(network.cidr);
    if (prefix === undefined || (prefix >= 16 && prefix <= 20)) return undefined;
    return `network.cidr is a /${prefix}; it must be a /16 to a /20: AWS allows no larger VPC, and tasks in ${network.zones} zones need the addresses.`;
  },
  ({ network, protected: isProtected }) =>
    isProtected &&
    network.nat === 'one' &&
    'network.nat is "one": the loss of its zone would cut off the others; use "per-zone".',
];

const DATA: readonly Rule[] = [
  ({ postgres }) =>
    postgres.maxStorageGb < postgres.storageGb &&
    `postgres.maxStorageGb (${postgres.maxStorageGb}) is below postgres.storageGb (${postgres.storageGb}).`,
  ({ postgres }) =>
    (postgres.backupDays < 1 || postgres.backupDays > DAY_RANGES.backup) &&
    `postgres.backupDays must be from 1 to ${DAY_RANGES.backup}, is ${postgres.backupDays}: without backups there is no restore.`,
  ({ postgres, protected: isProtected }) =>
    isProtected &&
    !postgres.multiAz &&
    'postgres.multiAz is off: the loss of a zone would be the loss of the history’s server.',
  ({ postgres, service }) => {
    const gb = memoryGb(postgres.instanceClass);
    if (gb === undefined) return undefined;
    const pool = Number(service.settings.PG_POOL_MAX ?? SETTINGS.PG_POOL_MAX.default);
    // A deployment runs twice the tasks for a while.
    const wanted = 2 * service.maxTasks * pool;
    const most = Math.floor(CONNECTIONS_SHARE * Math.min(5_000, (gb * 1_024 ** 3) / BYTES_PER_CONNECTION));
    return (
      wanted > most &&
      `postgres.instanceClass ${postgres.instanceClass} has room for ${most} connections; ${service.maxTasks} tasks, twice that in a deployment, with PG_POOL_MAX ${pool} open ${wanted}. Choose a larger class, fewer tasks, or a smaller pool.`
    );
  },
  ({ postgres }) =>
    Number.parseInt(postgres.version, 10) < 14 &&
    `postgres.version is ${postgres.version}; the server needs 14 or later.`,
  ({ redis, network }) =>
    redis.replicas > 5 &&
    `redis.replicas is ${redis.replicas}; ElastiCache allows 5 (and there are ${network.zones} zones).`,
  ({ redis }) =>
    redis.shards > 0 &&
    Number.parseInt(redis.version, 10) < 7 &&
    `redis.shards is ${redis.shards} and redis.version ${redis.version}; sharded Pub/Sub needs 7 or later.`,
  ({ redis: { shards, replicas } }) =>
    (!Number.isInteger(shards) || shards < 0 || shards * (1 + replicas) > NODES_MAX) &&
    `redis.shards is ${shards}, with ${replicas} replicas each; it must be a whole number, and ElastiCache allows ${NODES_MAX} nodes in all.`,
  ({ redis, protected: isProtected }) =>
    isProtected && redis.replicas < 1 && 'redis.replicas is 0: there would be nothing to fail over to.',
];

const SERVICE: readonly Rule[] = [
  ({ service }) => {
    const range = FARGATE[service.cpu];
    if (!range) return `service.cpu is ${service.cpu}; Fargate knows ${Object.keys(FARGATE).join(', ')}.`;
    const [least, most] = range;
    const fits = service.memoryMb >= least && service.memoryMb <= most && service.memoryMb % 1_024 === 0;
    return (
      !fits &&
      `service.memoryMb is ${service.memoryMb}; with cpu ${service.cpu} it must be ${least} to ${most}, in steps of 1024.`
    );
  },
  ({ service }) =>
    service.maxTasks < service.minTasks &&
    `service.maxTasks (${service.maxTasks}) is below service.minTasks (${service.minTasks}).`,
  ({ service, network, protected: isProtected }) =>
    isProtected &&
    service.minTasks < network.zones &&
    `service.minTasks (${service.minTasks}) is below network.zones (${network.zones}): a zone without a task adds nothing when another is lost.`,
  ({ service }) =>
    service.maxConnections < service.targetConnections * 1.5 &&
    `service.maxConnections (${service.maxConnections}) must be at least 1.5 times service.targetConnections (${service.targetConnections}): the loss of one of three tasks gives the others half as much again.`,
  (environment) => {
    const { idleTimeout } = environment.service;
    const beat =
      (milliseconds('HEARTBEAT_INTERVAL_MS', environment) + milliseconds('HEARTBEAT_TIMEOUT_MS', environment)) / 1_000;
    if (idleTimeout > beat && idleTimeout <= IDLE_TIMEOUT_MAX) return undefined;
    return `service.idleTimeout is ${idleTimeout} s; it must exceed the heartbeat (${beat} s), or the load balancer cuts quiet connections, and be at most ${IDLE_TIMEOUT_MAX} s.`;
  },
  ({ service }) =>
    service.deregistrationDelay > DEREGISTRATION_DELAY_MAX &&
    `service.deregistrationDelay is ${service.deregistrationDelay} s; AWS allows ${DEREGISTRATION_DELAY_MAX}.`,
  (environment) => {
    const { deregistrationDelay, maxConnections, drainRate } = environment.service;
    const needed = Math.ceil(drainSeconds(environment));
    return (
      needed > deregistrationDelay &&
      `A drain takes ${needed} s (${maxConnections} connections at ${drainRate} a second, and ${noticeSeconds(environment)} s to notice), longer than service.deregistrationDelay (${deregistrationDelay} s): the rest would be cut. Raise drainRate or the delay.`
    );
  },
  (environment) => {
    const stop = stopSeconds(environment);
    return (
      stop > STOP_TIMEOUT_MAX &&
      `DRAIN_TIMEOUT_MS leads to a stop of ${stop} s; Fargate kills a task after ${STOP_TIMEOUT_MAX} s.`
    );
  },
  ({ service }) => {
    const unknown = Object.keys(service.settings).filter((name) => !(name in SETTINGS));
    return unknown.length > 0 && `service.settings has names that the server does not know: ${unknown.join(', ')}.`;
  },
  ({ service }) => {
    const taken = Object.keys(service.settings).filter((name) => RESERVED_SETTINGS.includes(name));
    return taken.length > 0 && `service.settings has names that the stacks set themselves: ${taken.join(', ')}.`;
  },
  ({ service: { scaleInBelowPercent, minTasks } }) => {
    const most = Math.floor((95 * minTasks) / (minTasks + 1));
    return (
      scaleInBelowPercent > most &&
      `service.scaleInBelowPercent is ${scaleInBelowPercent}; with ${minTasks} tasks at least it must be at most ${most}, or the tasks that are left are over their target at once.`
    );
  },
  ({ service, protected: isProtected }) =>
    isProtected &&
    service.settings.DEMO_PAGE === 'true' &&
    'service.settings.DEMO_PAGE is on; the demo page is for development.',
];

const DOMAIN: readonly Rule[] = [
  ({ domain, name }) =>
    domain === undefined &&
    name !== 'dev' &&
    `domain is missing: ${name} would have no certificate, and tokens would cross the internet in the clear.`,
  ({ domain }) =>
    domain !== undefined &&
    !domain.host.endsWith(`.${domain.zone}`) &&
    `domain.host "${domain.host}" is not in domain.zone "${domain.zone}".`,
  ({ domain, observability }) =>
    domain === undefined &&
    observability.grafana !== undefined &&
    'observability.grafana needs a domain: a password must not cross the internet in the clear.',
  ({ observability }) =>
    !/^https?:\/\/\S*[^/\s]$/.test(observability.runbooksUrl) &&
    `observability.runbooksUrl must be a URL without a slash at its end, is "${observability.runbooksUrl}".`,
  ({ observability, service }) =>
    observability.probes &&
    Boolean(service.settings.AUTH_JWKS_URL) !== (observability.probeTokenArn !== undefined) &&
    (observability.probeTokenArn === undefined
      ? 'observability.probes is on and tokens are checked with AUTH_JWKS_URL: the probes cannot sign theirs. Set observability.probeTokenArn, or turn probes off.'
      : 'observability.probeTokenArn is for AUTH_JWKS_URL; without it the probes sign their own tokens.'),
  ({ observability }) =>
    observability.grafana?.cidrs.length === 0 &&
    'observability.grafana.cidrs is empty: nobody could open it; leave grafana undefined instead.',
  ({ state, protected: isProtected }) =>
    isProtected &&
    state.backend === 's3' &&
    state.kmsKeyId === '' &&
    'state.kmsKeyId is empty; leave it undefined for the key of S3, or name one.',
];

const RULES: readonly Rule[] = [...NETWORK, ...DATA, ...SERVICE, ...DOMAIN];

/** Every problem of the environment; none: it can be deployed. */
export function checkEnvironment(environment: Environment): string[] {
  return RULES.map((rule) => rule(environment)).filter((problem): problem is string => Boolean(problem));
}

/** Seconds between SIGTERM and SIGKILL that the server needs: its drain, and what `main.ts` allows itself for the rest. */
export function stopSeconds(environment: Environment): number {
  const CLOSING = 15;
  return Math.ceil(milliseconds('DRAIN_TIMEOUT_MS', environment) / 1_000) + CLOSING;
}

function prefixOf(cidr: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  if (!match || match.slice(1, 5).some((part) => Number(part) > 255)) return undefined;
  return Number(match[5]);
}
