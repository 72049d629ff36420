/** Autoscaling of the nodes, with the values of plan/scaling/policy.ts, the same that `npm run simulate` replays. */
import { AppautoscalingPolicy } from '@cdktf/provider-aws/lib/appautoscaling-policy/index.js';
import { AppautoscalingTarget } from '@cdktf/provider-aws/lib/appautoscaling-target/index.js';
import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js';
import { Construct } from 'constructs';
import type { ScalingPolicy } from '../plan/scaling/policy.ts';

export interface ScalingProps {
  readonly policy: ScalingPolicy;
  readonly clusterName: string;
  readonly serviceName: string;
  /** Of the alarm that takes tasks away. */
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
    // Each task reports its own connections, so the average over all reports is the connections per task.
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
    // What connections don't tell: many messages on few of them.
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

  /** 1 in a minute in which both metrics are low. Nobody is called: it is what should happen at night. */
  private alarm({ metric, scaleIn }: ScalingPolicy, alarmName: string, policyArn: string): void {
    const { connectionsBelow, cpuPercentBelow, minutes } = scaleIn;
    const dimensions = { ...metric.dimensions };
    const of = { period: 60, stat: 'Average', dimensions };
    new CloudwatchMetricAlarm(this, 'low', {
      alarmName,
      alarmDescription: `Connections per task below ${connectionsBelow} and CPU below ${cpuPercentBelow} %: fewer tasks will do`,
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      threshold: 1,
      evaluationPeriods: minutes,
      // Nobody reports: nothing is known, and nothing is taken away.
      treatMissingData: 'notBreaching',
      actionsEnabled: true,
      alarmActions: [policyArn],
      metricQuery: [
        { id: 'connections', metric: { ...of, namespace: metric.namespace, metricName: metric.name } },
        { id: 'cpu', metric: { ...of, namespace: 'AWS/ECS', metricName: 'CPUUtilization' } },
        {
          id: 'low',
          expression: `IF(connections < ${connectionsBelow} AND cpu < ${cpuPercentBelow}, 1, 0)`,
          label: 'both are low',
          returnData: true,
        },
      ],
    });
  }
}
