/**
 * The two roles of a node's task. The execution role is ECS's, to start the task; the task role is the node's and its
 * collector's, at run time. Each action is named, and each resource that AWS lets one name.
 */
import { DataAwsCallerIdentity } from '@cdktf/provider-aws/lib/data-aws-caller-identity/index.js';
import {
  DataAwsIamPolicyDocument,
  type DataAwsIamPolicyDocumentStatement,
} from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { Construct } from 'constructs';
import type { Environment } from '../environments/types.ts';
import { ServiceRole } from './service-role.ts';

export interface ExecutionRoleProps {
  readonly environment: Environment;
  /** `server-execution` */
  readonly what: string;
  /** None for images that anybody may pull. */
  readonly repositoryArn?: string;
  readonly logGroupArns: readonly string[];
  readonly secretArns: readonly string[];
  readonly keyArn: string;
}

const ECS_TASKS = 'ecs-tasks.amazonaws.com';

/** What ECS does before the container runs: pull its image, open its log, hand it its secrets. */
export class ExecutionRole extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: ExecutionRoleProps) {
    super(scope, id);
    const { environment, what, repositoryArn, logGroupArns, secretArns, keyArn } = props;
    const statement: DataAwsIamPolicyDocumentStatement[] = [
      { actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: logGroupArns.map((arn) => `${arn}:*`) },
    ];
    if (repositoryArn !== undefined)
      statement.push(
        // AWS knows no narrower resource for the login.
        { actions: ['ecr:GetAuthorizationToken'], resources: ['*'] },
        {
          actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
          resources: [repositoryArn],
        },
      );
    if (secretArns.length > 0)
      statement.push(
        { actions: ['secretsmanager:GetSecretValue'], resources: [...secretArns] },
        decryptThrough(environment, keyArn),
      );
    const policy = new DataAwsIamPolicyDocument(this, 'may', { statement });
    this.arn = new ServiceRole(this, 'role', {
      environment,
      what,
      service: ECS_TASKS,
      policies: { start: policy.json },
    }).arn;
  }
}

export interface NodeRoleProps {
  readonly environment: Environment;
  readonly databaseSecretArn: string;
  readonly redisArn: string;
  readonly redisUserArn: string;
  readonly metricsStoreArn: string;
  readonly metricLogGroupArn: string;
  readonly keyArn: string;
}

export class NodeRole extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: NodeRoleProps) {
    super(scope, id);
    const { environment } = props;
    const policy = new DataAwsIamPolicyDocument(this, 'may', {
      statement: [
        // Each new connection to Postgres reads the password of that moment.
        { sid: 'Postgres', actions: ['secretsmanager:GetSecretValue'], resources: [props.databaseSecretArn] },
        { ...decryptThrough(environment, props.keyArn), sid: 'PostgresPassword' },
        { sid: 'Redis', actions: ['elasticache:Connect'], resources: [props.redisArn, props.redisUserArn] },
        // Is my target draining? AWS knows no resource for this action.
        { sid: 'Drain', actions: ['elasticloadbalancing:DescribeTargetHealth'], resources: ['*'] },
        { sid: 'Metrics', actions: ['aps:RemoteWrite'], resources: [props.metricsStoreArn] },
        {
          sid: 'ScalingMetric',
          actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
          resources: [props.metricLogGroupArn, `${props.metricLogGroupArn}:*`],
        },
        // X-Ray has no resources to name.
        { sid: 'Traces', actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], resources: ['*'] },
      ],
    });
    this.arn = new ServiceRole(this, 'role', {
      environment,
      what: 'server',
      service: ECS_TASKS,
      policies: { run: policy.json },
      // Only for tasks of this account: no other may make ECS take this role on.
      sourceAccount: new DataAwsCallerIdentity(this, 'account').accountId,
    }).arn;
  }
}

/** The key may be used, but only by way of Secrets Manager. */
function decryptThrough({ region }: Environment, keyArn: string): DataAwsIamPolicyDocumentStatement {
  return {
    actions: ['kms:Decrypt'],
    resources: [keyArn],
    condition: [
      { test: 'StringEquals', variable: 'kms:ViaService', values: [`secretsmanager.${region}.amazonaws.com`] },
    ],
  };
}
