/**
 * The IAM roles of tasks. ECS uses the execution role to start a task; node and collector use the task role at run time.
 * Policies list single actions, and single resources where AWS supports them.
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
  /** Last part of the name of the role: `server-start`. */
  readonly what: string;
  /** Repository of the image. Undefined when the image is public. */
  readonly repositoryArn?: string;
  readonly logGroupArns: readonly string[];
  readonly secretArns: readonly string[];
  readonly keyArn: string;
}

const ECS_TASKS = 'ecs-tasks.amazonaws.com';

/** Lets ECS pull the image, create the log stream and read the secrets before the container runs. */
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
        // AWS supports no narrower resource for this action.
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
        // The node reads the current password for each new connection to Postgres; it rotates.
        { sid: 'Postgres', actions: ['secretsmanager:GetSecretValue'], resources: [props.databaseSecretArn] },
        { ...decryptThrough(environment, props.keyArn), sid: 'PostgresPassword' },
        { sid: 'Redis', actions: ['elasticache:Connect'], resources: [props.redisArn, props.redisUserArn] },
        // The node polls the state of its own target. AWS supports no narrower resource for this action.
        { sid: 'Drain', actions: ['elasticloadbalancing:DescribeTargetHealth'], resources: ['*'] },
        { sid: 'Metrics', actions: ['aps:RemoteWrite'], resources: [props.metricsStoreArn] },
        {
          sid: 'ScalingMetric',
          actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
          resources: [props.metricLogGroupArn, `${props.metricLogGroupArn}:*`],
        },
        // X-Ray actions support no resources.
        { sid: 'Traces', actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], resources: ['*'] },
      ],
    });
    this.arn = new ServiceRole(this, 'role', {
      environment,
      what: 'server',
      service: ECS_TASKS,
      policies: { run: policy.json },
      // Only ECS acting for this account may assume the role (confused deputy).
      sourceAccount: new DataAwsCallerIdentity(this, 'account').accountId,
    }).arn;
  }
}

/** Allows decryption with the key, but only through Secrets Manager. */
function decryptThrough({ region }: Environment, keyArn: string): DataAwsIamPolicyDocumentStatement {
  return {
    actions: ['kms:Decrypt'],
    resources: [keyArn],
    condition: [
      { test: 'StringEquals', variable: 'kms:ViaService', values: [`secretsmanager.${region}.amazonaws.com`] },
    ],
  };
}
