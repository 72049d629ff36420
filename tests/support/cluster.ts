/**
 * A cluster for one test file: its own database on the PostgreSQL that all tests share, its own Redis, and nodes on
 * free ports.
 */
import { type Cluster, type ClusterOptions, startCluster } from '../../infra/local/servers/cluster.ts';
import { createDatabase } from './database.ts';

export type TestClusterOptions = Partial<ClusterOptions> & {
  /** Start a PostgreSQL for this cluster alone, so that a test can kill or pause it. Default false. */
  readonly ownPostgres?: boolean;
};

/** A node opens its connections at start, and each costs the shared PostgreSQL 25 ms of CPU time. */
const FEW_CONNECTIONS = { PG_POOL_MAX: '6' };

/** For tests in which a few clients send what many would. */
export const NO_RATE_LIMITS = { COMMAND_RATE: '1000000', PUBLISH_RATE_PER_USER: '1000000' } as const;

/**
 * By default two nodes with Redis and without a balancer. Call `stop()` in `afterAll`.
 * Heartbeat and drain have their production defaults; a test that needs other timings passes `env`.
 */
export async function startTestCluster({ ownPostgres = false, ...options }: TestClusterOptions = {}): Promise<Cluster> {
  const env = { ...FEW_CONNECTIONS, ...options.env };
  const wanted: ClusterOptions = { nodes: 2, redis: true, nginx: false, ...options, env };
  if (ownPostgres || wanted.databaseUrl !== undefined) return startCluster(wanted);
  const database = await createDatabase();
  try {
    const cluster = await startCluster({ ...wanted, databaseUrl: database.url });
    cluster.onStopped(database.drop);
    return cluster;
  } catch (error) {
    await database.drop();
    throw error;
  }
}
