/** Redis connections with the settings that a realtime service needs: fail at once while away, reconnect with jitter. */
import { Redis } from 'ioredis';
import { ReconnectDelays } from './reconnect-delays.ts';

export interface RedisOptions {
  readonly url: string;
  /** `host:port` in place of that in the URL. */
  readonly address?: string | undefined;
  /** Longest wait for a connection or a reply, milliseconds. */
  readonly timeoutMs: number;
  readonly name: string;
  /** A password that changes, in place of the one in the URL: each new connection logs in with the latest. */
  readonly login?: RedisLogin | undefined;
  readonly onError: (error: Error) => void;
}

export interface RedisLogin {
  readonly username: string;
  /** The one of now. */
  readonly password: string;
}

/**
 * The channel that a server of a cluster took away, as its slot went elsewhere. It says so unasked, which ioredis reports
 * as an answer to no command. Undefined for every other error.
 */
export function takenAway(error: Error): string | undefined {
  return /^Command queue state error\. [^.]+\. Last reply: sunsubscribe,(.*),\d+$/s.exec(error.message)?.[1];
}

/**
 * Whether a channel was taken away with a command of sharded Pub/Sub under way: ioredis takes that for the command's
 * answer, and reports the answer itself, or that of a later command, as one to no command. Which channel is not said.
 */
export function isOutOfStep(error: Error): boolean {
  return /^Command queue state error\. [^.]+\. Last (reply: (s(un)?subscribe|smessage),|error: (MOVED|CLUSTERDOWN) )/.test(
    error.message,
  );
}

/** A connection that is not open yet; call `connect()`. */
export function createRedis(options: RedisOptions): Redis {
  const { login, address } = options;
  const delays = new ReconnectDelays();
  const redis = new Redis(options.url, {
    lazyConnect: true,
    connectionName: options.name,
    connectTimeout: Math.max(options.timeoutMs, 1_000),
    commandTimeout: options.timeoutMs,
    // A command that cannot be sent now is of no use later: what it would have announced is in the history.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // The backplane restores its subscriptions itself, to know when they are in place.
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    // A server that lost its primary role in a failover: ask the name again.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    keepAlive: 10_000,
    retryStrategy() {
      if (login) redis.options.password = login.password;
      return delays.next();
    },
  });
  // The URL would win over options that are given beside it.
  if (address !== undefined) Object.assign(redis.options, endpointOf(address));
  if (login) Object.assign(redis.options, { username: login.username, password: login.password });
  redis.on('ready', () => delays.opened());
  redis.on('error', options.onError);
  return redis;
}

/** Of `host:port`, where the host may be an IPv6 address. */
function endpointOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}
