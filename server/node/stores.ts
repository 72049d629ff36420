/** Builds the shared stores of a node: the history in Postgres, and the backplane and its small stores in Redis. */
import { createTransport } from '../backplane/create-transport.ts';
import { createNoBackplane, NO_PRESENCE_STORE } from '../backplane/none.ts';
import { RedisBackplane } from '../backplane/redis.ts';
import type { RedisLogin } from '../backplane/redis-connection.ts';
import { createOnceStore, createPresenceStore } from '../backplane/redis-stores.ts';
import type { Backplane, OnceStore, PresenceStore } from '../backplane/types.ts';
import type { Config } from '../config.ts';
import { PgHistory } from '../history/history.ts';
import type { PostgresLogin } from '../history/pool.ts';
import type { ErrorLog, Logger } from '../logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** What carries messages and state between nodes. */
export interface BackplaneParts {
  readonly backplane: Backplane;
  readonly presenceStore: PresenceStore;
  /** Undefined without Redis. Each node then checks the single use of tickets on its own. */
  readonly once: OnceStore | undefined;
}

export function createHistory(
  config: Config,
  login: PostgresLogin,
  metrics: Metrics,
  log: Logger,
  onError: ErrorLog,
): PgHistory {
  return new PgHistory({
    login,
    poolMax: config.PG_POOL_MAX,
    connectTimeoutMs: config.PG_CONNECT_TIMEOUT_MS,
    statementTimeoutMs: config.PG_STATEMENT_TIMEOUT_MS,
    lanes: config.HISTORY_LANES,
    batchMax: config.HISTORY_BATCH_MAX,
    queueMax: config.HISTORY_QUEUE_MAX,
    partitionDaysAhead: config.HISTORY_PARTITION_DAYS_AHEAD,
    retentionDays: config.HISTORY_RETENTION_DAYS,
    maintenanceIntervalMs: config.HISTORY_MAINTENANCE_INTERVAL_MS,
    metrics,
    log: (message) => log.info(message),
    onError,
  });
}

export function createBackplane(
  config: Config,
  nodeId: string,
  login: RedisLogin | undefined,
  metrics: Metrics,
  onError: ErrorLog,
): BackplaneParts {
  if (!config.REDIS_URL) {
    return { backplane: createNoBackplane(), presenceStore: NO_PRESENCE_STORE, once: undefined };
  }
  const prefix = config.REDIS_PREFIX;
  const transport = createTransport({
    url: config.REDIS_URL,
    cluster: config.REDIS_CLUSTER,
    refreshMs: config.REDIS_CLUSTER_REFRESH_MS,
    prefix,
    nodeId,
    timeoutMs: config.REDIS_TIMEOUT_MS,
    canaryIntervalMs: config.REDIS_CANARY_INTERVAL_MS,
    canaryTimeoutMs: config.REDIS_CANARY_TIMEOUT_MS,
    login,
    metrics,
    onError,
  });
  return {
    backplane: new RedisBackplane({ transport, prefix, nodeId, metrics }),
    presenceStore: createPresenceStore(transport, prefix, nodeId),
    once: createOnceStore(transport, prefix),
  };
}
