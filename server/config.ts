/**
 * Every setting of a node in one table: name, type, default, reason. The only reader of the environment.
 * Reports every problem at once, naming each variable; never reads a file, never guesses a secret.
 */
import { bool, makeValidator, str } from 'envalid';
import { count, integer, list, milliseconds, port, ratio, readSettings, secret, serverUrl } from './env.ts';

export { ConfigError } from './env.ts';

const arn = (service: string) =>
  makeValidator((input) => {
    if (input !== '' && !new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]+:\\d{12}:\\S+$`).test(input))
      throw new TypeError(`must be an ARN of ${service}, is "${input}"`);
    return input;
  });

const nodeName = makeValidator((input) => {
  // It stands in Redis keys and payload headers, between spaces and bars.
  if (!/^[A-Za-z0-9_.:-]{0,100}$/.test(input)) throw new TypeError('must be at most 100 letters, digits, or _ . : -');
  return input;
});

/** The table. `desc` is the documentation that `npm run docs` prints into server/README.md. */
export const SETTINGS = {
  HOST: str({ default: '0.0.0.0', desc: 'Address to listen on, for the service and the metrics port.' }),
  PORT: port({ default: 8080, desc: 'Port of HTTP and WebSocket. 0 takes a free one.' }),
  METRICS_PORT: port({ default: 9464, desc: 'Port of /metrics (Prometheus). 0 takes a free one. Worker n adds n.' }),
  NODE_ID: nodeName({
    default: '',
    desc: 'Name of this node in logs, metrics and replies. Empty: host name, process id and a random part.',
  }),
  WORKERS: integer(
    1,
    64,
  )({ default: 1, desc: 'Node processes to run behind this port; each counts as a node of its own.' }),
  LOG_LEVEL: str({
    default: 'info',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    desc: 'Least level that is logged.',
  }),
  DEMO_PAGE: bool({ default: false, desc: 'Serve the demo page at /. For development.' }),

  DATABASE_URL: serverUrl(
    'postgres:',
    'postgresql:',
  )({ desc: 'PostgreSQL, the history. Required. Use sslmode=verify-full outside one machine.' }),
  DATABASE_SECRET_ARN: arn('secretsmanager')({
    default: '',
    desc: 'Secret in AWS Secrets Manager with the password, as RDS keeps and changes it; read for each new connection. Empty: the password is in DATABASE_URL.',
  }),
  DATABASE_CA: str({
    default: '',
    desc: 'Certificates that the server’s must lead to: a PEM file, or aws-rds for Amazon’s. Empty: those that the system knows.',
  }),
  PG_POOL_MAX: integer(
    2,
    500,
  )({
    default: 10,
    desc: 'Postgres connections of this node: one for each lane, the rest for reads and checks. Opened at start and kept.',
  }),
  PG_CONNECT_TIMEOUT_MS: milliseconds({
    default: 3_000,
    desc: 'How long a request waits for a Postgres connection before it fails retryably.',
  }),
  PG_STATEMENT_TIMEOUT_MS: milliseconds({
    default: 5_000,
    desc: 'Longest a statement may run; a publish fails retryably after it.',
  }),
  START_TIMEOUT_MS: milliseconds({
    default: 60_000,
    desc: 'How long a starting node keeps trying to reach Postgres before it gives up.',
  }),
  HISTORY_LANES: integer(
    1,
    64,
  )({ default: 4, desc: 'Batches in flight to Postgres. More lanes: more parallel commits, smaller batches.' }),
  HISTORY_BATCH_MAX: integer(1, 10_000)({ default: 1_000, desc: 'Most messages in one commit.' }),
  HISTORY_QUEUE_MAX: count({
    default: 20_000,
    desc: 'Messages that may wait for a commit on this node; beyond it publishes fail with overloaded.',
  }),
  HISTORY_PAGE_SIZE: integer(1, 1_000)({ default: 200, desc: 'Messages per page of a catch-up read.' }),
  HISTORY_READ_CONCURRENCY: integer(
    1,
    100,
  )({ default: 4, desc: 'Catch-up reads in flight; keeps a herd from taking every connection.' }),
  HISTORY_CACHE_BYTES: integer(
    0,
    1_073_741_824,
  )({ default: 33_554_432, desc: 'Memory for recently read history pages, shared by all who catch up.' }),
  HISTORY_PARTITION_DAYS_AHEAD: integer(
    1,
    60,
  )({ default: 7, desc: 'Daily partitions made in advance; how long Postgres may refuse DDL unnoticed.' }),

  HISTORY_RETENTION_DAYS: integer(
    0,
    3_650,
  )({
    default: 0,
    desc: 'Days of messages to keep, whole days in UTC. 0 keeps all. Positions older than that cannot be recovered.',
  }),
  HISTORY_MAINTENANCE_INTERVAL_MS: milliseconds({
    default: 600_000,
    desc: 'Time between rounds of maintenance: partitions made in advance, expired ones dropped.',
  }),

  REDIS_URL: serverUrl(
    'redis:',
    'rediss:',
  )({
    default: '',
    desc: 'Redis, the backplane. Empty: none; nodes then find each other’s messages by reading the history.',
  }),
  REDIS_CLUSTER: bool({
    default: false,
    desc: 'REDIS_URL leads to a Redis Cluster (Redis 7 or later, Valkey): channels are spread over its servers by sharded Pub/Sub.',
  }),
  REDIS_CLUSTER_REFRESH_MS: milliseconds({
    default: 10_000,
    desc: 'Time between looks at which server of the cluster has what. It is looked up at once when a server refuses or is lost.',
  }),
  REDIS_IAM_USER: str({
    default: '',
    desc: 'User in ElastiCache to log in as with the role of this task (IAM). Empty: user and password are in REDIS_URL.',
  }),
  REDIS_IAM_CACHE: str({ default: '', desc: 'Id of the replication group for that login.' }),
  REDIS_PREFIX: str({
    default: 'holdfast:',
    desc: 'Prefix of every Redis key and channel, so that deployments can share a server.',
  }),
  REDIS_TIMEOUT_MS: milliseconds({
    default: 1_000,
    desc: 'Longest wait for a Redis reply before going on without it.',
  }),
  REDIS_CANARY_INTERVAL_MS: milliseconds({
    default: 1_000,
    desc: 'Time between tests of the Redis subscription: this node publishes to itself and listens.',
  }),
  REDIS_CANARY_TIMEOUT_MS: milliseconds({
    default: 3_000,
    desc: 'Silence after which the subscription counts as deaf and is opened anew. At least two intervals.',
  }),

  AUTH_JWT_SECRET: secret({ default: '', desc: 'Key of HS256 tokens. This or AUTH_JWKS_URL is required.' }),
  AUTH_JWKS_URL: serverUrl(
    'https:',
    'http:',
  )({ default: '', desc: 'Where the public keys of the token issuer are (RS256, ES256, EdDSA …).' }),
  AUTH_ISSUER: str({ default: '', desc: 'Required `iss` of tokens. Empty: not checked.' }),
  AUTH_AUDIENCE: str({ default: '', desc: 'Required `aud` of tokens. Empty: not checked.' }),
  AUTH_TICKET_SECRET: secret({
    default: '',
    desc: 'Key that signs tickets, the same on all nodes. Empty: derived from AUTH_JWT_SECRET.',
  }),
  AUTH_QUERY_TOKEN: bool({ default: false, desc: 'Accept /ws?token=<jwt>. Off: such tokens end up in access logs.' }),
  AUTH_TIMEOUT_MS: milliseconds({ default: 5_000, desc: 'How long a connection may stay unauthenticated.' }),
  ALLOWED_ORIGINS: list({
    default: [],
    desc: 'Browser origins that may connect besides the service’s own host, separated by commas; * for all.',
  }),

  MAX_PAYLOAD_BYTES: integer(256, 16_777_216)({ default: 65_536, desc: 'Largest frame or request body.' }),
  MAX_CONNECTIONS: count({ default: 50_000, desc: 'Connections this node accepts; the denominator of autoscaling.' }),
  MAX_HTTP_CONNECTIONS: count({
    default: 1_000,
    desc: 'TCP connections besides the WebSockets: requests, health checks, upgrades that are under way.',
  }),
  MAX_CONNECTIONS_PER_USER: count({ default: 50, desc: 'Connections one user may have on this node.' }),
  MAX_SUBSCRIPTIONS: count({ default: 200, desc: 'Subscriptions one connection may have.' }),
  ACCEPT_RATE: count({
    default: 1_000,
    desc: 'New connections per second this node accepts; the rest get 503 and Retry-After.',
  }),
  COMMAND_RATE: count({
    default: 200,
    desc: 'Commands per second one connection may send, with bursts of twice that.',
  }),
  PUBLISH_RATE_PER_USER: count({
    default: 500,
    desc: 'Publishes per second of one user on this node, with bursts of twice that.',
  }),
  MAX_IN_FLIGHT_PUBLISHES: count({ default: 1_000, desc: 'Publishes one connection may have waiting for their ack.' }),
  HTTP_KEEP_ALIVE_MS: milliseconds({
    default: 65_000,
    desc: 'How long an idle HTTP connection stays open. Keep it above the load balancer’s idle timeout (60 s is usual): who closes first must be the balancer, or it sends requests into closed connections.',
  }),
  HEARTBEAT_INTERVAL_MS: milliseconds({
    default: 30_000,
    desc: 'Time between pings. Keep it below the load balancer’s idle timeout.',
  }),
  HEARTBEAT_TIMEOUT_MS: milliseconds({
    default: 10_000,
    desc: 'Time a pong may take before the connection is terminated.',
  }),
  SEND_HIGH_WATER_BYTES: integer(
    1_024,
    67_108_864,
  )({
    default: 262_144,
    desc: 'Unsent bytes at which a connection stops being live and catches up later; also the most that is written to it at once.',
  }),
  SLOW_CONSUMER_MAX_MS: milliseconds({
    default: 30_000,
    desc: 'How long a connection may stay blocked before it is closed with 4000.',
  }),

  TAIL_WINDOW_MESSAGES: integer(
    0,
    100_000,
  )({ default: 256, desc: 'Recent messages a tail keeps in memory, so that short absences need no read.' }),
  TAIL_WINDOW_BYTES: integer(0, 67_108_864)({ default: 262_144, desc: 'Bytes of recent messages a tail keeps.' }),
  GAP_HOLD_MS: milliseconds({
    default: 40,
    desc: 'How long a tail waits for a missing message before it reads the history.',
  }),
  HISTORY_POLL_INTERVAL_MS: milliseconds({
    default: 3_000,
    desc: 'Time between checks of the history for commits that nobody announced.',
  }),
  HISTORY_POLL_INTERVAL_DEGRADED_MS: milliseconds({
    default: 200,
    desc: 'The same while the backplane is away: the pace of degraded delivery.',
  }),
  FLUSH_INTERVAL_MAX_MS: milliseconds({
    default: 20,
    desc: 'Longest pause between two fan-out flushes of a busy node.',
  }),
  PRESENCE_TTL_MS: integer(
    1_000,
    86_400_000,
  )({ default: 30_000, desc: 'After this long without a sign of life a node’s users leave the presence.' }),

  DRAIN_RATE: count({ default: 500, desc: 'Connections per second asked to reconnect while draining.' }),
  DRAIN_TIMEOUT_MS: milliseconds({
    default: 30_000,
    desc: 'Longest a drain may take after SIGTERM before the node exits anyway.',
  }),

  DEREGISTRATION_TARGET_GROUP_ARN: str({
    default: '',
    desc: 'Load balancer target group of this ECS task. A node that is taken out of it begins to drain, long before SIGTERM. Empty: not watched.',
  }),
  DEREGISTRATION_POLL_MS: integer(
    1_000,
    600_000,
  )({
    default: 10_000,
    desc: 'Time between looks at the target’s state. AWS allows an account 10 such calls per second.',
  }),
  DEREGISTRATION_DRAIN_MS: milliseconds({
    default: 270_000,
    desc: 'Longest a drain may take that begins with the deregistration. Below the target group’s deregistration delay, at whose end the load balancer cuts what is left.',
  }),
  AWS_REGION: str({ default: '', desc: 'Set by ECS: the region, for REDIS_IAM_USER.' }),
  AWS_ENDPOINT_URL: serverUrl('http:', 'https:')({ default: '', desc: 'In place of the endpoint of AWS, for tests.' }),
  ECS_CONTAINER_METADATA_URI_V4: serverUrl('http:')({
    default: '',
    desc: 'Set by ECS: where this task learns its address.',
  }),
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: str({
    default: '',
    desc: 'Set by ECS: where the credentials of the task role are.',
  }),
  AWS_CONTAINER_CREDENTIALS_FULL_URI: str({ default: '', desc: 'The same as a whole URL.' }),
  AWS_CONTAINER_AUTHORIZATION_TOKEN: str({ default: '', desc: 'Sent to that URL.' }),
  AWS_ACCESS_KEY_ID: str({ default: '', desc: 'Fixed credentials instead of those of the task role.' }),
  AWS_SECRET_ACCESS_KEY: str({ default: '', desc: 'Their secret.' }),
  AWS_SESSION_TOKEN: str({ default: '', desc: 'Their session token, if they are temporary.' }),

  OTEL_EXPORTER_OTLP_ENDPOINT: serverUrl(
    'http:',
    'https:',
  )({ default: '', desc: 'Where traces are sent (OTLP over HTTP). Empty: no tracing.' }),
  TRACE_SAMPLE_RATIO: ratio({ default: 0.01, desc: 'Share of publishes that are traced when tracing is on.' }),
};

/** The settings of one node, checked. */
export type Config = { readonly [K in keyof typeof SETTINGS]: ReturnType<typeof loadConfig>[K] };

/**
 * Reads and checks the settings.
 * @throws ConfigError with every problem, each naming its variable
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>) {
  return readSettings(SETTINGS, env, crossChecks);
}

function crossChecks(config: {
  readonly AUTH_JWT_SECRET: string;
  readonly AUTH_JWKS_URL: string;
  readonly AUTH_TICKET_SECRET: string;
  readonly DATABASE_URL: string;
  readonly DATABASE_SECRET_ARN: string;
  readonly DATABASE_CA: string;
  readonly REDIS_URL: string;
  readonly REDIS_CLUSTER: boolean;
  readonly REDIS_PREFIX: string;
  readonly REDIS_IAM_USER: string;
  readonly REDIS_IAM_CACHE: string;
  readonly AWS_REGION: string;
  readonly HISTORY_LANES: number;
  readonly PG_POOL_MAX: number;
  readonly HEARTBEAT_INTERVAL_MS: number;
  readonly HEARTBEAT_TIMEOUT_MS: number;
  readonly REDIS_CANARY_INTERVAL_MS: number;
  readonly REDIS_CANARY_TIMEOUT_MS: number;
}): string[] {
  const problems: string[] = [];
  if (config.DATABASE_URL === '')
    problems.push('DATABASE_URL is empty. It names the PostgreSQL server of the history.');
  if (!config.AUTH_JWT_SECRET && !config.AUTH_JWKS_URL)
    problems.push('AUTH_JWT_SECRET or AUTH_JWKS_URL must be set: tokens could not be checked.');
  if (config.AUTH_JWT_SECRET && config.AUTH_JWKS_URL)
    problems.push('AUTH_JWT_SECRET and AUTH_JWKS_URL are both set; keep one.');
  if (config.AUTH_JWKS_URL && !config.AUTH_TICKET_SECRET)
    problems.push('AUTH_TICKET_SECRET must be set together with AUTH_JWKS_URL.');
  if (config.HISTORY_LANES >= config.PG_POOL_MAX)
    problems.push(
      `HISTORY_LANES (${config.HISTORY_LANES}) must be below PG_POOL_MAX (${config.PG_POOL_MAX}): reads need a connection too.`,
    );
  if (config.HEARTBEAT_TIMEOUT_MS >= config.HEARTBEAT_INTERVAL_MS)
    problems.push('HEARTBEAT_TIMEOUT_MS must be below HEARTBEAT_INTERVAL_MS.');
  if (config.REDIS_CANARY_TIMEOUT_MS < 2 * config.REDIS_CANARY_INTERVAL_MS)
    problems.push(
      'REDIS_CANARY_TIMEOUT_MS must be at least twice REDIS_CANARY_INTERVAL_MS: one late answer is no outage.',
    );
  return [
    ...problems,
    ...postgresLoginProblems(config),
    ...redisClusterProblems(config),
    ...redisLoginProblems(config),
  ];
}

function postgresLoginProblems(config: {
  readonly DATABASE_URL: string;
  readonly DATABASE_SECRET_ARN: string;
  readonly DATABASE_CA: string;
}): string[] {
  const { DATABASE_URL, DATABASE_SECRET_ARN, DATABASE_CA } = config;
  if (DATABASE_URL === '' || (DATABASE_SECRET_ARN === '' && DATABASE_CA === '')) return [];
  const { password, searchParams } = new URL(DATABASE_URL);
  const problems: string[] = [];
  const others = [...searchParams.keys()].filter((name) => name !== 'sslmode');
  if (others.length > 0)
    problems.push(
      `DATABASE_URL has ${others.join(', ')}; with DATABASE_SECRET_ARN or DATABASE_CA it may have sslmode only.`,
    );
  if (DATABASE_SECRET_ARN !== '' && password !== '')
    problems.push('DATABASE_URL has a password, and DATABASE_SECRET_ARN names another; keep one.');
  if (DATABASE_CA !== '' && searchParams.get('sslmode') !== 'verify-full')
    problems.push('DATABASE_CA asks for a verified server; DATABASE_URL must then say sslmode=verify-full.');
  return problems;
}

function redisClusterProblems({
  REDIS_URL,
  REDIS_CLUSTER,
  REDIS_PREFIX,
}: {
  readonly REDIS_URL: string;
  readonly REDIS_CLUSTER: boolean;
  readonly REDIS_PREFIX: string;
}): string[] {
  if (!REDIS_CLUSTER) return [];
  const problems: string[] = [];
  if (/[{}]/.test(REDIS_PREFIX))
    problems.push('REDIS_PREFIX has braces, which keep everything on one server of a Redis Cluster (REDIS_CLUSTER).');
  if (REDIS_URL === '') problems.push('REDIS_CLUSTER is true, and REDIS_URL names no server of the cluster.');
  else if (!['', '/', '/0'].includes(new URL(REDIS_URL).pathname))
    problems.push('REDIS_URL chooses a database; a Redis Cluster (REDIS_CLUSTER) has none but 0.');
  return problems;
}

function redisLoginProblems(config: {
  readonly REDIS_URL: string;
  readonly REDIS_IAM_USER: string;
  readonly REDIS_IAM_CACHE: string;
  readonly AWS_REGION: string;
}): string[] {
  const { REDIS_URL, REDIS_IAM_USER, REDIS_IAM_CACHE, AWS_REGION } = config;
  if (REDIS_IAM_USER === '' && REDIS_IAM_CACHE === '') return [];
  const problems: string[] = [];
  if (REDIS_IAM_USER === '' || REDIS_IAM_CACHE === '')
    problems.push('REDIS_IAM_USER and REDIS_IAM_CACHE must be set together.');
  if (!REDIS_URL.startsWith('rediss://'))
    problems.push('REDIS_IAM_USER needs TLS: REDIS_URL must begin with rediss://.');
  else if (new URL(REDIS_URL).password !== '')
    problems.push('REDIS_URL has a password, and REDIS_IAM_USER logs in without one; keep one.');
  if (AWS_REGION === '') problems.push('AWS_REGION must be set together with REDIS_IAM_USER.');
  return problems;
}
