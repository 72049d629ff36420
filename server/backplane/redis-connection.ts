/**
 * Redis connections with the settings of a realtime service: Redis commands fail at once while there is no connection, and
 * reconnects are delayed with jitter. Subscriptions are restored by `RedisSubscription`, never by ioredis.
 */
import { Redis } from 'ioredis';
import { ReconnectDelays } from './reconnect-delays.ts';

export interface RedisOptions {
  readonly url: string;
  /** `host:port`, replaces the one in the URL. */
  readonly address?: string | undefined;
  /** Longest wait for a reply, milliseconds. A connection may take as long, but at least one second. */
  readonly timeoutMs: number;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  /** Replaces the login in the URL. Each new connection uses the current password. */
  readonly login?: RedisLogin | undefined;
  readonly onError: (error: Error) => void;
}

export interface RedisLogin {
  readonly username: string;
  /** The current password; it rotates. */
  readonly password: string;
}

/** Makes a connection without opening it; call `connect()`. */
export function createRedis(options: RedisOptions): Redis {
  const { login, address } = options;
  const delays = new ReconnectDelays();
  const redis = new Redis(options.url, {
    lazyConnect: true,
    connectionName: options.name,
    connectTimeout: Math.max(options.timeoutMs, 1_000),
    commandTimeout: options.timeoutMs,
    // A command that cannot be sent now is useless later: subscribers find in the history what it would have announced.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // `RedisSubscription` restores subscriptions, because it has to know when they are in place.
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    // The server is no longer the primary. Reconnecting resolves the name again, which leads to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    keepAlive: 10_000,
    retryStrategy() {
      if (login) redis.options.password = login.password;
      return delays.next();
    },
  });
  // In the constructor, the URL takes precedence over options.
  if (address !== undefined) Object.assign(redis.options, endpointOf(address));
  if (login) Object.assign(redis.options, { username: login.username, password: login.password });
  redis.on('ready', () => delays.opened());
  redis.on('error', options.onError);
  return redis;
}

/** Whether the server belongs to a Redis Cluster. False when INFO is denied: then the configuration is trusted. */
export async function isClusterMember(redis: Redis): Promise<boolean> {
  const info = await redis.info('cluster').catch(() => '');
  return info.includes('cluster_enabled:1');
}

/** Splits `host:port`; the host may be an IPv6 address. */
function endpointOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}
