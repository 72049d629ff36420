/** The two small things besides Pub/Sub that live in Redis: presence with a time to live, and single-use claims. */
import type { Redis } from 'ioredis';
import type { OnceStore, PresenceStore } from './types.ts';

/**
 * One sorted set per channel: member `<node>|<user>`, score the time at which it runs out (milliseconds since 1970).
 * A node that dies stops refreshing, and its members run out.
 */
export function createPresenceStore(redis: Redis, prefix: string, nodeId: string): PresenceStore {
  const key = (channel: string) => `${prefix}presence:${channel}`;
  const member = (user: string) => `${nodeId}|${user}`;
  return {
    async keep(channel, users, ttlMs) {
      const until = Date.now() + ttlMs;
      await redis.zadd(key(channel), ...users.flatMap((user) => [until, member(user)]));
      await redis.pexpire(key(channel), ttlMs * 2);
    },
    async remove(channel, user) {
      await redis.zrem(key(channel), member(user));
    },
    async list(channel) {
      const now = Date.now();
      await redis.zremrangebyscore(key(channel), '-inf', now);
      const members = await redis.zrangebyscore(key(channel), now, '+inf');
      return [...new Set(members.map((value) => value.slice(value.indexOf('|') + 1)))];
    },
  };
}

export function createOnceStore(redis: Redis, prefix: string): OnceStore {
  return {
    claim: async (id, ttlMs) => (await redis.set(`${prefix}once:${id}`, '1', 'PX', ttlMs, 'NX')) === 'OK',
  };
}
