/**
 * Grafana as an ECS service. A bucket provides its data source and dashboards, so Grafana has no state to lose. Reachable at
 * `grafana-<host>` from the configured address ranges only.
 */
import { createHash } from 'node:crypto';
import { DataAwsCallerIdentity } from '@cdktf/provider-aws/lib/data-aws-caller-identity/index.js';
import { DataAwsIamPolicyDocument } from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { EcsService } from '@cdktf/provider-aws/lib/ecs-service/index.js';
import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js';
import { LbListenerRule } from '@cdktf/provider-aws/lib/lb-listener-rule/index.js';
import { LbTargetGroup } from '@cdktf/provider-aws/lib/lb-target-group/index.js';
import { S3Object } from '@cdktf/provider-aws/lib/s3-object/index.js';
import { Construct } from 'constructs';
import { logName, nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { PROVISIONING } from '../plan/observability/grafana-files.ts';
import { PORTS } from '../plan/ports.ts';
import { grafanaContainers } from '../plan/task/grafana-containers.ts';
import { GeneratedSecret } from './generated-secret.ts';
import { LogGroup } from './log-group.ts';
import { PrivateBucket } from './private-bucket.ts';
import { ServiceRole } from './service-role.ts';
import { ExecutionRole } from './task-roles.ts';

export interface GrafanaProps {
  readonly environment: Environment;
  readonly host: string;
  /** Address ranges that may open Grafana. */
  readonly cidrs: readonly string[];
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
  readonly listenerArn: string;
  readonly clusterArn: string;
  readonly metricsStoreArn: string;
  readonly keyArn: string;
  /** Path below Grafana's provisioning directory -> text, escaped for Terraform (plan/literal.ts). */
  readonly files: Readonly<Record<string, string>>;
}

export class Grafana extends Construct {
  readonly url: string;
  readonly adminSecretArn: string;
  private readonly props: GrafanaProps;

  constructor(scope: Construct, id: string, props: GrafanaProps) {
    super(scope, id);
    this.props = props;
    const { environment, keyArn, host } = props;
    const bucket = this.provisioning();
    const admin = new GeneratedSecret(this, 'admin', {
      environment,
      what: 'grafana-admin',
      description: 'Password of the user "admin" of Grafana',
      keyArn,
      version: environment.secretsVersion,
    });
    const task = this.task(bucket, admin.arn);
    this.service(task);
    this.url = `https://${host}`;
    this.adminSecretArn = admin.arn;
  }

  private provisioning(): PrivateBucket {
    const { environment, files } = this.props;
    const bucket = new PrivateBucket(this, 'files', { environment, what: 'grafana' });
    for (const [path, content] of Object.entries(files))
      new S3Object(this, path, {
        bucket: bucket.name,
        key: path,
        content,
        contentType: path.endsWith('.json') ? 'application/json' : 'application/yaml',
        dependsOn: [bucket.versions],
      });
    return bucket;
  }

  private task(bucket: PrivateBucket, adminSecretArn: string): EcsTaskDefinition {
    const { environment, keyArn, host, files } = this.props;
    const { logDays: days } = environment.observability;
    const log = new LogGroup(this, 'log', { name: logName(environment, 'grafana'), days, keyArn });
    const start = new ExecutionRole(this, 'start', {
      environment,
      what: 'grafana-start',
      logGroupArns: [log.arn],
      secretArns: [adminSecretArn],
      keyArn,
    });
    return new EcsTaskDefinition(this, 'task', {
      family: nameOf(environment, 'grafana'),
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: '512',
      memory: '1024',
      runtimePlatform: { cpuArchitecture: environment.service.architecture, operatingSystemFamily: 'LINUX' },
      executionRoleArn: start.arn,
      taskRoleArn: this.role(bucket).arn,
      volume: [{ name: 'provisioning' }, { name: 'data' }],
      containerDefinitions: JSON.stringify(
        grafanaContainers({
          bucket: bucket.name,
          provisioning: PROVISIONING,
          // Changed files change the task definition, which deploys a new task.
          filesHash: createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16),
          url: `https://${host}`,
          adminSecretArn,
          log: { group: log.name, region: environment.region },
          port: PORTS.grafana,
        }),
      ),
    });
  }

  private role(bucket: PrivateBucket): ServiceRole {
    const { environment, metricsStoreArn } = this.props;
    const policy = new DataAwsIamPolicyDocument(this, 'may', {
      statement: [
        {
          sid: 'Query',
          actions: ['aps:QueryMetrics', 'aps:GetSeries', 'aps:GetLabels', 'aps:GetMetricMetadata'],
          resources: [metricsStoreArn],
        },
        { sid: 'Files', actions: ['s3:GetObject'], resources: [`${bucket.arn}/*`] },
        { sid: 'ListFiles', actions: ['s3:ListBucket'], resources: [bucket.arn] },
      ],
    });
    return new ServiceRole(this, 'role', {
      environment,
      what: 'grafana',
      service: 'ecs-tasks.amazonaws.com',
      policies: { run: policy.json },
      sourceAccount: new DataAwsCallerIdentity(this, 'account').accountId,
    });
  }

  private service(task: EcsTaskDefinition): void {
    const { environment, host, cidrs, vpcId, subnetIds, securityGroupId, listenerArn, clusterArn } = this.props;
    const targets = new LbTargetGroup(this, 'targets', {
      name: nameOf(environment, 'grafana'),
      vpcId,
      targetType: 'ip',
      protocol: 'HTTP',
      port: PORTS.grafana,
      deregistrationDelay: '30',
      healthCheck: { path: '/api/health', matcher: '200', interval: 30 },
    });
    const rule = new LbListenerRule(this, 'rule', {
      listenerArn,
      priority: 10,
      condition: [{ hostHeader: { values: [host] } }, { sourceIp: { values: [...cidrs] } }],
      action: [{ type: 'forward', targetGroupArn: targets.arn }],
    });
    // Requests from other addresses get 403. Without this rule they would be forwarded to the nodes.
    new LbListenerRule(this, 'closed', {
      listenerArn,
      priority: 11,
      condition: [{ hostHeader: { values: [host] } }],
      action: [
        {
          type: 'fixed-response',
          fixedResponse: { contentType: 'text/plain', statusCode: '403', messageBody: 'Closed' },
        },
      ],
    });
    new EcsService(this, 'service', {
      name: 'grafana',
      cluster: clusterArn,
      taskDefinition: task.arn,
      launchType: 'FARGATE',
      desiredCount: 1,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      availabilityZoneRebalancing: 'ENABLED',
      healthCheckGracePeriodSeconds: 120,
      enableEcsManagedTags: true,
      propagateTags: 'SERVICE',
      networkConfiguration: { subnets: [...subnetIds], securityGroups: [securityGroupId], assignPublicIp: false },
      loadBalancer: [{ targetGroupArn: targets.arn, containerName: 'grafana', containerPort: PORTS.grafana }],
      dependsOn: [rule],
    });
  }
}
