/** Synthetic probes: one ECS service per zone, which connects to the public address of the service as clients do. */
import { DataAwsIamPolicyDocument } from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { EcsService } from '@cdktf/provider-aws/lib/ecs-service/index.js';
import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js';
import { Construct } from 'constructs';
import { logName, nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { collectorConfig } from '../plan/task/collector-config.ts';
import { COLLECTOR_MEMORY_MB, collectorContainer } from '../plan/task/containers.ts';
import { probeContainer } from '../plan/task/probe-container.ts';
import { METRICS_PORT } from '../plan/task/server-settings.ts';
import { LogGroup } from './log-group.ts';
import { ServiceRole } from './service-role.ts';
import { ExecutionRole } from './task-roles.ts';

export interface ProbesProps {
  readonly environment: Environment;
  readonly clusterArn: string;
  /** One probe runs in each subnet. */
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
  readonly image: string;
  readonly repositoryArn: string;
  readonly url: string;
  /** Key with which probes sign tokens, unless the environment names a token (probeTokenArn). */
  readonly tokenKeyArn: string;
  readonly prometheusEndpoint: string;
  readonly metricsStoreArn: string;
  readonly keyArn: string;
}

export class Probes extends Construct {
  constructor(scope: Construct, id: string, props: ProbesProps) {
    super(scope, id);
    const { environment, keyArn } = props;
    const log = new LogGroup(this, 'log', {
      name: logName(environment, 'probe'),
      days: environment.observability.logDays,
      keyArn,
    });
    const secrets = secretsOf(props);
    const start = new ExecutionRole(this, 'start', {
      environment,
      what: 'probe-start',
      repositoryArn: props.repositoryArn,
      logGroupArns: [log.arn],
      secretArns: Object.values(secrets),
      keyArn,
    });
    const policy = new DataAwsIamPolicyDocument(this, 'may', {
      statement: [{ sid: 'Metrics', actions: ['aps:RemoteWrite'], resources: [props.metricsStoreArn] }],
    });
    const role = new ServiceRole(this, 'role', {
      environment,
      what: 'probe',
      service: 'ecs-tasks.amazonaws.com',
      policies: { run: policy.json },
    });
    props.subnetIds.forEach((subnetId, i) => {
      const zone = String(i + 1);
      const logTarget = { group: log.name, region: environment.region };
      const task = new EcsTaskDefinition(this, `task-${zone}`, {
        family: nameOf(environment, `probe-${zone}`),
        requiresCompatibilities: ['FARGATE'],
        networkMode: 'awsvpc',
        cpu: '256',
        memory: '512',
        runtimePlatform: { cpuArchitecture: environment.service.architecture, operatingSystemFamily: 'LINUX' },
        executionRoleArn: start.arn,
        taskRoleArn: role.arn,
        containerDefinitions: JSON.stringify([
          probeContainer({
            image: props.image,
            url: props.url,
            zone,
            secrets,
            settings: settingsOf(environment),
            log: logTarget,
          }),
          collectorContainer(
            collectorConfig({
              region: environment.region,
              environment: environment.name,
              job: 'probe',
              labels: { zone },
              prometheusEndpoint: props.prometheusEndpoint,
              metricsPort: METRICS_PORT,
              memoryMb: COLLECTOR_MEMORY_MB,
            }),
            logTarget,
          ),
        ]),
      });
      new EcsService(this, `service-${zone}`, {
        name: `probe-${zone}`,
        cluster: props.clusterArn,
        taskDefinition: task.arn,
        launchType: 'FARGATE',
        desiredCount: 1,
        availabilityZoneRebalancing: 'DISABLED',
        deploymentCircuitBreaker: { enable: true, rollback: true },
        enableEcsManagedTags: true,
        propagateTags: 'SERVICE',
        networkConfiguration: {
          subnets: [subnetId],
          securityGroups: [props.securityGroupId],
          assignPublicIp: false,
        },
      });
    });
  }
}

function secretsOf({ environment, tokenKeyArn }: ProbesProps): Record<string, string> {
  const { probeTokenArn } = environment.observability;
  return probeTokenArn ? { PROBE_TOKEN: probeTokenArn } : { AUTH_JWT_SECRET: tokenKeyArn };
}

/** Issuer and audience that the nodes require; probes write them into their tokens. */
function settingsOf({ service }: Environment): Record<string, string> {
  const names = ['AUTH_ISSUER', 'AUTH_AUDIENCE'];
  return Object.fromEntries(Object.entries(service.settings).filter(([name]) => names.includes(name)));
}
