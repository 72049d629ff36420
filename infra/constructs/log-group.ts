/** A log group with a retention, encrypted with the key of the environment. */
import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js';
import { Construct } from 'constructs';

export interface LogGroupProps {
  /**
   * Full name: `logName`, or the name that an AWS service prescribes. A group that AWS creates itself would never
   * expire or be deleted.
   */
  readonly name: string;
  readonly days: number;
  /** ARN of the KMS key. */
  readonly keyArn: string;
}

export class LogGroup extends Construct {
  readonly name: string;
  readonly arn: string;
  /** Dependency for resources that write to the group by its name. */
  readonly resource: CloudwatchLogGroup;

  constructor(scope: Construct, id: string, { name, days, keyArn }: LogGroupProps) {
    super(scope, id);
    const group = new CloudwatchLogGroup(this, 'group', {
      name,
      retentionInDays: days,
      kmsKeyId: keyArn,
    });
    this.resource = group;
    this.name = group.name;
    this.arn = group.arn;
  }
}
