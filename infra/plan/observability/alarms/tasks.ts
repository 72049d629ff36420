/** Alarms on the number of nodes and on the metric that autoscaling follows. Pure. */
import type { Environment } from '../../../environments/types.ts';
import { type Alarm, MINUTE, type Watched } from './alarm.ts';

export function taskAlarms({ service }: Environment, { cluster, service: name, scalingMetric }: Watched): Alarm[] {
  const insights = {
    namespace: 'ECS/ContainerInsights',
    dimensions: { ClusterName: cluster, ServiceName: name },
    period: MINUTE,
  } as const;
  return [
    {
      name: 'ScalingMetricMissing',
      description:
        'Users notice nothing yet, but no node is added when load grows. No node has reported its number of connections to CloudWatch for five minutes, so autoscaling neither adds nor removes tasks. Likely cause: the collectors fail, or may not write to the log group of the metric. First step: read the log of the collectors, in the log group of the nodes.',
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
      description: `Users may notice nothing yet, but the loss of a zone is no longer covered. Fewer than ${service.minTasks} nodes (service.minTasks) have been running for five minutes. Likely cause: tasks do not start, because of the image, a secret, or missing Fargate capacity. First step: read the events of the ECS service.`,
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
      description: `Users notice nothing yet; when the nodes are full, new clients are refused. Autoscaling has wanted all ${service.maxTasks} nodes (service.maxTasks) for five minutes and can add no more. Likely cause: more users than planned for. First step: compare connections per node with service.maxConnections, then raise service.maxTasks and deploy.`,
      metric: 'DesiredTaskCount',
      statistic: 'Maximum',
      comparison: 'above',
      threshold: service.maxTasks - 1,
      periods: 5,
      missing: 'notBreaching',
    },
  ];
}
