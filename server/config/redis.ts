/** Settings of Redis, the backplane: address, login, cluster mode, health check. */
import { bool, str } from 'envalid';
import { milliseconds, serverUrl, type Values } from '../env.ts';
import type { AWS } from './aws.ts';

const redisUrl = serverUrl('redis:', 'rediss:');

export const REDIS = {
  REDIS_URL: redisUrl({
    default: '',
    desc: 'Redis or Valkey server of the backplane, as a URL. Empty: no backplane; nodes then find the messages of other nodes by polling the history.',
  }),
  REDIS_CLUSTER: bool({
    default: false,
    desc: 'REDIS_URL names a server of a Redis Cluster (Redis 7 or later, or Valkey). Sharded Pub/Sub then spreads the channels over its servers.',
  }),
  REDIS_CLUSTER_REFRESH_MS: milliseconds({
    default: 10_000,
    desc: 'Time between two reads of the slot map of the cluster, in ms. The node also reads it soon after a MOVED reply or a lost server.',
  }),
  REDIS_IAM_USER: str({
    default: '',
    desc: 'ElastiCache user that the node logs in as with the IAM role of its task. Empty: user and password are in REDIS_URL.',
  }),
  REDIS_IAM_CACHE: str({ default: '', desc: 'Id of the ElastiCache replication group for REDIS_IAM_USER.' }),
  REDIS_PREFIX: str({
    default: 'holdfast:',
    desc: 'Prefix of every Redis key and Pub/Sub channel. Deployments that share a Redis need different prefixes.',
  }),
  REDIS_TIMEOUT_MS: milliseconds({
    default: 1_000,
    desc: 'Longest wait for a reply from Redis, in ms. The node then goes on without it.',
  }),
  REDIS_CANARY_INTERVAL_MS: milliseconds({
    default: 1_000,
    desc: 'Time between two canary messages, in ms. The node publishes them to itself through Redis to test its subscription.',
  }),
  REDIS_CANARY_TIMEOUT_MS: milliseconds({
    default: 3_000,
    desc: 'Time without a canary message, in ms, after which the node reopens its Redis connections. At least twice REDIS_CANARY_INTERVAL_MS.',
  }),
};

type RedisValues = Values<typeof REDIS>;

/** What is wrong between these settings. */
export function redisProblems(config: RedisValues & Pick<Values<typeof AWS>, 'AWS_REGION'>): string[] {
  return [...canaryProblems(config), ...clusterProblems(config), ...loginProblems(config)];
}

function canaryProblems({ REDIS_CANARY_INTERVAL_MS, REDIS_CANARY_TIMEOUT_MS }: RedisValues): string[] {
  if (REDIS_CANARY_TIMEOUT_MS >= 2 * REDIS_CANARY_INTERVAL_MS) return [];
  return [
    'REDIS_CANARY_TIMEOUT_MS must be at least twice REDIS_CANARY_INTERVAL_MS, so that one late message does not count as an outage.',
  ];
}

function clusterProblems({ REDIS_URL, REDIS_CLUSTER, REDIS_PREFIX }: RedisValues): string[] {
  if (!REDIS_CLUSTER) return [];
  const problems: string[] = [];
  if (/[{}]/.test(REDIS_PREFIX))
    problems.push('REDIS_PREFIX has braces. With REDIS_CLUSTER they put all keys and channels on one server.');
  if (REDIS_URL === '') problems.push('REDIS_CLUSTER is true, but REDIS_URL names no server of the cluster.');
  else if (!['', '/', '/0'].includes(new URL(REDIS_URL).pathname))
    problems.push('REDIS_URL names a database. A Redis Cluster (REDIS_CLUSTER) has only database 0.');
  return problems;
}

function loginProblems({
  REDIS_URL,
  REDIS_IAM_USER,
  REDIS_IAM_CACHE,
  AWS_REGION,
}: RedisValues & Pick<Values<typeof AWS>, 'AWS_REGION'>): string[] {
  if (REDIS_IAM_USER === '' && REDIS_IAM_CACHE === '') return [];
  const problems: string[] = [];
  if (REDIS_IAM_USER === '' || REDIS_IAM_CACHE === '')
    problems.push('REDIS_IAM_USER and REDIS_IAM_CACHE must be set together.');
  if (!REDIS_URL.startsWith('rediss://'))
    problems.push('REDIS_IAM_USER needs TLS: REDIS_URL must begin with rediss://.');
  else if (new URL(REDIS_URL).password !== '')
    problems.push('REDIS_URL has a password, but REDIS_IAM_USER logs in without one. Remove one of them.');
  if (AWS_REGION === '') problems.push('AWS_REGION must be set together with REDIS_IAM_USER.');
  return problems;
}
