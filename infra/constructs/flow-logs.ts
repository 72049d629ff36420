/** Flow logs: every connection in the VPC, accepted or rejected, as evidence after an incident. */
import { DataAwsIamPolicyDocument } from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { FlowLog } from '@cdktf/provider-aws/lib/flow-log/index.js';
import type { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js';
import { Construct } from 'constructs';
import { logName } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { LogGroup } from './log-group.ts';
import { ServiceRole } from './service-role.ts';

export interface FlowLogsProps {
  readonly environment: Environment;
  readonly vpc: Vpc;
  readonly keyArn: string;
}

export class FlowLogs extends Construct {
  constructor(scope: Construct, id: string, { environment, vpc, keyArn }: FlowLogsProps) {
    super(scope, id);
    const days = environment.network.flowLogDays;
    const group = new LogGroup(this, 'log', { name: logName(environment, 'flow-logs'), days, keyArn });
    const policy = new DataAwsIamPolicyDocument(this, 'may-write', {
      statement: [
        {
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
          resources: [`${group.arn}:*`],
        },
      ],
    });
    const role = new ServiceRole(this, 'role', {
      environment,
      what: 'flow-logs',
      service: 'vpc-flow-logs.amazonaws.com',
      policies: { 'write-log': policy.json },
    });
    new FlowLog(this, 'flow-log', {
      vpcId: vpc.id,
      trafficType: 'ALL',
      logDestinationType: 'cloud-watch-logs',
      logDestination: group.arn,
      iamRoleArn: role.arn,
      maxAggregationInterval: 600,
    });
  }
}
