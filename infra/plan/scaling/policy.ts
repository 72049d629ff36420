/**
 * The autoscaling policy of an environment as one value: constructs/scaling.ts makes AWS resources of it, and the
 * simulator replays it. Pure.
 */
import { clusterName, SERVER_SERVICE } from '../../environments/names.ts';
import type { Environment } from '../../environments/types.ts';

/** A CloudWatch metric that each task reports for itself, so that the statistic Average is the value per task. */
export interface ScalingMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface ScalingPolicy {
  readonly minTasks: number;
  readonly maxTasks: number;
  readonly metric: ScalingMetric;
  /** Connections per task that target tracking aims at. */
  readonly targetConnections: number;
  /** Average CPU of the tasks that target tracking aims at, percent (ECSServiceAverageCPUUtilization). */
  readonly targetCpuPercent: number;
  /** Shortest time between two scale-outs, seconds. */
  readonly scaleOutCooldown: number;
  readonly scaleIn: ScaleInPolicy;
}

/**
 * Scale-in. Target tracking only adds tasks here. Its own scale-in would begin at 90 % of the target and leave tasks
 * near 100 %, so that the next small wave adds a task again. A separate step policy removes tasks, at a lower threshold.
 */
export interface ScaleInPolicy {
  /** Thresholds of the averages per task. Tasks are removed when both are below. */
  readonly connectionsBelow: number;
  readonly cpuPercentBelow: number;
  /**
   * Minutes in a row below both thresholds. Longer than a deployment, during which twice as many tasks share the
   * connections.
   */
  readonly minutes: number;
  /** Share of the tasks to remove, percent, at least one task. The same share of clients reconnects. */
  readonly percent: number;
  /** Shortest time between two scale-ins, seconds. */
  readonly cooldown: number;
}

const SCALE_IN_MINUTES = 15;
const SCALE_IN_PERCENT = 10;

export function scalingPolicy(environment: Environment): ScalingPolicy {
  const { minTasks, maxTasks, targetConnections, targetCpuPercent, scaleOutCooldown } = environment.service;
  const { scaleInBelowPercent, scaleInCooldown } = environment.service;
  return {
    minTasks,
    maxTasks,
    // The name under which the collector exports the gauge `holdfast.connections` of the node.
    metric: {
      namespace: 'Holdfast',
      name: 'holdfast_connections',
      dimensions: { ClusterName: clusterName(environment), ServiceName: SERVER_SERVICE },
    },
    targetConnections,
    targetCpuPercent,
    scaleOutCooldown,
    scaleIn: {
      connectionsBelow: (targetConnections * scaleInBelowPercent) / 100,
      cpuPercentBelow: (targetCpuPercent * scaleInBelowPercent) / 100,
      minutes: SCALE_IN_MINUTES,
      percent: SCALE_IN_PERCENT,
      cooldown: scaleInCooldown,
    },
  };
}
