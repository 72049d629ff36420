/**
 * Composition root: builds the parts of one node in order, connects them, and stops them in order. The builders in `node/`
 * map settings to the options of each part. Neither this file nor the builders decide anything about messages or clients.
 */
import type { FastifyInstance } from 'fastify';
import type { Config } from './config.ts';
import { prepareHistory } from './history/prepare.ts';
import type { Readiness } from './http/health.ts';
import { UserLimits } from './limits/user-limits.ts';
import { createErrorLog, type Logger } from './logger.ts';
import { createAwsCredentials, createCacheLogin, createPostgresLogin, watchTarget } from './node/aws.ts';
import { createAuth, createGateway, createHttp, createHub } from './node/edge.ts';
import { createBackplane, createHistory } from './node/stores.ts';
import { createPublisher } from './publish/publisher.ts';
import { METRICS } from './telemetry/catalogue.ts';
import { observeProcess } from './telemetry/process-metrics.ts';
import { startTelemetry } from './telemetry/start.ts';
import { VERSION } from './version.ts';

export interface RunningNode {
  readonly port: number;
  readonly metricsPort: number;
  /** Drains the connections, then closes the parts below them. Takes at most DRAIN_TIMEOUT_MS plus the closing of the parts. */
  stop(): Promise<void>;
}

/**
 * Starts a node. Resolves when it accepts connections.
 * @throws Error when Postgres cannot be reached in time, a migration fails, or a port is in use
 */
export async function startNode(config: Config, nodeId: string, log: Logger): Promise<RunningNode> {
  const onError = createErrorLog(log);

  // Postgres first: without it a node cannot start.
  const credentials = createAwsCredentials(config);
  const login = await createPostgresLogin(config, credentials, onError);
  await prepareHistory({
    login,
    timeoutMs: config.START_TIMEOUT_MS,
    partitionDaysAhead: config.HISTORY_PARTITION_DAYS_AHEAD,
    log: (message) => log.info(message),
  });

  const telemetry = await startTelemetry({
    service: 'holdfast',
    instanceId: nodeId,
    catalogue: METRICS,
    version: VERSION,
    host: config.HOST,
    metricsPort: config.METRICS_PORT,
    otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    sampleRatio: config.TRACE_SAMPLE_RATIO,
  });
  const { metrics } = telemetry;
  observeProcess(metrics, config.WORKERS);

  const history = createHistory(config, login, metrics, log, onError);
  const cacheLogin = await createCacheLogin(config, credentials, onError);
  const { backplane, presenceStore, once } = createBackplane(config, nodeId, cacheLogin, metrics, onError);

  const hub = createHub(config, { history, backplane, presenceStore, metrics, onError });
  history.onCommitted = (committed) => hub.committed(committed);
  history.onRestored = () => hub.historyRestored();

  const authenticator = createAuth(config, once, metrics);
  const userLimits = new UserLimits(config.MAX_CONNECTIONS_PER_USER, config.PUBLISH_RATE_PER_USER);
  const publisher = createPublisher(history, userLimits, metrics);
  const gateway = createGateway(config, log, { nodeId, hub, authenticator, publisher, userLimits, metrics, onError });
  const readiness = (): Readiness => ({
    draining: gateway.isDraining,
    full: gateway.isFull,
    connections: gateway.connectionCount,
    postgres: history.isReachable ? 'ok' : 'unreachable',
    redis: !config.REDIS_URL ? 'none' : backplane.isUp ? 'ok' : 'unreachable',
  });
  const app = await createHttp(config, { nodeId, authenticator, publisher, history, metrics, log, readiness });

  await history.start();
  await hub.start();
  gateway.attach(app.server);
  const port = await listen(app, config);
  const watch = watchTarget(config, credentials, gateway, log, onError);

  const stop = async () => {
    watch?.stop();
    await gateway.drain(config.DRAIN_TIMEOUT_MS);
    gateway.stop();
    await app.close();
    hub.stop();
    cacheLogin?.stop();
    await backplane.close();
    await history.close();
    await telemetry.stop();
  };
  return { port, metricsPort: telemetry.port, stop };
}

/**
 * TCP connections that the kernel queues until the node accepts them. With the default of Node.js (511) the kernel drops
 * connection attempts when many clients reconnect at once, and those clients retry seconds later.
 */
const LISTEN_BACKLOG = 4_096;

async function listen(app: FastifyInstance, config: Config): Promise<number> {
  await app.listen({ port: config.PORT, host: config.HOST, backlog: LISTEN_BACKLOG });
  const address = app.server.address();
  return typeof address === 'object' && address ? address.port : config.PORT;
}
