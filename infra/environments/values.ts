/**
 * The environments as typed values: every size, limit and time of a deployment. Edit this file to change one; the
 * meaning of each value is in `types.ts`, and `rules.ts` refuses values that cannot work. Reads no environment
 * variables and makes no resources.
 */
import type { Environment, EnvironmentName } from './types.ts';

/** Address ranges that may open Grafana. Replace this one: it is reserved for documentation (RFC 5737). */
const OFFICE = ['198.51.100.0/24'];

/** URL of the runbooks in your copy of this repository. Replace it. */
const RUNBOOKS = 'https://git.example.com/holdfast/runbooks';

/** The smallest deployment, for trying things. Nothing in it survives the loss of a zone, and nothing is protected. */
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

/** The parts of prod at smaller sizes: two zones, one NAT gateway, a standby of each store. */
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

/**
 * Survives the loss of a zone without manual work: three zones, each with a NAT gateway, and standbys of both stores.
 */
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
    // Node.js uses one vCPU for JavaScript. The kernel's network work and the collector use the other.
    cpu: 2_048,
    memoryMb: 4_096,
    // One per zone: two carry the load while a failed one is replaced.
    minTasks: 3,
    maxTasks: 40,
    targetConnections: 10_000,
    maxConnections: 20_000,
    targetCpuPercent: 60,
    scaleOutCooldown: 240,
    scaleInBelowPercent: 70,
    scaleInCooldown: 600,
    idleTimeout: 120,
    // A drain takes 154 s: up to 20 s until the node notices, then 20,000 connections at 150 per second.
    deregistrationDelay: 240,
    drainRate: 150,
    acceptRate: 1_000,
    wafRequestsPerAddress: 5_000,
    // A deployment runs up to 80 tasks, which open 640 connections to Postgres. The class has room for 720.
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
