/** Builds the Redis transport from the settings: one link, or a Redis Cluster with a link to each primary. */
import type { Metrics } from '../telemetry/metrics.ts';
import { isOutOfStep } from './ioredis-workarounds.ts';
import { CLASSIC, SHARDED } from './pub-sub.ts';
import { type LinkOptions, RedisCluster } from './redis-cluster.ts';
import { createRedis, type RedisLogin } from './redis-connection.ts';
import { RedisLink } from './redis-link.ts';
import type { RedisTransport } from './redis-transport.ts';

export interface TransportOptions {
  readonly url: string;
  /** Whether the URL leads to a Redis Cluster. */
  readonly cluster: boolean;
  /** Interval of refreshes of the slot map, milliseconds. */
  readonly refreshMs: number;
  readonly prefix: string;
  readonly nodeId: string;
  readonly timeoutMs: number;
  readonly canaryIntervalMs: number;
  readonly canaryTimeoutMs: number;
  readonly login: RedisLogin | undefined;
  readonly metrics: Metrics;
  readonly onError: (message: string, error: unknown) => void;
}

/** The transport is not connected yet; call `start()`. */
export function createTransport(options: TransportOptions): RedisTransport {
  const { cluster, nodeId, canaryIntervalMs, canaryTimeoutMs, metrics, onError } = options;
  const canaryStem = `${options.prefix}canary:${nodeId}`;
  const connect = (use: string, address?: string) =>
    createRedis({
      url: options.url,
      address,
      timeoutMs: options.timeoutMs,
      name: `holdfast-${use}-${nodeId}`,
      login: options.login,
      onError(error) {
        // Expected whenever slots move, and repaired by `RedisSubscription`.
        if (use === 'subscriber' && isOutOfStep(error)) return;
        onError(`Redis (${address === undefined ? use : `${use}, ${address}`}) is not reachable.`, error);
      },
    });
  const link = (address: string | undefined, linkOptions: LinkOptions) =>
    new RedisLink({
      commands: connect('commands', address),
      subscriber: connect('subscriber', address),
      pubSub: cluster ? SHARDED : CLASSIC,
      canaryIntervalMs,
      canaryTimeoutMs,
      metrics,
      onError: (error) => onError('Redis cannot be used.', error),
      ...linkOptions,
    });
  if (!cluster) return link(undefined, { names: [], canaryChannel: canaryStem, onMoved: () => {} });
  return new RedisCluster({
    seed: connect('seed'),
    link,
    canaryStem: `${canaryStem}:`,
    refreshMs: options.refreshMs,
    retryMs: canaryIntervalMs,
    onError: (error) => onError('The slot map of the Redis Cluster could not be read.', error),
  });
}
