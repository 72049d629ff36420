/** Rules for Redis on ElastiCache: replicas, shards and version. Pure. */
import type { Rule } from './rule.ts';

const REPLICAS_MAX = 5;
/** Nodes of one cluster. Above 90 the account's quota has to be raised first. */
const NODES_MAX = 500;
/** First major version with sharded Pub/Sub. */
const SHARDED_VERSION_MIN = 7;

export const REDIS_RULES: readonly Rule[] = [
  ({ redis }) =>
    redis.replicas > REPLICAS_MAX &&
    `redis.replicas is ${redis.replicas}; ElastiCache allows ${REPLICAS_MAX} per shard. One in each further zone is enough.`,
  ({ redis }) =>
    redis.shards > 0 &&
    Number.parseInt(redis.version, 10) < SHARDED_VERSION_MIN &&
    `redis.shards is ${redis.shards} and redis.version is ${redis.version}; sharded Pub/Sub needs version ${SHARDED_VERSION_MIN} or later. Raise the version, or set shards to 0.`,
  ({ redis: { shards, replicas } }) =>
    (!Number.isInteger(shards) || shards < 0 || shards * (1 + replicas) > NODES_MAX) &&
    `redis.shards is ${shards}, with ${replicas} replicas each; it must be a whole number, 0 or more, and ElastiCache allows ${NODES_MAX} nodes in all.`,
  ({ redis, protected: isProtected }) =>
    isProtected &&
    redis.replicas < 1 &&
    'redis.replicas is 0 in a protected environment: when the primary fails, delivery is slow until AWS has replaced it. Set it to 1 or more.',
];
