/** The ECS cluster: where tasks are counted, and what they write to disk is encrypted. */
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
    // Commands run inside of tasks are off in the service; whoever turns them on for a day leaves a trace.
    const log = new LogGroup(this, 'commands', { name: logName(environment, 'exec'), days, keyArn });
    const insights = new LogGroup(this, 'insights', {
      name: `/aws/ecs/containerinsights/${clusterName(environment)}/performance`,
      days,
      keyArn,
    });
    const cluster = new EcsCluster(this, 'cluster', {
      // Container Insights makes one that never forgets where it finds none.
      dependsOn: [insights.resource],
      name: clusterName(environment),
      // "enhanced" costs more and tells nothing that the node's own metrics don't.
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
