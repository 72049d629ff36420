/** The two kinds of Pub/Sub in Redis. Classic goes to every server of a cluster; sharded stays where the name lives. */
import type { Redis } from 'ioredis';

export interface PubSub {
  readonly event: 'messageBuffer' | 'smessageBuffer';
  publish(redis: Redis, name: string, payload: Buffer | string): Promise<unknown>;
  subscribe(redis: Redis, names: readonly string[]): Promise<unknown>;
  unsubscribe(redis: Redis, name: string): Promise<unknown>;
}

export const CLASSIC: PubSub = {
  event: 'messageBuffer',
  publish: (redis, name, payload) => redis.publish(name, payload),
  subscribe: (redis, names) => redis.subscribe(...names),
  unsubscribe: (redis, name) => redis.unsubscribe(name),
};

/** Redis 7 or later, or Valkey. */
export const SHARDED: PubSub = {
  event: 'smessageBuffer',
  publish: (redis, name, payload) => redis.spublish(name, payload),
  // One command may only name channels of the same slot.
  subscribe: (redis, names) => Promise.all(names.map((name) => redis.ssubscribe(name))),
  unsubscribe: (redis, name) => redis.sunsubscribe(name),
};
