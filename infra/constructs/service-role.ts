/** An IAM role for one AWS service, with inline policies only: AWS may widen its managed policies. */
import { DataAwsIamPolicyDocument } from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js';
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';

export interface ServiceRoleProps {
  readonly environment: Environment;
  readonly what: string;
  /** The service that assumes the role: `ecs-tasks.amazonaws.com`. */
  readonly service: string;
  /** Name -> policy document as JSON. */
  readonly policies: Readonly<Record<string, string>>;
  /** Account id that the service must act for. Only for services that send `aws:SourceAccount`. */
  readonly sourceAccount?: string;
}

export class ServiceRole extends Construct {
  readonly arn: string;
  readonly name: string;

  constructor(scope: Construct, id: string, props: ServiceRoleProps) {
    super(scope, id);
    const { environment, what, service, policies, sourceAccount } = props;
    const trust = new DataAwsIamPolicyDocument(this, 'trust', {
      statement: [
        {
          actions: ['sts:AssumeRole'],
          principals: [{ type: 'Service', identifiers: [service] }],
          ...(sourceAccount !== undefined && {
            condition: [{ test: 'StringEquals', variable: 'aws:SourceAccount', values: [sourceAccount] }],
          }),
        },
      ],
    });
    const role = new IamRole(this, 'role', { name: nameOf(environment, what), assumeRolePolicy: trust.json });
    for (const [name, policy] of Object.entries(policies))
      new IamRolePolicy(this, name, { name, role: role.id, policy });
    this.arn = role.arn;
    this.name = role.name;
  }
}
