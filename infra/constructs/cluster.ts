/** The ECS cluster, with Container Insights, and encrypted log groups for its insights and for ECS Exec sessions. */
import { EcsCluster } from '@cdktf/provider-aws/lib/ecs-cluster/index.js';
import { Construct } from 'constructs';
import { clusterName, logName } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { LogGroup } from './log-group.ts';

export interface ClusterProps {
  readonly environment: Environment;
  readonly keyArn: string;
}

export class Cluster extends Construct {
  readonly arn: string;
  readonly name: string;

  constructor(scope: Construct, id: string, { environment, keyArn }: ClusterProps) {
    super(scope, id);
    const { logDays: days } = environment.observability;
    // ECS Exec is off in the service. If an operator turns it on, this log records every session.
    const log = new LogGroup(this, 'commands', { name: logName(environment, 'exec'), days, keyArn });
    const insights = new LogGroup(this, 'insights', {
      name: `/aws/ecs/containerinsights/${clusterName(environment)}/performance`,
      days,
      keyArn,
    });
    const cluster = new EcsCluster(this, 'cluster', {
      // Without this log group, Container Insights creates one that never expires.
      dependsOn: [insights.resource],
      name: clusterName(environment),
      // "enhanced" costs more, and the metrics of the nodes already cover what it adds.
      setting: [{ name: 'containerInsights', value: 'enabled' }],
      configuration: {
        executeCommandConfiguration: {
          kmsKeyId: keyArn,
          logging: 'OVERRIDE',
          logConfiguration: { cloudWatchEncryptionEnabled: true, cloudWatchLogGroupName: log.name },
        },
      },
    });
    this.arn = cluster.arn;
    this.name = cluster.name;
  }
}
