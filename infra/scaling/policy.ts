/** The autoscaling policy of an environment: one value, made into AWS resources by constructs/scaling.ts and replayed by the simulator. Pure. */
import { clusterName, SERVER_SERVICE } from '../constructs/names.ts';
import type { Environment } from '../environments.ts';

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
  /** Seconds. */
  readonly scaleInCooldown: number;
}

export function scalingPolicy(environment: Environment): ScalingPolicy {
  const { minTasks, maxTasks, targetConnections, targetCpuPercent, scaleOutCooldown, scaleInCooldown } =
    environment.service;
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
    scaleInCooldown,
  };
}
