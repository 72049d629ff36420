/**
 * Settings of the server that an environment must not set: the stacks derive them from what they build, and another
 * value would contradict it.
 */
export const RESERVED_SETTINGS: readonly string[] = [
  'HOST',
  'PORT',
  'METRICS_PORT',
  'WORKERS',
  'NODE_ID',
  'DATABASE_URL',
  'DATABASE_SECRET_ARN',
  'DATABASE_CA',
  'REDIS_URL',
  'REDIS_CLUSTER',
  'REDIS_IAM_USER',
  'REDIS_IAM_CACHE',
  'AUTH_JWT_SECRET',
  'AUTH_TICKET_SECRET',
  'MAX_CONNECTIONS',
  'ACCEPT_RATE',
  'DRAIN_RATE',
  'HISTORY_RETENTION_DAYS',
  'DEREGISTRATION_TARGET_GROUP_ARN',
  'DEREGISTRATION_DRAIN_MS',
  'HTTP_KEEP_ALIVE_MS',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'TRACE_SAMPLE_RATIO',
];
