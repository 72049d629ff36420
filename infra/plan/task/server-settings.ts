/**
 * The settings that the stacks pass to a node: limits from the environment, and addresses and names of what was built.
 * `service.settings` adds further settings, but none of these (RESERVED_SETTINGS). Pure.
 */
import { noticeSeconds } from '../../environments/timing.ts';
import type { Environment } from '../../environments/types.ts';
import { COLLECTOR_PORTS } from './collector-config.ts';
import { COLLECTOR_MEMORY_MB } from './containers.ts';

export interface Built {
  readonly databaseHost: string;
  readonly databaseName: string;
  readonly databaseUser: string;
  readonly databaseSecretArn: string;
  readonly redisHost: string;
  readonly redisUser: string;
  /** Replication group id. */
  readonly redisName: string;
  readonly targetGroupArn: string;
}

export const METRICS_PORT = 9_464;

/** Memory of the node's container, MiB: that of the task without the share of the collector. */
export const nodeMemoryMb = ({ service }: Environment) => service.memoryMb - COLLECTOR_MEMORY_MB;

/** Share of that memory for the JavaScript heap. Socket buffers, code and the kernel use the rest. */
const HEAP_SHARE = 0.65;

/** Environment variables of the node's container, without its secrets. */
export function serverSettings(environment: Environment, built: Built, port: number): Record<string, string> {
  const { service, postgres, redis, observability } = environment;
  return {
    ...service.settings,
    PORT: String(port),
    METRICS_PORT: String(METRICS_PORT),
    DATABASE_URL: `postgres://${built.databaseUser}@${built.databaseHost}:5432/${built.databaseName}?sslmode=verify-full`,
    DATABASE_SECRET_ARN: built.databaseSecretArn,
    DATABASE_CA: 'aws-rds',
    REDIS_URL: `rediss://${built.redisHost}:6379`,
    REDIS_CLUSTER: String(redis.shards > 0),
    REDIS_IAM_USER: built.redisUser,
    REDIS_IAM_CACHE: built.redisName,
    MAX_CONNECTIONS: String(service.maxConnections),
    ACCEPT_RATE: String(service.acceptRate),
    DRAIN_RATE: String(service.drainRate),
    DEREGISTRATION_DRAIN_MS: String((service.deregistrationDelay - noticeSeconds(environment)) * 1_000),
    // Longer than the idle timeout of the load balancer. Otherwise it sends requests on connections that the node is
    // closing, and answers 502.
    HTTP_KEEP_ALIVE_MS: String((service.idleTimeout + 5) * 1_000),
    HISTORY_RETENTION_DAYS: String(postgres.retentionDays),
    DEREGISTRATION_TARGET_GROUP_ARN: built.targetGroupArn,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${COLLECTOR_PORTS.otlpHttp}`,
    TRACE_SAMPLE_RATIO: String(observability.traceRatio),
    NODE_OPTIONS: `--max-old-space-size=${Math.floor(nodeMemoryMb(environment) * HEAP_SHARE)}`,
  };
}
