/**
 * A cluster for one test file: a database of its own on the shared PostgreSQL, a Redis of its own, nodes on free
 * ports.
 */
import { type Cluster, type ClusterOptions, startCluster } from '../../infra/local/servers/cluster.ts';
import { createDatabase } from './database.ts';

export type TestClusterOptions = Partial<ClusterOptions> & {
  /** Start a PostgreSQL for this cluster alone, to kill it or to pause it. Default false. */
  readonly ownPostgres?: boolean;
};

/** For tests whose few clients send as much as many would. */
export const NO_RATE_LIMITS = { COMMAND_RATE: '1000000', PUBLISH_RATE_PER_USER: '1000000' } as const;

/**
 * Two nodes with Redis and without a balancer, unless told otherwise. `stop()` it in `afterAll`.
 * Heartbeat and drain are as in production; tests that need other timings pass `env`.
 */
export async function startTestCluster({ ownPostgres = false, ...options }: TestClusterOptions = {}): Promise<Cluster> {
  const wanted: ClusterOptions = { nodes: 2, redis: true, nginx: false, ...options };
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
