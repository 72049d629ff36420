/**
 * The ECS service and task definition of the nodes. A deployment starts new tasks before it stops old ones; each old task
 * drains itself.
 */
import { EcsService } from '@cdktf/provider-aws/lib/ecs-service/index.js';
import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js';
import type { LbListener } from '@cdktf/provider-aws/lib/lb-listener/index.js';
import { Construct } from 'constructs';
import { nameOf, SERVER_SERVICE } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { PORTS } from '../plan/ports.ts';
import type { ContainerDefinition } from '../plan/task/containers.ts';

export interface ServerServiceProps {
  readonly environment: Environment;
  readonly clusterArn: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
  readonly targetGroupArn: string;
  readonly listener: LbListener;
  readonly executionRoleArn: string;
  readonly taskRoleArn: string;
  /** The first container is the node, which the load balancer targets. */
  readonly containers: readonly [ContainerDefinition, ...ContainerDefinition[]];
}

export class ServerService extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, props: ServerServiceProps) {
    super(scope, id);
    const { environment, containers } = props;
    const { service } = environment;
    const task = new EcsTaskDefinition(this, 'task', {
      family: nameOf(environment, 'server'),
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: String(service.cpu),
      memory: String(service.memoryMb),
      runtimePlatform: { cpuArchitecture: service.architecture, operatingSystemFamily: 'LINUX' },
      executionRoleArn: props.executionRoleArn,
      taskRoleArn: props.taskRoleArn,
      containerDefinitions: JSON.stringify(containers),
      // Keeps old revisions, because a rollback uses one of them.
      skipDestroy: environment.protected,
    });
    const ecs = new EcsService(this, 'service', {
      name: SERVER_SERVICE,
      cluster: props.clusterArn,
      taskDefinition: task.arn,
      launchType: 'FARGATE',
      desiredCount: service.minTasks,
      // Starts new tasks before it stops old ones, and never runs fewer than the desired number.
      deploymentMinimumHealthyPercent: 100,
      deploymentMaximumPercent: 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      deploymentController: { type: 'ECS' },
      // Rebalancing would stop tasks, and with them thousands of connections. ECS spreads tasks over zones at their
      // start anyway.
      availabilityZoneRebalancing: 'DISABLED',
      healthCheckGracePeriodSeconds: 60,
      enableEcsManagedTags: true,
      propagateTags: 'SERVICE',
      enableExecuteCommand: false,
      networkConfiguration: {
        subnets: [...props.subnetIds],
        securityGroups: [props.securityGroupId],
        assignPublicIp: false,
      },
      loadBalancer: [
        { targetGroupArn: props.targetGroupArn, containerName: containers[0].name, containerPort: PORTS.server },
      ],
      // Autoscaling owns `desired_count`; Terraform ignores it.
      lifecycle: { ignoreChanges: ['desired_count'] },
      // A deletion waits until the last tasks have drained.
      timeouts: { delete: `${Math.ceil(service.deregistrationDelay / 60) + 20}m` },
      dependsOn: [props.listener],
    });
    this.name = ecs.name;
  }
}
