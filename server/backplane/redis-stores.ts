/** What Redis stores besides Pub/Sub: presence with a time to live, and the ids of used tickets. No message depends on it. */
import type { RedisTransport } from './redis-transport.ts';
import type { OnceStore, PresenceStore } from './types.ts';

type Keys = Pick<RedisTransport, 'call'>;

/**
 * One sorted set per channel, with members `<node>|<user>` and their expiry as score (milliseconds since 1970). The members of a
 * node that dies are no longer refreshed, and expire.
 */
export function createPresenceStore(redis: Keys, prefix: string, nodeId: string): PresenceStore {
  const key = (channel: string) => `${prefix}presence:${channel}`;
  const member = (user: string) => `${nodeId}|${user}`;
  return {
    async keep(channel, users, ttlMs) {
      const until = Date.now() + ttlMs;
      const members = users.flatMap((user) => [until, member(user)]);
      await redis.call(key(channel), (server) => server.zadd(key(channel), ...members));
      await redis.call(key(channel), (server) => server.pexpire(key(channel), ttlMs * 2));
    },
    async remove(channel, user) {
      await redis.call(key(channel), (server) => server.zrem(key(channel), member(user)));
    },
    async list(channel) {
      const now = Date.now();
      await redis.call(key(channel), (server) => server.zremrangebyscore(key(channel), '-inf', now));
      const members = await redis.call(key(channel), (server) => server.zrangebyscore(key(channel), now, '+inf'));
      return [...new Set(members.map((value) => value.slice(value.indexOf('|') + 1)))];
    },
  };
}

export function createOnceStore(redis: Keys, prefix: string): OnceStore {
  return {
    async take(id, ttlMs) {
      const key = `${prefix}once:${id}`;
      return (await redis.call(key, (server) => server.set(key, '1', 'PX', ttlMs, 'NX'))) === 'OK';
    },
  };
}
