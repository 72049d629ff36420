/**
 * CloudWatch alarms for what only AWS sees; all that the nodes see themselves is a Prometheus alert (dashboards/rules).
 * Pure: each alarm is a value with its reason, made into a resource by constructs/alarms.ts.
 */
import { nameOf } from '../../environments/names.ts';
import type { Environment } from '../../environments/types.ts';
import type { ScalingMetric } from '../scaling/policy.ts';

export interface Alarm {
  /** CamelCase, as alerts are named. */
  readonly name: string;
  /** What it means and what to look at first: this is what the person on call reads. */
  readonly description: string;
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly statistic: 'Sum' | 'Average' | 'Maximum' | 'Minimum' | 'SampleCount';
  readonly comparison: 'above' | 'below';
  readonly threshold: number;
  /** Seconds of one datapoint, and how many of them in a row. */
  readonly period: number;
  readonly periods: number;
  /** What no data means: `breaching` where silence is the fault, else `notBreaching`. */
  readonly missing: 'breaching' | 'notBreaching';
}

/** Names and ids that the alarms watch. */
export interface Watched {
  readonly balancer: string;
  readonly targetGroup: string;
  readonly cluster: string;
  readonly service: string;
  readonly databaseId: string;
  readonly redisId: string;
  readonly natGatewayIds: readonly string[];
  readonly scalingMetric: ScalingMetric;
  readonly metricsWorkspaceId: string;
}

const MINUTE = 60;
const GB = 1_024 ** 3;
/** Of what should never happen: one is too many, and nothing heard is nothing happened. */
const NEVER = { statistic: 'Sum', comparison: 'above', threshold: 0, missing: 'notBreaching' } as const;

/** Every alarm of an environment, with names that no two share. */
export function alarms(environment: Environment, watched: Watched): Alarm[] {
  return [
    ...balancerAlarms(watched),
    ...taskAlarms(environment, watched),
    ...postgresAlarms(environment, watched),
    ...redisAlarms(environment, watched),
    ...natAlarms(watched),
    ...alertingAlarms(watched),
  ];
}

function balancerAlarms({ balancer, targetGroup }: Watched): Alarm[] {
  const alb = { namespace: 'AWS/ApplicationELB', period: MINUTE, missing: 'notBreaching' } as const;
  const dimensions = { LoadBalancer: balancer };
  const target = { LoadBalancer: balancer, TargetGroup: targetGroup };
  return [
    {
      ...alb,
      name: 'BalancerErrors',
      description:
        'The load balancer itself answers with 5xx: no healthy node, or nodes that break connections. Look at UnhealthyNodes and at the nodes’ log.',
      metric: 'HTTPCode_ELB_5XX_Count',
      dimensions,
      statistic: 'Sum',
      comparison: 'above',
      // One a second: below it is what deploys and lost clients leave behind.
      threshold: 60,
      periods: 3,
    },
    {
      ...alb,
      name: 'BalancerRejects',
      description: 'The load balancer refuses connections because it is at its own limit. AWS support can raise it.',
      ...NEVER,
      metric: 'RejectedConnectionCount',
      dimensions,
      periods: 2,
    },
    {
      ...alb,
      name: 'UnhealthyNodes',
      description:
        'A node fails its health check and ECS has not replaced it: it does not start, or not for long. Look at the service’s events and the node’s log.',
      metric: 'UnHealthyHostCount',
      dimensions: target,
      statistic: 'Minimum',
      comparison: 'above',
      threshold: 0,
      // A new node is unhealthy for up to two minutes; ECS replaces one in three.
      periods: 5,
    },
    {
      ...alb,
      name: 'NodesUnreachable',
      description: 'The load balancer cannot open connections to nodes: they are full of TCP connections, or hang.',
      metric: 'TargetConnectionErrorCount',
      dimensions: target,
      statistic: 'Sum',
      comparison: 'above',
      threshold: 10,
      periods: 3,
    },
  ];
}

function taskAlarms({ service }: Environment, { cluster, service: name, scalingMetric }: Watched): Alarm[] {
  const insights = {
    namespace: 'ECS/ContainerInsights',
    dimensions: { ClusterName: cluster, ServiceName: name },
    period: MINUTE,
  } as const;
  return [
    {
      name: 'ScalingMetricMissing',
      description:
        'Nodes report no connection counts, so autoscaling does nothing, in either direction. Look at the collectors’ log.',
      namespace: scalingMetric.namespace,
      metric: scalingMetric.name,
      dimensions: scalingMetric.dimensions,
      statistic: 'SampleCount',
      comparison: 'below',
      threshold: 1,
      period: MINUTE,
      periods: 5,
      missing: 'breaching',
    },
    {
      ...insights,
      name: 'TooFewNodes',
      description: `Fewer than ${service.minTasks} nodes run: the loss of a zone is no longer covered. Look at the service’s events.`,
      metric: 'RunningTaskCount',
      statistic: 'Average',
      comparison: 'below',
      threshold: service.minTasks,
      periods: 5,
      missing: 'breaching',
    },
    {
      ...insights,
      name: 'NodesAtLimit',
      description: `All ${service.maxTasks} nodes that autoscaling may start are running: raise service.maxTasks before they are full.`,
      metric: 'DesiredTaskCount',
      statistic: 'Maximum',
      comparison: 'above',
      threshold: service.maxTasks - 1,
      periods: 5,
      missing: 'notBreaching',
    },
  ];
}

function postgresAlarms({ postgres }: Environment, { databaseId }: Watched): Alarm[] {
  const rds = {
    namespace: 'AWS/RDS',
    dimensions: { DBInstanceIdentifier: databaseId },
    period: 5 * MINUTE,
    missing: 'notBreaching',
  } as const;
  return [
    {
      ...rds,
      name: 'PostgresStorageLow',
      description:
        'Less than a tenth of the storage is free, and it grows by itself only up to postgres.maxStorageGb: raise that, or lower postgres.retentionDays.',
      metric: 'FreeStorageSpace',
      statistic: 'Minimum',
      comparison: 'below',
      threshold: Math.ceil(postgres.storageGb * 0.1 * GB),
      periods: 2,
    },
    {
      ...rds,
      name: 'PostgresCpu',
      description:
        'Postgres works at over 80 %: publishes will wait. Look at Performance Insights; choose a larger class.',
      metric: 'CPUUtilization',
      statistic: 'Average',
      comparison: 'above',
      threshold: 80,
      periods: 3,
    },
    {
      ...rds,
      name: 'PostgresWritesSlow',
      description:
        'A write to the storage takes over 20 ms, which every acknowledgement waits for. Look at IOPS and throughput.',
      metric: 'WriteLatency',
      statistic: 'Average',
      comparison: 'above',
      threshold: 0.02,
      periods: 3,
    },
    {
      ...rds,
      name: 'PostgresWraparound',
      description:
        'Half of the transaction ids are used up: vacuum does not keep up, and at two billion Postgres stops. Look for old transactions and for autovacuum.',
      metric: 'MaximumUsedTransactionIDs',
      statistic: 'Maximum',
      comparison: 'above',
      threshold: 1_000_000_000,
      periods: 1,
    },
  ];
}

/** One of each per member: CloudWatch knows replication groups only by their nodes. */
function redisAlarms({ redis }: Environment, { redisId }: Watched): Alarm[] {
  return memberNames(redisId, redis.shards, redis.replicas).flatMap((member, i) => {
    const cache = {
      namespace: 'AWS/ElastiCache',
      dimensions: { CacheClusterId: member },
      period: 5 * MINUTE,
      missing: 'notBreaching',
    } as const;
    const number = i + 1;
    return [
      {
        ...cache,
        name: `RedisEngineCpu${number}`,
        description: 'Redis works at over 80 % of its one core: deliveries will wait. Choose a larger node, or shards.',
        metric: 'EngineCPUUtilization',
        statistic: 'Average',
        comparison: 'above',
        threshold: 80,
        periods: 2,
      },
      {
        ...cache,
        name: `RedisMemory${number}`,
        description:
          'Over 80 % of the memory of Redis is used, which holds tickets and presence only: output buffers of slow nodes, or keys that are not ours.',
        metric: 'DatabaseMemoryUsagePercentage',
        statistic: 'Maximum',
        comparison: 'above',
        threshold: 80,
        periods: 2,
      },
      {
        ...cache,
        name: `RedisEvictions${number}`,
        description:
          'Redis throws keys away, which maxmemory-policy noeviction forbids: somebody changed the parameter group.',
        ...NEVER,
        metric: 'Evictions',
        periods: 1,
      },
    ] satisfies Alarm[];
  });
}

function natAlarms({ natGatewayIds }: Watched): Alarm[] {
  return natGatewayIds.map((id, i) => ({
    name: `NatPortsExhausted${i + 1}`,
    description:
      'The NAT gateway has no ports left: calls to AWS APIs fail. Something opens connections and keeps them.',
    ...NEVER,
    namespace: 'AWS/NATGateway',
    metric: 'ErrorPortAllocation',
    dimensions: { NatGatewayId: id },
    period: 5 * MINUTE,
    periods: 1,
  }));
}

/** Who watches the watchers: without these, alerts that do not arrive look like health. */
function alertingAlarms({ metricsWorkspaceId }: Watched): Alarm[] {
  const prometheus = { namespace: 'AWS/Prometheus', dimensions: { Workspace: metricsWorkspaceId } } as const;
  return [
    {
      ...prometheus,
      name: 'AlertsMissing',
      description:
        'The alert manager hears nothing, not even the alert Watchdog, which always fires: rules are not evaluated, so nothing can page. Look at the log group of the workspace.',
      metric: 'AlertManagerAlertsReceived',
      statistic: 'Sum',
      comparison: 'below',
      threshold: 1,
      // The watchdog is sent again every minute or so.
      period: 5 * MINUTE,
      periods: 2,
      missing: 'breaching',
    },
    {
      ...prometheus,
      name: 'AlertsUndelivered',
      description:
        'The alert manager cannot hand its alerts to the topic: a permission of the topic or of its key. Look at the log group of the workspace.',
      ...NEVER,
      metric: 'AlertManagerNotificationsFailed',
      period: 5 * MINUTE,
      periods: 1,
    },
  ];
}

/** How ElastiCache names the nodes of a replication group: `<id>-001`, in cluster mode `<id>-0001-001`. */
function memberNames(id: string, shards: number, replicas: number): string[] {
  const number = (n: number, digits: number) => String(n).padStart(digits, '0');
  const nodes = Array.from({ length: 1 + replicas }, (_, i) => number(i + 1, 3));
  if (shards === 0) return nodes.map((node) => `${id}-${node}`);
  return Array.from({ length: shards }, (_, i) => number(i + 1, 4)).flatMap((shard) =>
    nodes.map((node) => `${id}-${shard}-${node}`),
  );
}

/** `holdfast-prod-BalancerErrors` */
export const alarmName = (environment: Environment, alarm: Alarm) => nameOf(environment, alarm.name);
