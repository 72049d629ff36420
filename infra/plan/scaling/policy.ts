/** The autoscaling policy of an environment: one value, made into AWS resources by constructs/scaling.ts and replayed by the simulator. Pure. */
import { clusterName, SERVER_SERVICE } from '../../environments/names.ts';
import type { Environment } from '../../environments/types.ts';

/** A CloudWatch metric that each task reports for itself, so that its Average is the value per task. */
export interface ScalingMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface ScalingPolicy {
  readonly minTasks: number;
  readonly maxTasks: number;
  readonly metric: ScalingMetric;
  /** Connections per task that tracking aims at. */
  readonly targetConnections: number;
  /** Average CPU of the tasks, percent (ECSServiceAverageCPUUtilization). */
  readonly targetCpuPercent: number;
  /** Seconds. */
  readonly scaleOutCooldown: number;
  readonly scaleIn: ScaleInPolicy;
}

/**
 * Target tracking adds tasks and never takes any away: it would do that from 90 % of the target on and back to 100 %, so
 * that the next small wave adds them again. Taking away is a step policy of its own, with room between the two.
 */
export interface ScaleInPolicy {
  /** Averages per task below which, both, tasks are taken away. */
  readonly connectionsBelow: number;
  readonly cpuPercentBelow: number;
  /** Minutes in a row. Longer than a deployment, in which twice the tasks share the same connections. */
  readonly minutes: number;
  /** Percent of the tasks, at least one: so many clients reconnect each time. */
  readonly percent: number;
  /** Seconds. */
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
    // The name under which the node's exporter and its collector report it.
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
