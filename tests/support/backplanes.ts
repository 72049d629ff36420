/** The two kinds of backplane, for tests that must pass on both: one Redis, and a Redis Cluster of three primaries. */
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { removeTemporary, temporaryDirectory } from '../../infra/host/reaper.ts';
import type { Cluster } from '../../infra/local/servers/cluster.ts';
import { RedisServer } from '../../infra/local/servers/redis.ts';
import { metric } from './api.ts';
import { startTestCluster, type TestClusterOptions } from './cluster.ts';
import type { RequirementName } from './programs.ts';
import { TestRedisCluster } from './redis-cluster.ts';
import { eventually } from './wait.ts';

export interface RunningBackplane {
  /** Options for `startTestCluster`; merge `env` with that of the test. */
  readonly options: { readonly redisUrl: string; readonly env: NonNullable<TestClusterOptions['env']> };
  readonly servers: readonly RedisServer[];
  /** Number of nodes that are subscribed to this Redis channel, summed over all servers. */
  subscribers(name: string): Promise<number>;
  stop(): Promise<void>;
}

export interface BackplaneKind {
  readonly name: 'one Redis' | 'a Redis Cluster';
  readonly needs: RequirementName;
  start(): Promise<RunningBackplane>;
}

export const BACKPLANES: readonly BackplaneKind[] = [
  { name: 'one Redis', needs: 'redis', start: startOne },
  { name: 'a Redis Cluster', needs: 'redis7', start: startThree },
];

/** Starts a cluster over this backplane and waits until every node receives from it. `cluster.stop()` stops both. */
export async function startClusterOver(
  kind: BackplaneKind,
  options: TestClusterOptions = {},
): Promise<{ cluster: Cluster; backplane: RunningBackplane }> {
  const backplane = await kind.start();
  const { redisUrl, env } = backplane.options;
  const stopAfter = (stop: () => Promise<void>) => async (error: unknown) => {
    await stop();
    throw error;
  };
  const cluster = await startTestCluster({ ...options, redisUrl, env: { ...options.env, ...env } }).catch(
    stopAfter(() => backplane.stop()),
  );
  cluster.onStopped(() => backplane.stop());
  const nodesReceive = cluster.nodes.map(({ metricsUrl }) =>
    eventually(async () => {
      if ((await metric(metricsUrl, 'holdfast_backplane_up')) !== 1)
        throw new Error('A node does not receive from Redis.');
    }),
  );
  await Promise.all(nodesReceive).catch(stopAfter(() => cluster.stop()));
  return { cluster, backplane };
}

async function startOne(): Promise<RunningBackplane> {
  const logs = temporaryDirectory('backplane');
  const server = await RedisServer.start({ logFile: join(logs, 'redis.log') });
  const redis = new Redis(server.url);
  return {
    options: { redisUrl: server.url, env: {} },
    servers: [server],
    subscribers: async (name) => Number((await redis.pubsub('NUMSUB', name))[1]),
    async stop() {
      redis.disconnect();
      await server.stop();
      removeTemporary(logs);
    },
  };
}

async function startThree(): Promise<RunningBackplane> {
  const cluster = await TestRedisCluster.start();
  return {
    options: { redisUrl: cluster.url, env: { REDIS_CLUSTER: 'true' } },
    servers: cluster.servers,
    async subscribers(name) {
      const counts = await Promise.all(cluster.servers.map((server) => cluster.subscribersAt(server, name)));
      return counts.reduce((sum, { sharded }) => sum + sharded, 0);
    },
    stop: () => cluster.stop(),
  };
}
