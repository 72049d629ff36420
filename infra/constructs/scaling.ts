/** Autoscaling of the nodes, with the values of scaling/policy.ts, the same that `npm run simulate` replays. */
import { AppautoscalingPolicy } from '@cdktf/provider-aws/lib/appautoscaling-policy/index.js';
import { AppautoscalingTarget } from '@cdktf/provider-aws/lib/appautoscaling-target/index.js';
import { Construct } from 'constructs';
import type { ScalingPolicy } from '../scaling/policy.ts';

export interface ScalingProps {
  readonly policy: ScalingPolicy;
  readonly clusterName: string;
  readonly serviceName: string;
}

export class Scaling extends Construct {
  constructor(scope: Construct, id: string, { policy, clusterName, serviceName }: ScalingProps) {
    super(scope, id);
    const target = new AppautoscalingTarget(this, 'tasks', {
      serviceNamespace: 'ecs',
      scalableDimension: 'ecs:service:DesiredCount',
      resourceId: `service/${clusterName}/${serviceName}`,
      minCapacity: policy.minTasks,
      maxCapacity: policy.maxTasks,
    });
    const common = {
      policyType: 'TargetTrackingScaling',
      serviceNamespace: target.serviceNamespace,
      scalableDimension: target.scalableDimension,
      resourceId: target.resourceId,
    };
    const cooldowns = {
      scaleOutCooldown: policy.scaleOutCooldown,
      scaleInCooldown: policy.scaleInCooldown,
    };
    // Each task reports its own connections, so the average over all reports is the connections per task.
    new AppautoscalingPolicy(this, 'connections', {
      ...common,
      name: 'connections-per-task',
      targetTrackingScalingPolicyConfiguration: {
        ...cooldowns,
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
      name: 'cpu',
      targetTrackingScalingPolicyConfiguration: {
        ...cooldowns,
        targetValue: policy.targetCpuPercent,
        predefinedMetricSpecification: { predefinedMetricType: 'ECSServiceAverageCPUUtilization' },
      },
    });
  }
}
