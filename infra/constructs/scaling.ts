/** Autoscaling of the nodes, from the policy in plan/scaling/policy.ts. `npm run simulate` replays the same policy. */
import { AppautoscalingPolicy } from '@cdktf/provider-aws/lib/appautoscaling-policy/index.js';
import { AppautoscalingTarget } from '@cdktf/provider-aws/lib/appautoscaling-target/index.js';
import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js';
import { Construct } from 'constructs';
import type { ScalingPolicy } from '../plan/scaling/policy.ts';

export interface ScalingProps {
  readonly policy: ScalingPolicy;
  readonly clusterName: string;
  readonly serviceName: string;
  /** Name of the alarm that triggers scale-in. */
  readonly alarmName: string;
}

export class Scaling extends Construct {
  constructor(scope: Construct, id: string, { policy, clusterName, serviceName, alarmName }: ScalingProps) {
    super(scope, id);
    const target = new AppautoscalingTarget(this, 'tasks', {
      serviceNamespace: 'ecs',
      scalableDimension: 'ecs:service:DesiredCount',
      resourceId: `service/${clusterName}/${serviceName}`,
      minCapacity: policy.minTasks,
      maxCapacity: policy.maxTasks,
    });
    const common = {
      serviceNamespace: target.serviceNamespace,
      scalableDimension: target.scalableDimension,
      resourceId: target.resourceId,
    };
    const tracking = { scaleOutCooldown: policy.scaleOutCooldown, disableScaleIn: true };
    // Each task reports its own connections, so the average is the number per task.
    new AppautoscalingPolicy(this, 'connections', {
      ...common,
      policyType: 'TargetTrackingScaling',
      name: 'connections-per-task',
      targetTrackingScalingPolicyConfiguration: {
        ...tracking,
        targetValue: policy.targetConnections,
        customizedMetricSpecification: {
          namespace: policy.metric.namespace,
          metricName: policy.metric.name,
          statistic: 'Average',
          dimensions: Object.entries(policy.metric.dimensions).map(([name, value]) => ({ name, value })),
        },
      },
    });
    // Covers loads that the number of connections does not show, such as many messages on few connections.
    new AppautoscalingPolicy(this, 'cpu', {
      ...common,
      policyType: 'TargetTrackingScaling',
      name: 'cpu',
      targetTrackingScalingPolicyConfiguration: {
        ...tracking,
        targetValue: policy.targetCpuPercent,
        predefinedMetricSpecification: { predefinedMetricType: 'ECSServiceAverageCPUUtilization' },
      },
    });
    const fewer = new AppautoscalingPolicy(this, 'fewer', {
      ...common,
      policyType: 'StepScaling',
      name: 'fewer-tasks',
      stepScalingPolicyConfiguration: {
        adjustmentType: 'PercentChangeInCapacity',
        minAdjustmentMagnitude: 1,
        metricAggregationType: 'Average',
        cooldown: policy.scaleIn.cooldown,
        stepAdjustment: [{ scalingAdjustment: -policy.scaleIn.percent, metricIntervalLowerBound: '0' }],
      },
    });
    this.alarm(policy, alarmName, fewer.arn);
  }

  /**
   * Is 1 in each minute in which both metrics are low. It does not notify the on-call topic: low load is normal at
   * night.
   */
  private alarm({ metric, scaleIn }: ScalingPolicy, alarmName: string, policyArn: string): void {
    const { connectionsBelow, cpuPercentBelow, minutes } = scaleIn;
    const dimensions = { ...metric.dimensions };
    const of = { period: 60, stat: 'Average', dimensions };
    new CloudwatchMetricAlarm(this, 'low', {
      alarmName,
      alarmDescription: `Triggers scale-in: connections per task are below ${connectionsBelow} and CPU is below ${cpuPercentBelow} %. No action needed.`,
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      threshold: 1,
      evaluationPeriods: minutes,
      // Without data the load is unknown, so no task is removed.
      treatMissingData: 'notBreaching',
      actionsEnabled: true,
      alarmActions: [policyArn],
      metricQuery: [
        { id: 'connections', metric: { ...of, namespace: metric.namespace, metricName: metric.name } },
        { id: 'cpu', metric: { ...of, namespace: 'AWS/ECS', metricName: 'CPUUtilization' } },
        {
          id: 'low',
          expression: `IF(connections < ${connectionsBelow} AND cpu < ${cpuPercentBelow}, 1, 0)`,
          label: 'connections and CPU are low',
          returnData: true,
        },
      ],
    });
  }
}
