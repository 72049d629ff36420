/** Composition root: builds the parts of one node from its settings and wires them. No logic of its own. */
import type { FastifyInstance } from 'fastify';
import { type Authenticator, createAuthenticator } from './auth/authenticator.ts';
import { deriveTicketSecret, Tickets } from './auth/tickets.ts';
import { cacheVerified } from './auth/token-cache.ts';
import { createTokenVerifier } from './auth/tokens.ts';
import { CacheLogin } from './aws/cache-login.ts';
import { type Credentials, createCredentials } from './aws/credentials.ts';
import { startDeregistrationWatch } from './aws/deregistration/start.ts';
import type { Watch } from './aws/deregistration/watch.ts';
import { createRotatingPassword } from './aws/rotating-password.ts';
import { createSecret } from './aws/secret.ts';
import { createTransport } from './backplane/create-transport.ts';
import { createNoBackplane, NO_PRESENCE_STORE } from './backplane/none.ts';
import { RedisBackplane } from './backplane/redis.ts';
import { createOnceStore, createPresenceStore } from './backplane/redis-stores.ts';
import type { Backplane, OnceStore, PresenceStore } from './backplane/types.ts';
import type { Config } from './config.ts';
import { Gateway } from './gateway/gateway.ts';
import type { SessionContext } from './gateway/session-context.ts';
import { loadCertificates } from './history/certificates.ts';
import { PgHistory } from './history/history.ts';
import type { PostgresLogin } from './history/pool.ts';
import { prepareHistory } from './history/prepare.ts';
import { createHttpApp } from './http/app.ts';
import type { Readiness } from './http/health.ts';
import { Hub } from './hub/hub.ts';
import { UserLimits } from './limits/user-limits.ts';
import { createErrorLog, type Logger } from './logger.ts';
import { createPublisher } from './publish/publisher.ts';
import { METRICS } from './telemetry/catalogue.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { observeProcess } from './telemetry/process-metrics.ts';
import { startTelemetry } from './telemetry/start.ts';
import { VERSION } from './version.ts';

export interface RunningNode {
  readonly port: number;
  readonly metricsPort: number;
  /** Leaves service in order: connections first, then what they need. Bounded by DRAIN_TIMEOUT_MS and a little more. */
  stop(): Promise<void>;
}

/** What carries messages and state between nodes. */
interface Shared {
  readonly backplane: Backplane;
  readonly presenceStore: PresenceStore;
  readonly once: OnceStore | undefined;
}

type OnError = (message: string, error: unknown, traceId?: string) => void;

/**
 * Starts a node; resolves when it serves.
 * @throws Error when Postgres is not reachable in time, a migration fails, or a port is taken
 */
export async function startNode(config: Config, nodeId: string, log: Logger): Promise<RunningNode> {
  const onError = createErrorLog(log);
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
  const shared = createShared(config, nodeId, cacheLogin, metrics, onError);
  const hub = createHub(config, history, shared, metrics, onError);
  history.onCommitted = (committed) => hub.committed(committed);
  history.onRestored = () => hub.historyRestored();
  const authenticator = createAuth(config, shared, metrics);
  const userLimits = new UserLimits(config.MAX_CONNECTIONS_PER_USER, config.PUBLISH_RATE_PER_USER);
  const publisher = createPublisher(history, userLimits, metrics);
  const gateway = createGateway(config, log, { nodeId, hub, authenticator, publisher, userLimits, metrics, onError });
  const app = await createHttpApp({
    nodeId,
    version: VERSION,
    authenticator,
    publisher,
    history,
    metrics,
    log,
    maxPayloadBytes: config.MAX_PAYLOAD_BYTES,
    maxConnections: config.MAX_CONNECTIONS + config.MAX_HTTP_CONNECTIONS,
    keepAliveMs: config.HTTP_KEEP_ALIVE_MS,
    allowedOrigins: config.ALLOWED_ORIGINS,
    demoPage: config.DEMO_PAGE,
    readiness: () => readinessOf(config, gateway, history, shared.backplane),
  });
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
    await shared.backplane.close();
    await history.close();
    await telemetry.stop();
  };
  return { port, metricsPort: telemetry.port, stop };
}

/** TCP connections that may wait to be accepted: with Node's 511 the kernel drops a herd, which then waits for seconds. */
const LISTEN_BACKLOG = 4_096;

async function listen(app: FastifyInstance, config: Config): Promise<number> {
  await app.listen({ port: config.PORT, host: config.HOST, backlog: LISTEN_BACKLOG });
  const address = app.server.address();
  return typeof address === 'object' && address ? address.port : config.PORT;
}

type AwsCredentials = () => Promise<Credentials>;

/** Those of the task's role, for all that asks AWS; undefined: nothing does. */
function createAwsCredentials(config: Config): AwsCredentials | undefined {
  if (!config.DATABASE_SECRET_ARN && !config.REDIS_IAM_USER && !config.DEREGISTRATION_TARGET_GROUP_ARN)
    return undefined;
  return createCredentials({
    accessKeyId: config.AWS_ACCESS_KEY_ID,
    secretAccessKey: config.AWS_SECRET_ACCESS_KEY,
    sessionToken: config.AWS_SESSION_TOKEN,
    containerCredentialsRelativeUri: config.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI,
    containerCredentialsFullUri: config.AWS_CONTAINER_CREDENTIALS_FULL_URI,
    containerAuthorizationToken: config.AWS_CONTAINER_AUTHORIZATION_TOKEN,
    timeoutMs: AWS_TIMEOUT_MS,
  });
}

/** Longest wait for AWS, milliseconds: what waits for it (a connection, a look at the target) is tried again. */
const AWS_TIMEOUT_MS = 3_000;

async function createPostgresLogin(
  config: Config,
  credentials: AwsCredentials | undefined,
  onError: OnError,
): Promise<PostgresLogin> {
  const ca = await loadCertificates(config.DATABASE_CA);
  const url = config.DATABASE_URL;
  if (!config.DATABASE_SECRET_ARN || !credentials) return { url, ca };
  const read = createSecret({
    arn: config.DATABASE_SECRET_ARN,
    credentials,
    endpoint: config.AWS_ENDPOINT_URL,
    timeoutMs: AWS_TIMEOUT_MS,
  });
  const onStale = (error: unknown) => onError('The database’s secret (DATABASE_SECRET_ARN) could not be read.', error);
  return { url, ca, password: createRotatingPassword({ read, onStale }) };
}

async function createCacheLogin(
  config: Config,
  credentials: AwsCredentials | undefined,
  onError: OnError,
): Promise<CacheLogin | undefined> {
  if (!config.REDIS_IAM_USER || !credentials) return undefined;
  return CacheLogin.start({
    cache: config.REDIS_IAM_CACHE,
    user: config.REDIS_IAM_USER,
    region: config.AWS_REGION,
    credentials,
    onError: (error) => onError('No new login for Redis (REDIS_IAM_USER) could be made.', error),
  });
}

function createHistory(
  config: Config,
  login: PostgresLogin,
  metrics: Metrics,
  log: Logger,
  onError: OnError,
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

function createShared(
  config: Config,
  nodeId: string,
  login: CacheLogin | undefined,
  metrics: Metrics,
  onError: OnError,
): Shared {
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

function createHub(
  config: Config,
  history: PgHistory,
  { backplane, presenceStore }: Shared,
  metrics: Metrics,
  onError: OnError,
): Hub {
  return new Hub({
    history,
    backplane,
    presenceStore,
    metrics,
    windowMessages: config.TAIL_WINDOW_MESSAGES,
    windowBytes: config.TAIL_WINDOW_BYTES,
    pageSize: config.HISTORY_PAGE_SIZE,
    readConcurrency: config.HISTORY_READ_CONCURRENCY,
    cacheBytes: config.HISTORY_CACHE_BYTES,
    gapHoldMs: config.GAP_HOLD_MS,
    pollIntervalMs: config.HISTORY_POLL_INTERVAL_MS,
    pollIntervalDegradedMs: config.HISTORY_POLL_INTERVAL_DEGRADED_MS,
    flushIntervalMaxMs: config.FLUSH_INTERVAL_MAX_MS,
    writeBytesMax: config.SEND_HIGH_WATER_BYTES,
    presenceTtlMs: config.PRESENCE_TTL_MS,
    onError,
  });
}

function createAuth(config: Config, { once }: Shared, metrics: Metrics): Authenticator {
  const verify = cacheVerified(
    createTokenVerifier({
      secret: config.AUTH_JWT_SECRET,
      jwksUrl: config.AUTH_JWKS_URL,
      issuer: config.AUTH_ISSUER,
      audience: config.AUTH_AUDIENCE,
    }),
  );
  const secret = config.AUTH_TICKET_SECRET || deriveTicketSecret(config.AUTH_JWT_SECRET);
  return createAuthenticator(verify, new Tickets({ secret, once }), metrics);
}

type GatewayParts = Pick<
  SessionContext,
  'nodeId' | 'hub' | 'authenticator' | 'publisher' | 'userLimits' | 'metrics' | 'onError'
>;

function createGateway(config: Config, log: Logger, parts: GatewayParts): Gateway {
  return new Gateway({
    session: {
      ...parts,
      authTimeoutMs: config.AUTH_TIMEOUT_MS,
      commandRate: config.COMMAND_RATE,
      maxSubscriptions: config.MAX_SUBSCRIPTIONS,
      maxInFlightPublishes: config.MAX_IN_FLIGHT_PUBLISHES,
      maxPayloadBytes: config.MAX_PAYLOAD_BYTES,
      heartbeatIntervalMs: config.HEARTBEAT_INTERVAL_MS,
      heartbeatTimeoutMs: config.HEARTBEAT_TIMEOUT_MS,
    },
    allowedOrigins: config.ALLOWED_ORIGINS,
    maxConnections: config.MAX_CONNECTIONS,
    acceptRate: config.ACCEPT_RATE,
    allowQueryToken: config.AUTH_QUERY_TOKEN,
    highWaterBytes: config.SEND_HIGH_WATER_BYTES,
    slowConsumerMaxMs: config.SLOW_CONSUMER_MAX_MS,
    drainRate: config.DRAIN_RATE,
    onDrainProgress: ({ total, remaining, seconds }) =>
      log.info({ connections: total, remaining, seconds: Math.round(seconds) }, 'Drain.'),
  });
}

/** A node that its load balancer takes out of service drains at once; it exits when it is told to (SIGTERM). */
function watchTarget(
  config: Config,
  credentials: AwsCredentials | undefined,
  gateway: Gateway,
  log: Logger,
  onError: OnError,
): Watch | undefined {
  if (!config.DEREGISTRATION_TARGET_GROUP_ARN || !credentials) return undefined;
  return startDeregistrationWatch({
    targetGroupArn: config.DEREGISTRATION_TARGET_GROUP_ARN,
    port: config.PORT,
    intervalMs: config.DEREGISTRATION_POLL_MS,
    timeoutMs: config.DEREGISTRATION_POLL_MS,
    metadataUri: config.ECS_CONTAINER_METADATA_URI_V4,
    endpoint: config.AWS_ENDPOINT_URL,
    credentials,
    onChange: (state) => log.info({ state }, 'State of this target.'),
    onDeregistered: (state) => {
      log.info({ state }, 'This target has been deregistered: draining.');
      gateway.drain(config.DEREGISTRATION_DRAIN_MS).catch((error: unknown) => onError('The drain failed.', error));
    },
    onError: (error) => onError('The state of this target could not be read.', error),
  });
}

function readinessOf(config: Config, gateway: Gateway, history: PgHistory, backplane: Backplane): Readiness {
  return {
    draining: gateway.isDraining,
    full: gateway.isFull,
    connections: gateway.connectionCount,
    postgres: history.isReachable ? 'ok' : 'unreachable',
    redis: !config.REDIS_URL ? 'none' : backplane.isUp ? 'ok' : 'unreachable',
  };
}
