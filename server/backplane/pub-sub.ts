/** Classic Pub/Sub, which a Redis Cluster sends to all of its servers, and sharded Pub/Sub, which stays on one. */
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

/** Needs Redis 7 or later, or Valkey. */
export const SHARDED: PubSub = {
  event: 'smessageBuffer',
  publish: (redis, name, payload) => redis.spublish(name, payload),
  // One command may only name channels of one slot.
  subscribe: (redis, names) => Promise.all(names.map((name) => redis.ssubscribe(name))),
  unsubscribe: (redis, name) => redis.sunsubscribe(name),
};
