/**
 * The environments: every size, limit and time of a deployment is here, as typed values. Edit this file to change one;
 * `rules.ts` says which values cannot work, and why. Reads no environment variables, makes no resources.
 */
import type { Environment, EnvironmentName } from './types.ts';

/** Addresses of the people who look at dashboards. These are nobody's (RFC 5737): put yours here. */
const OFFICE = ['198.51.100.0/24'];

/** Your copy of this repository, as your people read it. */
const RUNBOOKS = 'https://git.example.com/holdfast/runbooks';

/** One machine's worth, for trying things: nothing in it survives the loss of a zone, and none of it is protected. */
const dev: Environment = {
  name: 'dev',
  region: 'us-east-1',
  protected: false,
  domain: undefined,
  network: { cidr: '10.10.0.0/16', zones: 2, nat: 'one', endpoints: false, flowLogDays: 7 },
  postgres: {
    version: '17',
    instanceClass: 'db.t4g.micro',
    storageGb: 20,
    maxStorageGb: 50,
    multiAz: false,
    backupDays: 2,
    finalSnapshot: false,
    retentionDays: 30,
  },
  redis: { engine: 'valkey', version: '8.0', nodeType: 'cache.t4g.micro', replicas: 0, shards: 0 },
  service: {
    architecture: 'ARM64',
    cpu: 512,
    memoryMb: 1_024,
    minTasks: 1,
    maxTasks: 3,
    targetConnections: 1_000,
    maxConnections: 2_000,
    targetCpuPercent: 60,
    scaleOutCooldown: 240,
    scaleInBelowPercent: 45,
    scaleInCooldown: 600,
    idleTimeout: 120,
    deregistrationDelay: 90,
    drainRate: 50,
    acceptRate: 200,
    wafRequestsPerAddress: 10_000,
    settings: { LOG_LEVEL: 'debug', DEMO_PAGE: 'true' },
  },
  observability: {
    logDays: 14,
    onCallEmail: undefined,
    grafana: undefined,
    probes: false,
    probeTokenArn: undefined,
    runbooksUrl: RUNBOOKS,
    traceRatio: 1,
  },
  state: { backend: 'local' },
  secretsVersion: 1,
  tags: { Service: 'holdfast' },
};

/** Prod's shape at the smallest sizes: what works here works there. */
const staging: Environment = {
  name: 'staging',
  region: 'us-east-1',
  protected: false,
  domain: { zone: 'example.com', host: 'realtime-staging.example.com' },
  network: { cidr: '10.20.0.0/16', zones: 2, nat: 'one', endpoints: false, flowLogDays: 30 },
  postgres: {
    version: '17',
    instanceClass: 'db.t4g.medium',
    storageGb: 50,
    maxStorageGb: 200,
    multiAz: true,
    backupDays: 7,
    finalSnapshot: true,
    retentionDays: 30,
  },
  redis: { engine: 'valkey', version: '8.0', nodeType: 'cache.t4g.small', replicas: 1, shards: 0 },
  service: {
    architecture: 'ARM64',
    cpu: 1_024,
    memoryMb: 2_048,
    minTasks: 2,
    maxTasks: 6,
    targetConnections: 5_000,
    maxConnections: 10_000,
    targetCpuPercent: 60,
    scaleOutCooldown: 240,
    scaleInBelowPercent: 60,
    scaleInCooldown: 600,
    idleTimeout: 120,
    deregistrationDelay: 180,
    drainRate: 100,
    acceptRate: 500,
    wafRequestsPerAddress: 5_000,
    settings: { LOG_LEVEL: 'info' },
  },
  observability: {
    logDays: 30,
    onCallEmail: undefined,
    grafana: { cidrs: OFFICE },
    probes: true,
    probeTokenArn: undefined,
    runbooksUrl: RUNBOOKS,
    traceRatio: 0.1,
  },
  state: { backend: 'local' },
  secretsVersion: 1,
  tags: { Service: 'holdfast' },
};

/** Survives the loss of a zone without a person: three zones, a standby of everything, one NAT gateway in each. */
const prod: Environment = {
  name: 'prod',
  region: 'us-east-1',
  protected: true,
  domain: { zone: 'example.com', host: 'realtime.example.com' },
  network: { cidr: '10.30.0.0/16', zones: 3, nat: 'per-zone', endpoints: true, flowLogDays: 365 },
  postgres: {
    version: '17',
    instanceClass: 'db.m7g.large',
    storageGb: 200,
    maxStorageGb: 1_000,
    multiAz: true,
    backupDays: 35,
    finalSnapshot: true,
    retentionDays: 90,
  },
  redis: { engine: 'valkey', version: '8.0', nodeType: 'cache.m7g.large', replicas: 2, shards: 0 },
  service: {
    architecture: 'ARM64',
    // Node uses one core for JavaScript; the rest is for the kernel's network work and the collector beside it.
    cpu: 2_048,
    memoryMb: 4_096,
    // One in each zone; two of them carry the load while a third is replaced.
    minTasks: 3,
    maxTasks: 40,
    targetConnections: 10_000,
    maxConnections: 20_000,
    targetCpuPercent: 60,
    scaleOutCooldown: 240,
    scaleInBelowPercent: 70,
    scaleInCooldown: 600,
    idleTimeout: 120,
    // 20,000 connections at 150 a second take 134 s, on top of the 10 s until the node knows.
    deregistrationDelay: 240,
    drainRate: 150,
    acceptRate: 1_000,
    wafRequestsPerAddress: 5_000,
    // Eight Postgres connections each: with 40 tasks, and twice that in a deployment, the class's limit is near.
    settings: { LOG_LEVEL: 'info', PG_POOL_MAX: '8' },
  },
  observability: {
    logDays: 365,
    onCallEmail: undefined,
    grafana: { cidrs: OFFICE },
    probes: true,
    probeTokenArn: undefined,
    runbooksUrl: RUNBOOKS,
    traceRatio: 0.01,
  },
  state: { backend: 'local' },
  secretsVersion: 1,
  tags: { Service: 'holdfast' },
};

export const ENVIRONMENTS: Readonly<Record<EnvironmentName, Environment>> = { dev, staging, prod };
